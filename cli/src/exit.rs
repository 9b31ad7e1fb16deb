//! How a command ends: the one map from failures to exit codes (sysexits).
use std::io;
use std::process::ExitCode;

use spike_sdk::{ConnectError, Error, SourceError};

use crate::failure::Failure;
use crate::output::Output;

/// The exit codes of `spike`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The command line is wrong.
    Usage = 64,
    /// Names, patterns, paths or files are wrong, or what they name is not there.
    Data = 65,
    /// Nexus or the agent cannot be reached, or is not ready.
    Unavailable = 69,
    /// Something broke.
    Internal = 70,
    /// No policy allows it.
    Denied = 77,
    /// The environment is wrong.
    Config = 78,
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Help(_) => Self::Ok,
            Failure::CommandLine(_) | Failure::Usage(_) => Self::Usage,
            Failure::Data(_) | Failure::Incomplete => Self::Data,
            Failure::Connect(ConnectError::Environment(_) | ConnectError::Identity(SourceError::Address { .. })) => {
                Self::Config
            }
            Failure::Connect(ConnectError::Identity(SourceError::Unavailable { .. })) => Self::Unavailable,
            Failure::Call(error, _) | Failure::Remote { error, .. } | Failure::Cut { error, .. } => Self::from(error),
            Failure::AccessDenied => Self::Denied,
            // Who reads us has read enough.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Ok,
            Failure::System(_) | Failure::Output(_) => Self::Internal,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Denied | Error::OwnIdentityRefused { .. } => Self::Denied,
            Error::NotFound | Error::BadRequest { .. } | Error::AlreadyExists => Self::Data,
            Error::NotReady | Error::Unavailable { .. } | Error::Timeout => Self::Unavailable,
            Error::ServerIdentityRefused { .. } => Self::Config,
            Error::OutcomeUnknown | Error::Unexpected { .. } | Error::Unreadable { .. } => Self::Internal,
        }
    }
}

/// Prints what is left to say and gives the exit code.
pub(crate) fn finish(result: Result<(), Failure>, output: &mut Output) -> ExitCode {
    let exit = match result.and_then(|()| output.flush().map_err(Failure::Output)) {
        Ok(()) => Exit::Ok,
        Err(failure) => said(&failure, output),
    };
    ExitCode::from(exit as u8)
}

fn said(failure: &Failure, output: &mut Output) -> Exit {
    let exit = Exit::from(failure);
    let printed = match exit {
        Exit::Ok => output.text(&failure.text()).and_then(|()| output.flush()),
        _ => output.error(&failure.text()),
    };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && exit == Exit::Ok => Exit::Internal,
        _ => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Subject;

    #[test]
    fn every_failure_has_its_code() {
        let call = |error| Exit::from(&Failure::Call(error, Subject::Secrets));
        let text = String::new;
        for (got, want) in [
            (Exit::from(&Failure::Help(text())), Exit::Ok),
            (Exit::from(&Failure::CommandLine(text())), Exit::Usage),
            (Exit::from(&Failure::Usage(text())), Exit::Usage),
            (Exit::from(&Failure::data("x")), Exit::Data),
            (
                Exit::from(&Failure::Connect(ConnectError::Environment(Vec::new()))),
                Exit::Config,
            ),
            (Exit::from(&Failure::AccessDenied), Exit::Denied),
            (Exit::from(&Failure::Incomplete), Exit::Data),
            (
                Exit::from(&Failure::Cut {
                    bytes: 1,
                    error: Error::Unavailable { reason: text() },
                }),
                Exit::Unavailable,
            ),
            (Exit::from(&Failure::System(text())), Exit::Internal),
            (Exit::from(&Failure::Output(io::ErrorKind::BrokenPipe.into())), Exit::Ok),
            (
                Exit::from(&Failure::Output(io::ErrorKind::StorageFull.into())),
                Exit::Internal,
            ),
            (call(Error::NotReady), Exit::Unavailable),
            (call(Error::Denied), Exit::Denied),
            (call(Error::NotFound), Exit::Data),
            (call(Error::BadRequest { detail: Vec::new() }), Exit::Data),
            (call(Error::AlreadyExists), Exit::Data),
            (call(Error::Unavailable { reason: text() }), Exit::Unavailable),
            (call(Error::ServerIdentityRefused { reason: text() }), Exit::Config),
            (call(Error::Timeout), Exit::Unavailable),
            (call(Error::OutcomeUnknown), Exit::Internal),
            (
                call(Error::Unexpected {
                    status: 500,
                    code: None,
                }),
                Exit::Internal,
            ),
            (call(Error::Unreadable { reason: text() }), Exit::Internal),
        ] {
            assert_eq!(got, want);
        }
        let codes = [
            Exit::Ok,
            Exit::Usage,
            Exit::Data,
            Exit::Unavailable,
            Exit::Internal,
            Exit::Denied,
            Exit::Config,
        ];
        assert_eq!(codes.map(|exit| exit as u8), [0, 64, 65, 69, 70, 77, 78]);
    }
}
