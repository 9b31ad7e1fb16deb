//! What the operating system is told about this process.
//!
//! **Owns** hardening (no core dumps, memory not readable by other processes of the same user, private files) and the
//! panic log. **Refuses** to go on silently when the system says no: the caller decides. **Invariant**: a panic's
//! payload, which may hold a secret, is never printed.

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};

/// Why hardening is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum HardenError {
    /// `RLIMIT_CORE` could not be set.
    #[error("cannot forbid core dumps")]
    CoreDumps(#[source] rustix::io::Errno),
    /// `PR_SET_DUMPABLE` could not be cleared.
    #[error("cannot protect the memory of this process from others")]
    Dumpable(#[source] rustix::io::Errno),
}

/// No core dumps, memory closed to ptrace and `/proc/PID/mem` of the same user, new files for the owner only (0077).
///
/// # Errors
/// [`HardenError`]: what the system refused; everything before it is in force.
pub fn harden() -> Result<(), HardenError> {
    umask(Mode::from_bits_truncate(0o077));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(HardenError::CoreDumps)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(HardenError::Dumpable)
}

/// From now on a panic is one log event with its place, without its message.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(target: crate::logging::LIFECYCLE, %place, "panicked");
    }));
}
