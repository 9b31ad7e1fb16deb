//! Use cases over keys: messages of callers, the proof of the root key, and its shares.
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Keeps, Permitted, RecoverShares, Refused, Service, UseCipher, VerifyRootKey};
use crate::store::{ReadError, SharesError, Unavailable};
use crate::vault::{MESSAGE_NONCE, Message, Share};

/// The largest sealed text, tag included (`SPIKE_NEXUS_CRYPTO_MAX_CIPHERTEXT_SIZE`).
pub const MOST_SEALED: usize = 65_536;
/// The largest text: sealed, it can still be opened. (SPIKE seals 16 bytes more, which nobody can open again.)
pub const MOST_PLAIN: usize = MOST_SEALED - 16;

impl Service {
    /// Seals a text for the caller.
    pub async fn encrypt(&self, _permit: &Permitted<UseCipher>, plaintext: &[u8]) -> Result<Message, Refused> {
        if plaintext.len() > MOST_PLAIN {
            return Err(Refused::invalid(format!(
                "the plaintext is larger than {MOST_PLAIN} bytes"
            )));
        }
        if self.is_lite() {
            return Ok(self.store.seal_lite_message(plaintext)?);
        }
        Ok(self.store.seal_message(plaintext).await?)
    }

    /// Opens what [`Service::encrypt`] sealed, for whomever; and what SPIKE's own Nexus sealed under this root key.
    /// Whoever is refused does not learn which of the two it was not.
    pub fn decrypt(
        &self,
        _permit: &Permitted<UseCipher>,
        (nonce, sealed): (&[u8], &[u8]),
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let nonce = parts(nonce, sealed)?;
        let own = if self.is_lite() {
            self.store.open_lite_message(nonce, sealed)
        } else {
            self.store.open_message(nonce, sealed)
        };
        let opened = match own {
            Err(ReadError::NotFound) if !self.rules.own_messages_only => self.open_official(nonce, sealed),
            other => other,
        };
        opened.map_err(|error| match error {
            ReadError::NotFound => Refused::invalid("decryption failed"),
            other => other.into(),
        })
    }

    /// SPIKE's cipher has one key: the root key itself.
    fn open_official(&self, nonce: &[u8; MESSAGE_NONCE], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let opened = self.store.open_as_spike(nonce, sealed)?;
        tracing::info!("opened a message that was sealed under the root key itself, as SPIKE does it");
        Ok(opened)
    }

    /// SHA-256, in hex, of a text that was sealed under the root key: whoever knows it holds the key.
    pub fn verify_root_key(
        &self,
        _permit: &Permitted<VerifyRootKey>,
        (nonce, sealed): (&[u8], &[u8]),
    ) -> Result<String, Refused> {
        let nonce = parts(nonce, sealed)?;
        let text = self.store.open_as_spike(nonce, sealed).map_err(|error| match error {
            // SPIKE Bootstrap tries again on this one: the right key may still be on its way.
            ReadError::NotFound => Refused::Internal("the proof was sealed under another root key"),
            other => other.into(),
        })?;
        let digest = Sha256::digest(&*text);
        Ok(digest
            .iter()
            .fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}")))
    }

    /// Refuses what makes no sense for a root key that is gone with this process.
    pub fn has_root_key_to_keep(&self) -> Result<(), Refused> {
        if self.rules.keeps == Keeps::UntilTheEnd {
            return Err(Refused::invalid(
                "this server keeps nothing: its root key has no shares",
            ));
        }
        Ok(())
    }

    /// All shares of the root key.
    pub fn recover(&self, _permit: &Permitted<RecoverShares>) -> Result<Vec<Share>, Refused> {
        self.store.shares(self.rules.sharing).map_err(|error| match error {
            SharesError::RootKey(why) => {
                tracing::error!(%why, "cannot hand out shares");
                Refused::Internal("the root key has no shares: keep a copy of the key file instead")
            }
            // SPIKE's answer: who recovers needs no reason to try again.
            SharesError::Unavailable(Unavailable::Sealed) => Refused::Internal("there is no root key yet"),
            SharesError::Unavailable(unavailable) => unavailable.into(),
        })
    }
}

/// The nonce, if both parts have sizes that they can have.
fn parts<'a>(nonce: &'a [u8], sealed: &[u8]) -> Result<&'a [u8; MESSAGE_NONCE], Refused> {
    let nonce = nonce
        .try_into()
        .map_err(|_| Refused::invalid(format!("the nonce must have {MESSAGE_NONCE} bytes")))?;
    if sealed.len() > MOST_SEALED {
        return Err(Refused::invalid(format!(
            "the ciphertext is larger than {MOST_SEALED} bytes"
        )));
    }
    Ok(nonce)
}
