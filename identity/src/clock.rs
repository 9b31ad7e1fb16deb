//! The time that certificates are about.
//!
//! **Owns** the one look at the wall clock, and the turning of times between `SystemTime` and the shapes that the TLS
//! libraries read.
//! **Refuses** to decide anything: whether a certificate is within its life is asked where it is read.
//! **Invariant**: a time before 1970 counts as 1970, so a clock that was never set makes certificates too young, not
//! valid.

use rustls_pki_types::UnixTime;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where handshakes take the wall-clock time from.
pub type TimeSource = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The machine's wall clock. Rustls would bring one of its own, but in whole seconds: too coarse to end a connection
/// when its certificate ends.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The moment so many seconds into 1970 and later.
pub(crate) fn from_epoch(seconds: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}

/// To the second, which is as fine as certificates are.
pub(crate) fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The identity's time, in the shape that rustls asks for.
pub(crate) struct HandshakeTime(pub(crate) TimeSource);

impl rustls::time_provider::TimeProvider for HandshakeTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time((self.0)()))
    }
}

impl fmt::Debug for HandshakeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeTime")
    }
}
