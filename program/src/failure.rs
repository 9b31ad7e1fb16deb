//! Why a server ends with an error, and what it says then.
//!
//! **Owns** the failures that every server can have, the exit code of each, and the last words on standard error.
//! **Refuses** to know the failures of a server's own work: each says itself how the program ends ([`Fatal`]).
//! **Invariant**: every failure is told once, in one text, after the log has ended.
use std::fmt;
use std::io;
use std::process::ExitCode;

use spike_audit::Program;
use spike_identity::SourceError;
use spike_runtime::Exit;
use spike_runtime::config::Faults;
use spike_runtime::logging::InitError;
use spike_runtime::socket::BindError;
use spike_runtime::tasks::Report;

use crate::server::AuditError;
use crate::voice::tell;

/// An error that ends a program.
pub trait Fatal: std::error::Error + 'static {
    /// How the program ends because of it.
    fn exit(&self) -> Exit;
}

/// Why a server ends with an error. `E` is what can go wrong in its own work.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E: Fatal> {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Faults),
    /// The log cannot start.
    #[error(transparent)]
    Log(#[from] InitError),
    /// The system refuses threads, signals or the address of a socket.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The admin listener cannot be bound.
    #[error(transparent)]
    Admin(#[from] BindError),
    /// There is no identity.
    #[error(transparent)]
    Identity(#[from] SourceError),
    /// The audit cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The server's own work.
    #[error(transparent)]
    Own(E),
    /// It served, and then stopped unasked, or not cleanly.
    #[error("{0}")]
    Stopped(Report),
}

impl<E: Fatal> From<E> for Failure<E> {
    fn from(own: E) -> Self {
        Self::Own(own)
    }
}

impl<E: Fatal> Failure<E> {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Admin(_) | Self::Identity(_) | Self::Audit(AuditError::Open(_)) => Exit::Unavailable,
            Self::Log(_) | Self::System(_) | Self::Audit(AuditError::Hangups(_)) | Self::Stopped(_) => Exit::Internal,
            Self::Own(error) => error.exit(),
        }
    }
}

/// How a server ends: what standard error says of it, and the number for whoever started it.
pub(crate) fn end<E: Fatal>(program: Program, ran: Result<(), Failure<E>>) -> ExitCode {
    let exit = match ran {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            tell(&LastWords(program, &failure));
            failure.exit()
        }
    };
    exit.into()
}

/// Each line about a configuration begins with the place of the fault; any other with the program's name.
struct LastWords<'f, E: Fatal>(Program, &'f Failure<E>);

impl<E: Fatal> fmt::Display for LastWords<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(program, failure) = self;
        match failure {
            Failure::Config(faults) => write!(f, "{faults}"),
            Failure::Log(_)
            | Failure::System(_)
            | Failure::Admin(_)
            | Failure::Identity(_)
            | Failure::Audit(_)
            | Failure::Own(_)
            | Failure::Stopped(_) => write!(f, "{}: {failure}", program.name),
        }
    }
}

#[cfg(test)]
mod tests;
