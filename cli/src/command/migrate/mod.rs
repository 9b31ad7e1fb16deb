//! `spike migrate`: everything that one Nexus holds, as it holds it, to another one.
//!
//! **Owns** the order (policies, then secrets), how many calls are under way, and what ends a migration early.
//! **Refuses** to change the source: it only reads there, over the official API, and never undeletes.
//! **Invariant**: it can be stopped at any moment and run again: each secret arrives whole or not at all, and what is
//! there already, the same, stays as it is.
mod ends;
mod history;
mod policies;
mod secrets;
mod times;

use spike_sdk::Error;
use spike_wire::import::Mode;

use self::ends::Ends;
use super::session;
use crate::args::{Kind, Migrate};
use crate::failure::Failure;
use crate::output::{Output, Report};

/// Copies everything.
pub(super) fn run(args: &Migrate, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.format.parse()?;
    let (from, to) = ends::settings(args)?;
    let runtime = session::runtime()?;
    let mut report = Report {
        from: args.from.to_string(),
        to: args.to.to_string(),
        dry_run: args.dry_run,
        ..Report::default()
    };
    let ended = runtime.block_on(async {
        let ends = Ends::connect(&from, &to).await?;
        Errand { args, ends }.run(&mut report, output).await
    });
    if ended.is_err() && report.policies.listed + report.secrets.listed == 0 {
        return ended;
    }
    report.complete = ended.is_ok() && report.is_complete();
    report.sort();
    output.migration(&report, format)?;
    ended?;
    if report.complete {
        Ok(())
    } else {
        Err(Failure::Incomplete)
    }
}

/// What is to be done, between whom.
struct Errand<'a> {
    args: &'a Migrate,
    ends: Ends,
}

/// Why one policy or secret was not copied.
enum Trouble {
    /// The target does not take it.
    Refused(Vec<String>),
    /// It could not be read or written; the next one may fare better.
    Failed(String),
    /// Nothing else would fare better.
    Stop(Failure),
}

impl Errand<'_> {
    async fn run(&self, report: &mut Report, output: &mut Output) -> Result<(), Failure> {
        if self.args.only != Some(Kind::Secrets) {
            self.copy_policies(report, output).await?;
        }
        if self.args.only != Some(Kind::Policies) {
            self.copy_secrets(report, output).await?;
        }
        Ok(())
    }

    fn mode(&self) -> Mode {
        if self.args.dry_run {
            Mode::Compare
        } else if self.args.overwrite {
            Mode::Overwrite
        } else {
            Mode::Add
        }
    }

    /// Says how far it is, now and then.
    fn progress(&self, output: &mut Output, (done, of): (usize, usize), what: &str) -> Result<(), Failure> {
        const STEP: usize = 100;
        if self.args.quiet || (!done.is_multiple_of(STEP) && done != of) {
            return Ok(());
        }
        Ok(output.error(&format!("migrate: {done} of {of} {what}\n"))?)
    }

    /// What an error of the source means for the rest.
    fn source_trouble(&self, error: Error) -> Trouble {
        match error {
            Error::NotReady
            | Error::Unavailable { .. }
            | Error::ServerIdentityRefused { .. }
            | Error::OwnIdentityRefused { .. } => Trouble::Stop(self.ends.source_failed(error)),
            Error::Denied
            | Error::NotFound
            | Error::BadRequest { .. }
            | Error::AlreadyExists
            | Error::Timeout
            | Error::OutcomeUnknown
            | Error::Unexpected { .. }
            | Error::Unreadable { .. } => Trouble::Failed(format!("the source: {error}")),
        }
    }

    /// What an error of the target means for the rest.
    fn target_trouble(&self, error: Error) -> Trouble {
        match error {
            Error::BadRequest { detail } if detail.is_empty() => Trouble::Stop(Failure::data(format!(
                "{}: it does not take imports; an official SPIKE Nexus cannot be a target",
                self.ends.target.nexus_url()
            ))),
            Error::BadRequest { detail } => Trouble::Refused(detail),
            Error::NotReady
            | Error::Denied
            | Error::Unavailable { .. }
            | Error::ServerIdentityRefused { .. }
            | Error::OwnIdentityRefused { .. } => Trouble::Stop(self.ends.target_failed(error)),
            Error::NotFound
            | Error::AlreadyExists
            | Error::Timeout
            | Error::OutcomeUnknown
            | Error::Unexpected { .. }
            | Error::Unreadable { .. } => Trouble::Failed(format!("the target: {error}")),
        }
    }
}

/// Makes a call again that got no answer: for reads, and for imports, which change nothing the second time.
async fn twice<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> Result<T, Error> {
    match call().await {
        Err(Error::Timeout | Error::OutcomeUnknown) => call().await,
        answer => answer,
    }
}
