#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use std::time::Duration;

use spike_audit::{Line, Memory, Target};
use spike_identity::authority::TestAuthority;
use spike_runtime::tasks::Ended;
use spike_runtime::{Latch, SystemClock};

use super::*;

const PROGRAM: Program = Program {
    name: "spike-example",
    version: "1.2.3",
};

fn identified() -> (Identified, Latch) {
    let (readiness, startup) = Readiness::new();
    let authority = TestAuthority::new("example.org").unwrap();
    let ground = Ground {
        identity: authority.identity("/spike/example").unwrap(),
        clock: SystemClock::shared(),
        registry: Registry::new(PROGRAM.name, PROGRAM.version),
        readiness,
    };
    (Identified::new(PROGRAM, ground, Tasks::new()), startup)
}

#[tokio::test]
async fn an_audit_that_cannot_be_opened_leaves_no_server() {
    let (start, _startup) = identified();
    let nowhere = Settings::to(Target::File("/nonexistent/audit.jsonl".into()));
    match start.open_audit(&nowhere) {
        Err(AuditError::Open(OpenError::Target { target, .. })) => assert!(target.contains("/nonexistent"), "{target}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn addresses_stand_in_the_order_in_which_they_were_named() {
    let (start, _startup) = identified();
    let mut server = start.open_audit(&Settings::to(Target::Off)).unwrap();
    assert_eq!(server.addresses(), "");
    server.listens("api", &"127.0.0.1:1");
    server.listens("uds", &"unix:///x.sock");
    assert_eq!(server.addresses(), " api=127.0.0.1:1 uds=unix:///x.sock");
}

#[tokio::test]
async fn a_part_that_fails_ends_the_server_and_what_the_others_record_while_draining_is_written() {
    let (start, startup) = identified();
    let lines = Memory::default();
    let mut server = start.open_audit(&Settings::to(Target::Memory(lines.clone()))).unwrap();
    let (journal, stop) = (server.journal().clone(), server.stop());
    server.spawn("orderly", async move {
        stop.cancelled().await;
        journal.note(Line::new("farewell"));
        Ok::<_, Infallible>(())
    });
    server.spawn("cellar", async { Err("flooded") });
    drop(startup);
    let drain = Drain {
        notice: Duration::ZERO,
        deadline: Duration::from_secs(60),
    };
    let report = server.run(std::future::pending::<()>(), drain).await;
    assert!(matches!(report.ended, Ended::Task { name: "cellar", .. }), "{report}");
    assert!(report.failed.is_empty() && report.cut_off.is_empty(), "{report}");
    let text = lines.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("spiffe://example.org/spike/example") < at("farewell"), "{text}");
}
