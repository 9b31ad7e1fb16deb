//! One decided Check: its id, its outcome and the policies it was decided under.
//!
//! **Owns** the decision id. **Refuses** an outcome that is neither: an allow holds the permit that `decide` minted, a
//! denial holds its reason. **Invariant**: an id is drawn once per Check, from the operating system's random source.
use std::cell::RefCell;
use std::fmt;

use spike_policy::{Access, Generation, Grounds, Permit, Policy};

use crate::reason::Reason;

/// 128 random bits that tie together the denial a client sees, Envoy's access log and the audit line.
///
/// Random, not counted, so that an id tells nothing about how many Checks there are. The bits come from the operating
/// system 256 ids at a time and per thread: a system call for each Check would cost more than the decision itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId([u8; 16]);

const IDS_PER_DRAW: usize = 256;

struct Pool {
    bytes: Box<[u8; 16 * IDS_PER_DRAW]>,
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> =
        RefCell::new(Pool { bytes: Box::new([0; 16 * IDS_PER_DRAW]), used: IDS_PER_DRAW });
}

impl DecisionId {
    /// The next id. All zero only when the operating system gives no random bytes: an id is a name, not a secret, and
    /// a Check must not fail for want of one.
    pub fn draw() -> Self {
        POOL.with_borrow_mut(|pool| {
            if pool.used >= IDS_PER_DRAW {
                if getrandom::fill(pool.bytes.as_mut_slice()).is_err() {
                    return Self([0; 16]);
                }
                pool.used = 0;
            }
            let (ids, _) = pool.bytes.as_chunks::<16>();
            let id = ids.get(pool.used).copied().unwrap_or_default();
            pool.used += 1;
            Self(id)
        })
    }

    /// 32 lower-case hexadecimal digits.
    pub fn hex(self) -> [u8; 32] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'0'; 32];
        let (pairs, _) = text.as_chunks_mut::<2>();
        for ([high, low], byte) in pairs.iter_mut().zip(self.0) {
            *high = HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0');
            *low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
        }
        text
    }
}

impl From<[u8; 16]> for DecisionId {
    fn from(bits: [u8; 16]) -> Self {
        Self(bits)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was decided.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Yes; the permit proves that `decide` said so.
    Allowed(Permit),
    /// No.
    Denied(Refused),
}

impl Outcome {
    /// The verdict's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allow",
            Self::Denied(_) => "deny",
        }
    }

    /// The policy that allowed it.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Allowed(permit) => match permit.grounds() {
                Grounds::Policy(policy) => Some(policy),
                Grounds::Role(_) => None,
            },
            Self::Denied(_) => None,
        }
    }

    /// Why: `policy` or `role` for an allow, the reason's word for a denial.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Allowed(permit) => match permit.grounds() {
                Grounds::Policy(_) => "policy",
                Grounds::Role(_) => "role",
            },
            Self::Denied(refused) => refused.reason.as_str(),
        }
    }
}

/// A denial: why, and the access where the request could be read that far.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What was asked.
    pub access: Option<Access>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reason, access: None }
    }
}

/// One decided Check.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its name.
    pub id: DecisionId,
    /// Yes or no.
    pub outcome: Outcome,
    /// The policies it was decided under; none when they were never asked.
    pub generation: Option<Generation>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::DecisionId;
    use std::collections::HashSet;

    #[test]
    fn ids_are_32_hex_digits_and_never_repeat_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..5_000).map(|_| DecisionId::draw()).collect::<Vec<_>>()))
            .collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.to_string().len() == 32));
        assert_eq!(DecisionId::from([0xa5; 16]).to_string(), "a5".repeat(16));
    }
}
