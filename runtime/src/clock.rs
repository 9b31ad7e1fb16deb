//! The time.
//!
//! **Owns** the only reads of the wall clock and of the monotonic clock. **Refuses** time zones and formats.
//! **Invariant**: whoever needs the time takes a [`Clock`] or a `now`, so a test decides what time it is.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock: for certificates, time stamps and records. It may jump.
    fn now(&self) -> SystemTime;

    /// The monotonic clock: for timeouts, leases and measurements. It never goes back.
    fn monotonic(&self) -> Instant;

    /// The wall clock in milliseconds since 1970-01-01 UTC; 0 before that.
    fn unix_millis(&self) -> u64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The monotonic clock in the type of tokio's timers.
    fn timer(&self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.monotonic())
    }
}

/// A clock that several owners share.
pub type SharedClock = Arc<dyn Clock>;

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The clock of this machine, shared.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(any(test, feature = "test-util"))]
pub use fake::FakeClock;

#[cfg(any(test, feature = "test-util"))]
mod fake {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant, SystemTime};

    use super::{Clock, SharedClock};

    /// A clock that stands still until a test moves it. Clones show the same time.
    #[derive(Clone, Debug)]
    pub struct FakeClock(Arc<Mutex<(SystemTime, Instant)>>);

    impl FakeClock {
        /// A clock that shows `now`.
        pub fn at(now: SystemTime) -> Self {
            Self(Arc::new(Mutex::new((now, Instant::now()))))
        }

        /// A clock that shows `seconds` after 1970-01-01 UTC.
        pub fn at_unix(seconds: u64) -> Self {
            Self::at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        }

        /// This clock as a shared one.
        pub fn shared(&self) -> SharedClock {
            Arc::new(self.clone())
        }

        /// Moves both clocks forward.
        pub fn advance(&self, by: Duration) {
            let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            times.0 += by;
            times.1 += by;
        }

        /// Sets the wall clock only, as an administrator or NTP does; it may go back.
        pub fn set_wall(&self, now: SystemTime) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> SystemTime {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0
        }

        fn monotonic(&self) -> Instant {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_clock_moves_only_when_told() {
        let clock = FakeClock::at_unix(1_000);
        let (wall, steady) = (clock.now(), clock.monotonic());
        assert_eq!((clock.now(), clock.monotonic()), (wall, steady));
        clock.clone().advance(Duration::from_millis(1_500));
        assert_eq!(clock.unix_millis(), 1_001_500);
        assert_eq!(clock.monotonic() - steady, Duration::from_millis(1_500));
        clock.set_wall(UNIX_EPOCH);
        assert_eq!(clock.unix_millis(), 0);
        assert_eq!(clock.monotonic() - steady, Duration::from_millis(1_500));
    }

    #[test]
    fn a_wall_clock_before_1970_is_zero() {
        let clock = FakeClock::at(UNIX_EPOCH - Duration::from_secs(5));
        assert_eq!(clock.unix_millis(), 0);
    }
}
