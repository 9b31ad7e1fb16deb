//! Encryption as a service, in both modes.
use serde_json::{Value, json};

use super::routes::{DECRYPT, ENCRYPT};
use crate::base64;
use crate::compare::{Past, Step};

pub(crate) fn steps() -> Vec<Step> {
    [sealing(), opening_json(), opening_streams(), modes()].concat()
}

/// Sizes at the limit: 65,536 of plaintext are what SPIKE seals, 65,520 what anybody can open again.
fn sealing() -> Vec<Step> {
    let mut steps = Vec::new();
    for size in [0, 1, 2, 3, 1_000, 65_519, 65_520, 65_521, 65_536, 65_537, 100_000] {
        let text = vec![b'x'; size];
        let sealed = format!("encrypt.json-{size}");
        steps.push(Step::post(
            &sealed,
            ENCRYPT,
            json!({"plaintext": base64(&text)}).to_string(),
        ));
        let before = sealed.clone();
        steps.push(
            Step::post(format!("decrypt.json-{size}"), DECRYPT, "").with(move |past| past.bytes(&before).to_vec()),
        );
        let stream = format!("encrypt.stream-{size}");
        steps.push(Step::post(&stream, ENCRYPT, &text).octets());
        let before = stream.clone();
        steps.push(
            Step::post(format!("decrypt.stream-{size}"), DECRYPT, "")
                .octets()
                .with(move |past| past.bytes(&before).to_vec()),
        );
    }
    for (class, text) in [
        ("unpadded", r#""aGk""#),
        ("url-safe", r#""_-8=""#),
        ("standard", r#""/+8=""#),
        ("line-breaks", r#""aG\r\nk=""#),
        ("blank", r#""aG k=""#),
        ("trailing-bits", r#""aGl=""#),
        ("too-much-padding", r#""aGk==""#),
        ("array", "[104,105]"),
        ("empty-array", "[]"),
    ] {
        let sealed = format!("encrypt.base64-{class}");
        steps.push(Step::post(&sealed, ENCRYPT, format!(r#"{{"plaintext":{text}}}"#)));
        let opened = format!("decrypt.base64-{class}");
        steps.push(Step::post(opened, DECRYPT, "").with(move |past| past.bytes(&sealed).to_vec()));
    }
    steps
}

/// The sealed text of `encrypt.json-3` with one field changed.
fn changed(past: Past<'_>, change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut sealed = past.json("encrypt.json-3");
    change(&mut sealed);
    sealed.to_string().into_bytes()
}

fn opening_json() -> Vec<Step> {
    let change = |name: &str, field: &'static str, value: Value| {
        Step::post(format!("decrypt.{name}"), DECRYPT, "")
            .with(move |past| changed(past, |sealed| sealed[field] = value.clone()))
    };
    let mut steps = vec![
        change("unchanged", "algorithm", json!("anything")),
        change("version-0", "version", json!(0)),
        change("version-2", "version", json!(2)),
        change("version-256", "version", json!(256)),
        change("version-text", "version", json!("1")),
        change("nonce-11", "nonce", json!(base64(&[0; 11]))),
        change("nonce-13", "nonce", json!(base64(&[0; 13]))),
        change("nonce-none", "nonce", json!("")),
        change("nonce-wrong", "nonce", json!(base64(&[7; 12]))),
        change("nonce-array", "nonce", json!(vec![7; 12])),
        change("ciphertext-none", "ciphertext", json!("")),
        change("ciphertext-short", "ciphertext", json!(base64(&[0; 15]))),
        change("ciphertext-wrong", "ciphertext", json!(base64(&[0; 19]))),
        change("ciphertext-65536", "ciphertext", json!(base64(&[0; 65_536]))),
        change("ciphertext-65537", "ciphertext", json!(base64(&[0; 65_537]))),
    ];
    for who in ["web", "lite", "recover", "batch"] {
        let sealed = |past: Past<'_>| past.bytes("encrypt.json-3").to_vec();
        steps.push(
            Step::post(format!("decrypt.json.by-{who}"), DECRYPT, "")
                .with(sealed)
                .by(who),
        );
    }
    steps
}

fn opening_streams() -> Vec<Step> {
    let stream = |name: &str, body: &[u8]| Step::post(format!("decrypt.stream.{name}"), DECRYPT, body).octets();
    let mut steps = vec![
        stream("empty", b""),
        stream("version-only", b"\x01"),
        stream("version-0", b"\x00"),
        stream("version-2", b"\x02abcdefghijklmnopqrstuvwxyz0123456789"),
        stream("short-nonce", b"\x01abcdefghijk"),
        stream("nonce-only", b"\x01abcdefghijkl"),
        stream("short-tag", b"\x01abcdefghijkl0123456789abcde"),
        stream("wrong-tag", b"\x01abcdefghijkl0123456789abcdef0"),
        stream("too-large", &[&[1][..], &[0; 12 + 65_537]].concat()),
        stream("largest", &[&[1][..], &[0; 12 + 65_536]].concat()),
        stream("json", br#"{"version":1}"#),
    ];
    for who in ["web", "lite", "bootstrap"] {
        steps.push(
            Step::post(format!("encrypt.stream.by-{who}"), ENCRYPT, "hi")
                .octets()
                .by(who),
        );
        steps.push(
            Step::post(format!("decrypt.stream.by-{who}"), DECRYPT, "")
                .octets()
                .with(|past| past.bytes("encrypt.stream-3").to_vec())
                .by(who),
        );
        steps.push(stream(&format!("empty-by-{who}"), b"").by(who));
        steps.push(stream(&format!("version-2-by-{who}"), b"\x02").by(who));
    }
    steps.push(Step::post("encrypt.stream.h2", ENCRYPT, "hi").octets().h2());
    steps.push(Step::post("decrypt.stream.h2", DECRYPT, b"\x02").octets().h2());
    steps
}

/// What chooses the mode, and that each opens what the other sealed.
fn modes() -> Vec<Step> {
    let mut steps = Vec::new();
    for (class, media_type) in [
        ("upper-case", "Application/Octet-Stream"),
        ("parameter", "application/octet-stream; x=y"),
        ("blanks", "  application/octet-stream  "),
        ("list", "application/octet-stream, application/json"),
        ("other", "text/plain"),
    ] {
        let headers = [("content-type", media_type)];
        steps.push(Step::post(format!("mode.{class}"), ENCRYPT, "hi").headers(&headers));
    }
    steps.push(Step::post("mode.json-opens-stream", DECRYPT, "").with(|past| {
        let sealed = past.bytes("encrypt.stream-3");
        json!({"version": 1, "nonce": base64(&sealed[1..13]), "ciphertext": base64(&sealed[13..])})
            .to_string()
            .into_bytes()
    }));
    steps
}
