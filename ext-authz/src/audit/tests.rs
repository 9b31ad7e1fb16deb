#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use std::time::{Duration, UNIX_EPOCH};

use spike_policy::{Access, DenyReason, Generation, Permission};

use super::*;
use crate::decision::{Decision, DecisionId, Outcome, Refused};
use crate::decode::Message;
use crate::reason::{Fault, Reason};

fn denied(reason: Reason, access: Option<Access>) -> Decision {
    let outcome = Outcome::Denied(Refused { reason, access });
    Decision {
        id: DecisionId::from([0xab; 16]),
        outcome,
        generation: Some(Generation(7)),
    }
}

fn line<'a>(decision: &'a Decision, message: &'a Message<'a>) -> Line<'a> {
    Line {
        decision,
        message,
        listener: "uds",
        caller: None,
        took: Duration::from_micros(12),
    }
}

fn written(lines: &[Line<'_>]) -> String {
    let sink = Sink::default();
    let (audit, writer) = Audit::open(&Target::Memory(Arc::clone(&sink)), 16, Counter::default()).unwrap();
    for line in lines {
        audit.record(UNIX_EPOCH + Duration::from_millis(1_763_800_000_250), line);
    }
    writer.finish();
    String::from_utf8(sink.lock().unwrap().clone()).unwrap()
}

/// `principal`, and `GET path` with two headers.
fn message_bytes(principal: &[u8], path: &[u8]) -> Vec<u8> {
    let field = |number: u8, value: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = value.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(value);
        bytes
    };
    let header = |key: &[u8], value: &[u8]| field(3, &[field(1, key), field(2, value)].concat());
    let http = [
        field(2, b"GET"),
        header(b"x-request-id", b"r-1"),
        header(b"authorization", b"Bearer hunter2"),
        field(4, path),
        field(11, b"body with hunter2"),
    ]
    .concat();
    field(
        1,
        &[field(1, &field(4, principal)), field(4, &field(2, &http))].concat(),
    )
}

#[test]
fn a_line_tells_who_asked_for_what_and_why_not() {
    let bytes = message_bytes(b"spiffe://example.org/web", b"/orders/7?token=hunter2");
    let message = crate::decode::message(&bytes).unwrap();
    let access = Access {
        who: "spiffe://example.org/web".parse().unwrap(),
        permission: Permission::Read,
        path: "services/shop/orders/7".parse().unwrap(),
    };
    let decision = denied(Reason::Policy(DenyReason::PathUnmatched), Some(access));
    let text = written(&[line(&decision, &message)]);
    assert_eq!(
        text,
        concat!(
            r#"{"time":"2025-11-22T08:26:40.25Z","event":"check","#,
            r#""decision_id":"abababababababababababababababab","verdict":"deny","reason":"path_unmatched","#,
            r#""spiffe_id":"spiffe://example.org/web","resource":"services/shop/orders/7","permission":"read","#,
            r#""method":"GET","path":"/orders/7","request_id":"r-1","generation":7,"duration_us":12,"listener":"uds"}"#,
            "\n"
        )
    );
    assert!(!text.contains("hunter2"));
}

#[test]
fn hostile_text_stays_on_its_line_and_is_capped() {
    let path = [b"/\x1b[2J\n\"}".as_slice(), &[b'a'; 9_000]].concat();
    let bytes = message_bytes("spiffe://example.org/\u{202e}\r\n".as_bytes(), &path);
    let message = crate::decode::message(&bytes).unwrap();
    let decision = denied(Reason::Service(Fault::MessageUndecodable), None);
    let text = written(&[line(&decision, &message), line(&decision, &message)]);
    assert_eq!(text.lines().count(), 2);
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    assert!(text.len() < 2 * 3_000, "{}", text.len());
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["spiffe_id"], "spiffe://example.org/\u{202e}\r\n");
        assert!(value["path"].as_str().unwrap().starts_with("/\u{1b}[2J\n\"}aaa"));
    }
}

#[test]
fn what_does_not_fit_is_dropped_and_counted_and_nothing_waits() {
    let sink = Sink::default();
    let dropped = Counter::default();
    let (audit, writer) = Audit::open(&Target::Memory(Arc::clone(&sink)), 8, dropped.clone()).unwrap();
    let held = sink.lock().unwrap();
    let message = Message::default();
    let decision = denied(Reason::Service(Fault::Overloaded), None);
    for _ in 0..1_000 {
        audit.record(UNIX_EPOCH, &line(&decision, &message));
    }
    drop(held);
    writer.finish();
    let lines = String::from_utf8(sink.lock().unwrap().clone()).unwrap().lines().count() as u64;
    assert_eq!(lines + dropped.get(), 1_000);
    assert!(dropped.get() > 900, "{}", dropped.get());
}

#[test]
fn a_file_is_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    for _ in 0..2 {
        let (audit, writer) = Audit::open(&Target::File(path.clone()), 8, Counter::default()).unwrap();
        audit.record(
            UNIX_EPOCH,
            &line(&denied(Reason::Service(Fault::Overloaded), None), &Message::default()),
        );
        writer.finish();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert!(Audit::open(&Target::File(directory.path().to_owned()), 8, Counter::default()).is_err());
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let dropped = Counter::default();
    let full = Target::File("/dev/full".into());
    let (audit, writer) = Audit::open(&full, 8, dropped.clone()).unwrap();
    audit.record(
        UNIX_EPOCH,
        &line(&denied(Reason::Service(Fault::Overloaded), None), &Message::default()),
    );
    writer.finish();
    assert_eq!(dropped.get(), 1);
}
