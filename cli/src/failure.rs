//! How a command can end badly, and what a person then reads.
//!
//! Texts are SPIKE's where SPIKE has one; what to do about it follows on the next line.
use std::fmt;
use std::io;

use spike_sdk::{ConnectError, Error};

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Help or version was asked for: printed, and a success.
    Help(String),
    /// The command line cannot be read: clap's own text.
    CommandLine(String),
    /// The command line can be read, but asks for nothing that can be done.
    Usage(String),
    /// Names, patterns, paths or files are wrong: every fault, each a text of one or two lines.
    Data(Vec<String>),
    /// The environment does not let us connect.
    Connect(ConnectError),
    /// Nexus did not do it.
    Call(Error, Subject),
    /// A backup broke off after so many bytes; none of it was kept.
    Cut { bytes: u64, error: Error },
    /// One of several Nexus did not do it; which one.
    Remote { whose: String, error: Error },
    /// Part of the work was not done; that was printed already.
    Incomplete,
    /// A file, standard input or the operating system failed us.
    System(String),
    /// The access that was asked about is denied; that was printed already.
    AccessDenied,
    /// What we print cannot be written.
    Output(io::Error),
}

/// What a call was about; it decides SPIKE's wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Reading policies.
    Policies,
    /// Changing policies.
    PolicyWrite,
    /// Secrets.
    Secrets,
    /// Texts that Nexus seals and opens.
    Cipher,
    /// The shards of the root key.
    Recovery,
    /// Shards on their way back.
    Restoration,
    /// A new root key.
    Rekey,
    /// How the keys are, and a new data key.
    Keys,
    /// A backup.
    Backup,
    /// Nexus itself.
    Nexus,
}

impl Failure {
    /// One fault of the data.
    pub(crate) fn data(text: impl Into<String>) -> Self {
        Self::Data(vec![text.into()])
    }

    /// What goes to standard error, whole lines. Empty when there is nothing to say.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Help(text) | Self::CommandLine(text) => text.clone(),
            Self::Usage(text) | Self::System(text) => format!("Error: {text}\n"),
            Self::Data(faults) => error_lines(faults),
            Self::Connect(error) => connect_text(error),
            Self::Call(error, subject) => call_text(error, *subject),
            Self::Cut { bytes, error } => format!(
                "Error: The backup broke off after {bytes} bytes: {error}.\nNothing was saved: take it again.\n"
            ),
            Self::Remote { whose, error } => format!("Error: {whose}: {error}\n"),
            Self::AccessDenied | Self::Incomplete => String::new(),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => String::new(),
            Self::Output(error) => format!("Error: cannot write the output: {error}\n"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Each fault as SPIKE prints an error.
fn error_lines(faults: &[impl fmt::Display]) -> String {
    faults
        .iter()
        .fold(String::new(), |text, fault| text + &format!("Error: {fault}\n"))
}

fn connect_text(error: &ConnectError) -> String {
    match error {
        ConnectError::Environment(faults) => error_lines(faults),
        ConnectError::Identity(error) => format!("Error: {error}\n"),
    }
}

fn call_text(error: &Error, subject: Subject) -> String {
    match error {
        Error::NotReady => "\n  SPIKE is not ready yet. Please wait a moment and try again.\n".to_owned(),
        Error::Denied => denied(subject).to_owned(),
        Error::NotFound => match subject {
            Subject::Policies | Subject::PolicyWrite => "Error: Entity not found.\n".to_owned(),
            Subject::Secrets
            | Subject::Cipher
            | Subject::Recovery
            | Subject::Restoration
            | Subject::Rekey
            | Subject::Keys
            | Subject::Backup
            | Subject::Nexus => "Error: Resource not found.\n".to_owned(),
        },
        Error::BadRequest { detail } if detail.is_empty() => invalid(subject).to_owned(),
        Error::BadRequest { detail } => error_lines(detail),
        Error::AlreadyExists => "Error: It exists already.\n".to_owned(),
        Error::Unavailable { reason } => format!("Error: Failed to connect to SPIKE Nexus.\n{reason}\n"),
        Error::ServerIdentityRefused { reason } => format!(
            "Error: Failed to connect to SPIKE Nexus.\n\
             Who answers is not a SPIKE Nexus that we trust: {reason}\n\
             Check SPIKE_NEXUS_API_URL and SPIKE_TRUST_ROOT_NEXUS.\n"
        ),
        Error::OwnIdentityRefused { reason } => format!(
            "Error: Failed to connect to SPIKE Nexus.\n\
             SPIKE Nexus does not accept the identity of this process: {reason}\n\
             Is its trust domain known there, and its SVID still valid?\n"
        ),
        Error::Timeout => {
            "Error: Failed to connect to SPIKE Nexus.\nNo answer in time. Nothing was changed.\n".to_owned()
        }
        Error::OutcomeUnknown => "Error: SPIKE Nexus did not confirm the change.\n\
             It may or may not have been made: look before you try again.\n"
            .to_owned(),
        Error::Unexpected { status, code } => {
            let code = code.map(|code| format!(", {code}")).unwrap_or_default();
            format!("Error: SPIKE Nexus failed (status {status}{code}).\n")
        }
        Error::Unreadable { reason } => format!("Error: Failed to parse API response.\n{reason}\n"),
    }
}

/// What is wrong with a request when SPIKE Nexus says no more than that.
fn invalid(subject: Subject) -> &'static str {
    match subject {
        // SPIKE's answer has no room for the reason, and there are two that it can have.
        Subject::Restoration => {
            "Error: Invalid request.\n\
             This is no shard, or the shards that were handed in give a root key that does not fit the database:\n\
             then all of them are forgotten, and all must be handed in again.\n"
        }
        Subject::Policies
        | Subject::PolicyWrite
        | Subject::Secrets
        | Subject::Cipher
        | Subject::Recovery
        | Subject::Rekey
        | Subject::Keys
        | Subject::Backup
        | Subject::Nexus => "Error: Invalid request.\n",
    }
}

fn denied(subject: Subject) -> &'static str {
    match subject {
        Subject::PolicyWrite => {
            "Error: Permission denied\n\
             Only SPIKE Pilot or workloads with write access to spike/system/acl\n\
             can manage policies\n"
        }
        Subject::Restoration => {
            "Error: Unauthorized access.\n\
             you need a 'restore' SPIFFE ID to use this command: spiffe://<trust root>/spike/pilot/role/restore\n"
        }
        Subject::Rekey => {
            "Error: Unauthorized access.\n\
             you need a 'recover' SPIFFE ID to use this command: spiffe://<trust root>/spike/pilot/role/recover\n\
             (with a key file or Keepers, SPIKE Pilot's will do, too)\n"
        }
        Subject::Keys => {
            "Error: Unauthorized access.\n\
             you need a 'superuser' SPIFFE ID to use this command: spiffe://<trust root>/spike/pilot/role/superuser\n"
        }
        Subject::Recovery => {
            "Error: Unauthorized access.\n\
             you need a 'recover' SPIFFE ID to use this command: spiffe://<trust root>/spike/pilot/role/recover\n"
        }
        Subject::Backup => {
            "Error: Unauthorized access.\n\
             you need this SPIFFE ID to take a backup: spiffe://<trust root>/spike/pilot/role/superuser\n"
        }
        Subject::Policies | Subject::Secrets | Subject::Cipher | Subject::Nexus => "Error: Unauthorized access.\n",
    }
}
