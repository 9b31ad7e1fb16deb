//! What is compared of an answer, and what is set aside because it must differ from one server to the next:
//!
//! | part | compared as |
//! |---|---|
//! | headers `date`, `content-length`, `transfer-encoding` | not at all: the body itself is compared |
//! | header `x-spike-request-id` | its presence |
//! | JSON texts under `createdTime`, `updatedTime`, `deletedTime`, `createdAt`, `updatedAt` | `<time>`, unless it is the zero time |
//! | `id` of a policy | apart from the body, as `ids`: `<uuid>` or empty |
//! | `detail` of a refusal | apart from the body |
//! | `versions` of metadata | apart from the body |
//! | JSON texts under `nonce` and `ciphertext` | their length in bytes |
//! | a sealed stream | version byte and length |
//! | order of the policies of a list | by name: SPIKE's order is that of a Go map |
use spike_integration::Answer;

const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The compared parts of an answer, each with its name.
pub(crate) fn aspects(answer: &Answer) -> Vec<(String, String)> {
    let mut aspects = vec![("status".to_owned(), answer.status.to_string())];
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length" | "transfer-encoding"))
        .map(|(name, value)| {
            let value = if name == "x-spike-request-id" { "<id>" } else { value };
            (format!("header {name}"), value.to_owned())
        })
        .collect();
    headers.sort();
    aspects.extend(headers);
    aspects.extend(parts(body(answer)));
    aspects
}

/// A body, and what is compared apart from it so that a difference there does not hide another one.
pub(crate) fn parts(mut body: String) -> Vec<(String, String)> {
    const UUID: &str = r#""id":"<uuid>""#;
    const EMPTY: &str = r#""id":"""#;
    let mut parts = Vec::new();
    if body.contains(UUID) {
        body = body.replace(UUID, EMPTY);
        parts.push(("ids".to_owned(), "<uuid>".to_owned()));
    } else if body.contains(EMPTY) {
        parts.push(("ids".to_owned(), String::new()));
    }
    if let Some((rest, detail)) = body.split_once(r#","detail":"#) {
        let detail = detail.trim_end_matches('}').to_owned();
        body = format!("{rest}}}");
        parts.push(("detail".to_owned(), detail));
    }
    if let Some((versions, rest)) = body
        .strip_prefix(r#"{"versions":"#)
        .and_then(|rest| rest.split_once(r#","metadata":"#))
    {
        parts.push(("versions".to_owned(), versions.to_owned()));
        body = format!(r#"{{"metadata":{rest}"#);
    }
    parts.push(("body".to_owned(), body));
    parts
}

fn body(answer: &Answer) -> String {
    if answer.header("content-type") == Some("application/octet-stream") {
        return match answer.body.as_slice() {
            [1, rest @ ..] if rest.len() >= 28 => format!("<1, {} bytes>", rest.len()),
            other => other.escape_ascii().to_string(),
        };
    }
    json(&answer.text())
}

/// A JSON text (or any text), with what must differ replaced; every other byte stays.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut key = "";
    while let Some((before, literal, after)) = next_literal(rest) {
        out.push_str(before);
        let is_value = before.trim_end().ends_with(':');
        if let Some(known) = replaced(if is_value { key } else { "" }, literal) {
            out.push_str(&known);
        } else {
            out.push('"');
            out.push_str(literal);
            out.push('"');
        }
        key = literal;
        rest = after;
    }
    out.push_str(rest);
    in_order(out)
}

/// Splits at the next string literal: what is before it, its inside, what is after it.
fn next_literal(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('"')?;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return Some((before, &rest[..at], &rest[at + 1..])),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

fn replaced(key: &str, value: &str) -> Option<String> {
    match key {
        "createdTime" | "updatedTime" | "deletedTime" | "createdAt" | "updatedAt" => {
            let is_time = value != ZERO_TIME && value.starts_with("20") && value.contains('T');
            is_time.then(|| "\"<time>\"".to_owned())
        }
        "id" => is_uuid(value).then(|| "\"<uuid>\"".to_owned()),
        "nonce" | "ciphertext" => {
            let padding = value.bytes().rev().take_while(|byte| *byte == b'=').count();
            Some(format!("\"<{} bytes>\"", (value.len() / 4 * 3).saturating_sub(padding)))
        }
        _ => None,
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The policies of a list by name.
fn in_order(text: String) -> String {
    const OPEN: &str = r#"{"policies":[{"#;
    let Some((inside, end)) = text.strip_prefix(OPEN).and_then(|rest| rest.rsplit_once("}]")) else {
        return text;
    };
    let mut policies: Vec<&str> = inside.split("},{").collect();
    policies.sort_by_key(|policy| policy.split_once("\"name\"").map(|(_, name)| name.to_owned()));
    format!("{OPEN}{}}}]{end}", policies.join("},{"))
}
