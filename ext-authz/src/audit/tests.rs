#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use std::time::{Duration, UNIX_EPOCH};

use spike_audit::{EventId, Journal, Memory, Program, Settings, Target};
use spike_policy::{Access, DenyReason, Generation, Permission};

use super::*;
use crate::decision::{Decision, Outcome, Refused};
use crate::decode::Message;
use crate::reason::{Fault, Reason};

fn denied(reason: Reason, access: Option<Access>) -> Decision {
    let outcome = Outcome::Denied(Refused { reason, access });
    Decision {
        id: EventId::from([0xab; 16]),
        outcome,
        generation: Some(Generation(7)),
    }
}

fn line<'a>(decision: &'a Decision, message: &'a Message<'a>) -> Record<'a> {
    Record {
        decision,
        message,
        listener: "uds",
        caller: None,
        took: Duration::from_micros(12),
    }
}

/// The lines as they are written, without what seals them.
fn written(records: &[Record<'_>]) -> String {
    let memory = Memory::default();
    let program = Program {
        name: "test",
        version: "0",
    };
    let (journal, writer) = Journal::open(
        &Settings::to(Target::Memory(memory.clone())),
        program,
        spike_runtime::SystemClock::shared(),
        &spike_runtime::metrics::Registry::new("test", "0"),
    )
    .unwrap();
    for record in records {
        let at = UNIX_EPOCH + Duration::from_millis(1_763_800_000_250);
        journal.record(at, record.line()).unwrap();
    }
    writer.unwrap().finish();
    let text = memory.text();
    let checks = text.lines().filter(|line| line.contains("\"event\":\"check\""));
    checks
        .flat_map(|line| [line.split(",\"chain\":").next().unwrap(), "}\n"])
        .collect()
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
