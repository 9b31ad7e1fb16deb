//! What each command does: check, connect, call, print.
//!
//! **Owns** the order of these steps. **Refuses** to print or to map errors to exit codes itself.
//! **Invariant**: no command asks for an identity before its input is known to be right.
mod cipher;
mod operator;
mod policy;
mod policy_apply;
mod policy_explain;
mod prompt;
mod secret;
mod session;

use crate::args::{self, Command};
use crate::failure::{Failure, Subject};
use crate::output::Output;
use session::Session;
use spike_sdk::{Error, Filter};

/// Does what a command line asks for.
pub(crate) fn run(command: Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Policy(command) => policy::run(command, output),
        Command::Secret(command) => secret::run(command, output),
        Command::Cipher(command) => cipher::run(command, output),
        Command::Operator(command) => operator::run(command, output),
        Command::Status => status(output),
        Command::Completion { shell } => Ok(output.raw(&args::completion(shell))?),
    }
}

/// Any answer but "not ready" shows that Nexus is there and has its root key: readiness is checked before permissions.
fn status(output: &mut Output) -> Result<(), Failure> {
    let session = Session::open()?;
    let client = session.client();
    output.line(&format!("Identity : {}", client.identity().spiffe_id()))?;
    output.line(&format!("Nexus    : {}", client.nexus_url()))?;
    let nobody = Filter::PathPattern("^$".to_owned());
    match session.wait(client.policies().list(&nobody)) {
        Ok(_) | Err(Error::Denied) => Ok(output.line("Status   : ready")?),
        Err(error) => {
            let word = match error {
                Error::NotReady => "not ready",
                _ => "unavailable",
            };
            output.line(&format!("Status   : {word}"))?;
            Err(Failure::Call(error, Subject::Nexus))
        }
    }
}
