//! The id of a call or a decision, which its answer and its audit line have in common.
use std::cell::RefCell;
use std::fmt;

use crate::chain::write_hex;

/// 128 random bits that tie together what a client is told, Envoy's access log and the audit line.
///
/// Random, not counted, so that an id tells nothing about how many calls there are. The bits come from the operating
/// system 256 ids at a time and per thread: a system call for each would cost more than a decision itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId([u8; 16]);

const IDS_PER_DRAW: usize = 256;

struct Pool {
    bytes: Box<[u8; 16 * IDS_PER_DRAW]>,
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> =
        RefCell::new(Pool { bytes: Box::new([0; 16 * IDS_PER_DRAW]), used: IDS_PER_DRAW });
}

impl EventId {
    /// The next id. All zero only when the operating system gives no random bytes: an id is a name, not a secret, and
    /// nothing must fail for want of one.
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
        let mut text = [b'0'; 32];
        write_hex(&mut text, &self.0);
        text
    }
}

impl From<[u8; 16]> for EventId {
    fn from(bits: [u8; 16]) -> Self {
        Self(bits)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::EventId;
    use std::collections::HashSet;

    #[test]
    fn ids_are_32_hex_digits_and_never_repeat_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..5_000).map(|_| EventId::draw()).collect::<Vec<_>>()))
            .collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.to_string().len() == 32));
        assert_eq!(EventId::from([0xa5; 16]).to_string(), "a5".repeat(16));
    }
}
