#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::time::Duration;

use spike_identity::NoIdentity;
use spike_runtime::config::{Environment, Layers};
use spike_runtime::tasks::Ended;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("the cellar is flooded")]
struct Flooded;

impl Fatal for Flooded {
    fn exit(&self) -> Exit {
        Exit::BadData
    }
}

fn refused() -> io::Error {
    io::Error::other("refused")
}

fn check(failure: Failure<Flooded>, exit: Exit, words: &str) {
    let program = Program {
        name: "spike-example",
        version: "1.2.3",
    };
    assert_eq!(LastWords(program, &failure).to_string(), words);
    assert_eq!(failure.exit(), exit, "{words}");
    assert_eq!(end(program, Err(failure)), exit.into(), "{words}");
}

#[test]
fn each_failure_has_its_number_and_says_whose_it_is() {
    check(
        SourceError::Unavailable {
            endpoint: "unix:///x".to_owned(),
            waited: Duration::from_secs(1),
            cause: NoIdentity::NotRegistered,
        }
        .into(),
        Exit::Unavailable,
        "spike-example: no identity from the SPIFFE Workload API at `unix:///x` within 1s: the agent issues no identity \
         to this process; is there a registration entry whose selectors match it?",
    );
    check(
        BindError::NotASocket("/x".into()).into(),
        Exit::Unavailable,
        "spike-example: `/x` exists and is not a socket",
    );
    check(
        AuditError::Open(spike_audit::OpenError::System(refused())).into(),
        Exit::Unavailable,
        "spike-example: cannot start the audit: refused",
    );
    check(
        AuditError::Hangups(refused()).into(),
        Exit::Internal,
        "spike-example: refused",
    );
    check(refused().into(), Exit::Internal, "spike-example: refused");
    check(
        Failure::Stopped(Report {
            ended: Ended::Task {
                name: "cellar",
                error: Some(Box::new(Flooded)),
            },
            failed: Vec::new(),
            cut_off: Vec::new(),
        }),
        Exit::Internal,
        "spike-example: task `cellar` failed: the cellar is flooded",
    );
    check(Flooded.into(), Exit::BadData, "spike-example: the cellar is flooded");
}

#[test]
fn a_fault_of_the_configuration_begins_with_its_place() {
    let layers = Layers::from_text("it.yaml", "speed: 9\n", Environment::from_pairs([("", ""); 0]), &[]);
    layers.root().section("cellar").refuse("", "dry");
    let faults = layers.finish().unwrap_err();
    check(
        faults.into(),
        Exit::Config,
        "it.yaml:1:1: cellar: dry\nit.yaml:1:1: speed: unknown key (known here: cellar)",
    );
}

#[test]
fn an_end_without_a_failure_is_a_good_one() {
    let program = Program {
        name: "spike-example",
        version: "1.2.3",
    };
    assert_eq!(end::<Flooded>(program, Ok(())), ExitCode::SUCCESS);
}
