//! Random bytes straight from the operating system.

/// The operating system gave no random bytes. Nothing may be encrypted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError;

/// Where random bytes come from. There is one in production; tests use one that fails.
pub(crate) type RandomSource = fn(&mut [u8]) -> Result<(), RandomError>;

/// `N` bytes from the operating system. Never from a generator in this process: a fork or a virtual machine snapshot
/// would repeat its output, and a repeated nonce breaks AES-GCM.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    operating_system(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn operating_system(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|_| RandomError)
}
