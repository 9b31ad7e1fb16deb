//! `spike status`
use spike_sdk::{Error, Filter};

use super::session::Session;
use crate::args::FormatFlag;
use crate::failure::{Failure, Subject};
use crate::output::{Output, Status};

/// Any answer but "not ready" shows that Nexus is there and has its root key: readiness is checked before permissions.
pub(super) fn run(args: &FormatFlag, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.parse()?;
    let session = Session::open()?;
    let client = session.client();
    let nobody = Filter::PathPattern("^$".to_owned());
    let asked = match session.wait(client.policies().list(&nobody)) {
        Ok(_) | Err(Error::Denied) => Ok(()),
        Err(error) => Err(error),
    };
    let word = match &asked {
        Ok(()) => "ready",
        Err(Error::NotReady) => "not ready",
        Err(_) => "unavailable",
    };
    let status = Status {
        identity: client.identity().spiffe_id().to_string(),
        nexus: client.nexus_url().to_string(),
        word,
    };
    output.status(&status, format)?;
    asked.map_err(|error| Failure::Call(error, Subject::Nexus))
}
