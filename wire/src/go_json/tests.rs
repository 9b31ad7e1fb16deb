#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use super::*;
use crate::cipher::{DecryptRequest, EncryptRequest};
use crate::feed::WatchRequest;
use crate::operator::{RecoverRequest, RestoreRequest};
use crate::policies::{ApplyRequest, LookupRequest};
use crate::secrets::{DeleteRequest, GetRequest, ListRequest, PutRequest, Values};

/// What a body gives, as the JSON of the request it was read into; `None` when it is refused.
fn read<T: FromGo + Default + serde::Serialize>(body: impl AsRef<[u8]>) -> Option<String> {
    let request: T = decode(body.as_ref()).ok()?;
    Some(String::from_utf8(encode(&request).unwrap().to_vec()).unwrap())
}

fn check<T: FromGo + Default + serde::Serialize>(rows: &[(&str, Option<&str>)]) -> usize {
    for (body, expected) in rows {
        assert_eq!(read::<T>(body).as_deref(), *expected, "body: {body}");
    }
    rows.len()
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[test]
fn bodies_are_read_as_go_reads_them() {
    let mut rows = check::<GetRequest>(&[
        // The plain form, names in any case, unknown fields, the last of repeated fields.
        (r#"{"path":"a","version":3}"#, Some(r#"{"path":"a","version":3}"#)),
        (r#"{"PATH":"a","Version":3}"#, Some(r#"{"path":"a","version":3}"#)),
        (r#"{"path":"a","ver\u017fion":3}"#, Some(r#"{"path":"a","version":3}"#)),
        (
            r#"{"path":"a","paths":"b","x":{"path":"c"}}"#,
            Some(r#"{"path":"a","version":0}"#),
        ),
        (r#"{"path":"a","path":"b"}"#, Some(r#"{"path":"b","version":0}"#)),
        (r#"{"path":"a","Path":"b"}"#, Some(r#"{"path":"b","version":0}"#)),
        (r#"{"path":"a","path":null}"#, Some(r#"{"path":"a","version":0}"#)),
        (r#"{"path":null,"version":null}"#, Some(r#"{"path":"","version":0}"#)),
        ("null", Some(r#"{"path":"","version":0}"#)),
        (" \t\r\n{} \n", Some(r#"{"path":"","version":0}"#)),
        // Not an object, or not JSON.
        ("", None),
        ("   ", None),
        ("[]", None),
        ("\"x\"", None),
        ("7", None),
        ("true", None),
        ("{", None),
        ("{}}", None),
        ("{} {}", None),
        ("{}x", None),
        ("\u{feff}{}", None),
        ("{/*c*/}", None),
        ("{\"path\":\"a\",}", None),
        ("{'path':'a'}", None),
        ("{path:\"a\"}", None),
        ("{\"path\" \"a\"}", None),
        ("{\"path\":\"a\" \"version\":1}", None),
        ("{\"path\":nul}", None),
        ("{\"path\":NULL}", None),
        ("{\"path\":\"a\nb\"}", None),
        ("{\"path\":\"a\\x62\"}", None),
        ("{\"path\":\"a\\u12\"}", None),
        ("{\"path\":\"a", None),
        ("{\"unknown\":[1,2,}", None),
        ("{\"unknown\":[1 2]}", None),
        ("{\"unknown\":01}", None),
        ("{\"unknown\":1.}", None),
        ("{\"unknown\":.5}", None),
        ("{\"unknown\":+1}", None),
        ("{\"unknown\":1e}", None),
        ("{\"unknown\":-}", None),
        ("{\"unknown\":NaN}", None),
        ("{\"unknown\":{1:2}}", None),
        ("{\"unknown\":{\"a\":}}", None),
        (
            r#"{"unknown":[[],{},[{"a":[1.5e+3,-0,true,false,null,"\"]"]}]]}"#,
            Some(r#"{"path":"","version":0}"#),
        ),
        // Wrong types.
        (r#"{"path":1}"#, None),
        (r#"{"path":["a"]}"#, None),
        (r#"{"path":{"a":1}}"#, None),
        (r#"{"path":true}"#, None),
        (r#"{"version":"1"}"#, None),
        (r#"{"version":[1]}"#, None),
        (r#"{"version":true}"#, None),
        // Integers.
        (r#"{"version":-0}"#, Some(r#"{"path":"","version":0}"#)),
        (r#"{"version":-5}"#, Some(r#"{"path":"","version":-5}"#)),
        (
            r#"{"version":9223372036854775807}"#,
            Some(r#"{"path":"","version":9223372036854775807}"#),
        ),
        (r#"{"version":9223372036854775808}"#, None),
        (r#"{"version":1.0}"#, None),
        (r#"{"version":1e0}"#, None),
        (r#"{"version":01}"#, None),
        // Text.
        (
            r#"{"path":"\u0041\/\\\"\b\f\n\r\t"}"#,
            Some(r#"{"path":"A/\\\"\b\f\n\r\t","version":0}"#),
        ),
        (
            r#"{"path":"\ud83d\ude00"}"#,
            Some("{\"path\":\"\u{1f600}\",\"version\":0}"),
        ),
        (r#"{"path":"\ud83dx"}"#, Some("{\"path\":\"\u{fffd}x\",\"version\":0}")),
        (
            r#"{"path":"\ude00\ud83d"}"#,
            Some("{\"path\":\"\u{fffd}\u{fffd}\",\"version\":0}"),
        ),
        (
            r#"{"path":"\ud83d\u0041"}"#,
            Some("{\"path\":\"\u{fffd}A\",\"version\":0}"),
        ),
        (
            r#"{"path":"<&>"}"#,
            Some(r#"{"path":"\u003c\u0026\u003e","version":0}"#),
        ),
        (
            "{\"path\":\"\u{2028}\u{2029}\"}",
            Some(r#"{"path":"\u2028\u2029","version":0}"#),
        ),
        ("{\"path\":\"\u{7f}\"}", Some("{\"path\":\"\u{7f}\",\"version\":0}")),
    ]);
    rows += check::<DeleteRequest>(&[
        (
            r#"{"path":"a","versions":[1,2,0]}"#,
            Some(r#"{"path":"a","versions":[1,2,0]}"#),
        ),
        (r#"{"versions":[null,3]}"#, Some(r#"{"path":"","versions":[0,3]}"#)),
        (r#"{"versions":null}"#, Some(r#"{"path":"","versions":[]}"#)),
        (r#"{"versions":[]}"#, Some(r#"{"path":"","versions":[]}"#)),
        (
            r#"{"versions":[1,2],"versions":[9]}"#,
            Some(r#"{"path":"","versions":[9]}"#),
        ),
        (
            r#"{"versions":[1,2],"versions":[null]}"#,
            Some(r#"{"path":"","versions":[1]}"#),
        ),
        (
            r#"{"versions":[1],"versions":null}"#,
            Some(r#"{"path":"","versions":[]}"#),
        ),
        (r#"{"versions":[1.0]}"#, None),
        (r#"{"versions":["1"]}"#, None),
        (r#"{"versions":1}"#, None),
        (r#"{"versions":[1,]}"#, None),
    ]);
    rows += check::<LookupRequest>(&[
        (r#"{"id":"a"}"#, Some(r#"{"id":"a"}"#)),
        (r#"{"Id":"a","NAME":"b"}"#, Some(r#"{"id":"a","name":"b"}"#)),
    ]);
    rows += check::<ListRequest>(&[("{}", Some("{}")), ("null", Some("{}")), ("[]", None), ("", None)]);
    rows += check::<RecoverRequest>(&[("null", Some("{}")), (r#"{"a":1}"#, Some("{}"))]);
    rows += check::<WatchRequest>(&[
        (r#"{"generation":7}"#, Some(r#"{"generation":7}"#)),
        (r#"{"generation":null}"#, Some("{}")),
        (r#"{"generation":-1}"#, None),
    ]);
    rows += check::<ApplyRequest>(&[
        (r#"{"policies":null}"#, Some(r#"{"policies":[]}"#)),
        (
            r#"{"policies":[{"name":"a","permissions":["read",null]},null]}"#,
            Some(
                r#"{"policies":[{"name":"a","spiffeidPattern":"","pathPattern":"","permissions":["read",""]},{"name":"","spiffeidPattern":"","pathPattern":"","permissions":[]}]}"#,
            ),
        ),
        (r#"{"policies":{}}"#, None),
    ]);
    assert!(rows >= 90, "the table has only {rows} rows");
}

#[test]
fn secret_values_are_read_as_a_go_map() {
    let rows = check::<PutRequest>(&[
        (
            r#"{"path":"a","values":{"b":"2","a":"1"}}"#,
            Some(r#"{"path":"a","values":{"a":"1","b":"2"}}"#),
        ),
        (
            r#"{"values":{"a":"1","a":"2"}}"#,
            Some(r#"{"path":"","values":{"a":"2"}}"#),
        ),
        (
            r#"{"values":{"a":"1"},"valueſ":{"b":"2"}}"#,
            Some(r#"{"path":"","values":{"a":"1","b":"2"}}"#),
        ),
        (
            r#"{"values":{"a":"1"},"values":{"a":null}}"#,
            Some(r#"{"path":"","values":{"a":""}}"#),
        ),
        (
            r#"{"values":{"a":"1"},"values":null}"#,
            Some(r#"{"path":"","values":{}}"#),
        ),
        (r#"{"values":{"a":null}}"#, Some(r#"{"path":"","values":{"a":""}}"#)),
        (
            r#"{"values":{"A":"1","a":"2"}}"#,
            Some(r#"{"path":"","values":{"A":"1","a":"2"}}"#),
        ),
        (r#"{"values":null}"#, Some(r#"{"path":"","values":{}}"#)),
        (r#"{"values":{}}"#, Some(r#"{"path":"","values":{}}"#)),
        (r#"{"values":{"a":1}}"#, None),
        (r#"{"values":{"a":true}}"#, None),
        (r#"{"values":{"a":{}}}"#, None),
        (r#"{"values":["a"]}"#, None),
        (r#"{"values":"a"}"#, None),
        (
            r#"{"values":{"a":"<"}}"#,
            Some(r#"{"path":"","values":{"a":"\u003c"}}"#),
        ),
    ]);
    assert_eq!(rows, 15);
}

#[test]
fn bytes_are_base64_or_numbers() {
    let rows = check::<EncryptRequest>(&[
        (r#"{"plaintext":"aGk="}"#, Some(r#"{"plaintext":"aGk="}"#)),
        (r#"{"plaintext":"aG\nk\r\n="}"#, Some(r#"{"plaintext":"aGk="}"#)),
        (r#"{"plaintext":"aGl="}"#, Some(r#"{"plaintext":"aGk="}"#)),
        (r#"{"plaintext":[104,105]}"#, Some(r#"{"plaintext":"aGk="}"#)),
        (r#"{"plaintext":null}"#, Some(r#"{"plaintext":""}"#)),
        (r#"{"plaintext":""}"#, Some(r#"{"plaintext":""}"#)),
        ("{}", Some(r#"{"plaintext":""}"#)),
        (r#"{"plaintext":"aGk"}"#, None),
        (r#"{"plaintext":"-_8="}"#, None),
        (r#"{"plaintext":"a Gk="}"#, None),
        (r#"{"plaintext":[256]}"#, None),
        (r#"{"plaintext":[-1]}"#, None),
        (r#"{"plaintext":[1.5]}"#, None),
        (r#"{"plaintext":1}"#, None),
        (
            r#"{"plaintext":"aGk=","algorithm":"x"}"#,
            Some(r#"{"plaintext":"aGk=","algorithm":"x"}"#),
        ),
    ]);
    assert_eq!(rows, 15);
    assert!(read::<DecryptRequest>(r#"{"version":256}"#).is_none());
}

#[test]
fn shards_are_32_numbers_filled_or_cut() {
    let shard = |body: &str| decode::<RestoreRequest>(body.as_bytes()).map(|r| r.shard.map(|s| *s.as_bytes()));
    let mut expected = [0; 32];
    expected[0] = 1;
    assert_eq!(shard(r#"{"id":1,"shard":[1]}"#), Ok(Some(expected)));
    let long = format!(r#"{{"shard":[{}999,"x"]}}"#, "7,".repeat(32));
    assert_eq!(shard(&long), Ok(Some([7; 32])));
    assert_eq!(shard(r#"{"shard":null}"#), Ok(None));
    for wrong in ["[256]", "[-1]", "[1.5]", "\"AQ==\"", "{}", "1"] {
        assert!(shard(&format!(r#"{{"shard":{wrong}}}"#)).is_err(), "{wrong}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_become_one_replacement_each_and_only_in_strings() {
    let body = b"{\"path\":\"a\xe2\x82b\xff\"}";
    assert_eq!(decode::<GetRequest>(body).unwrap().path, "a\u{fffd}\u{fffd}b\u{fffd}");
    assert!(decode::<GetRequest>(b"{\xff\"path\":\"a\"}").is_err());
}

#[test]
fn nesting_is_limited_as_in_go_and_never_exhausts_the_stack() {
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(decode::<GetRequest>(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert_eq!(
        decode::<GetRequest>(nested(MAX_DEPTH).as_bytes()).unwrap_err(),
        InvalidJson::Depth
    );
    let hostile = "[".repeat(1_000_000);
    assert_eq!(
        decode::<GetRequest>(hostile.as_bytes()).unwrap_err(),
        InvalidJson::Depth
    );
}

#[test]
fn no_prefix_and_no_single_byte_change_of_a_body_panics() {
    let body = br#"{"path":"a\u00e9\ud83d\ude00","versions":[1,-2,null],"x":{"y":[true,1.5e-3]}}"#;
    let mut tried = 0;
    for end in 0..body.len() {
        assert!(decode::<DeleteRequest>(&body[..end]).is_err(), "prefix of {end} bytes");
        for byte in 0..=255 {
            let mut changed = body.to_vec();
            changed[end] = byte;
            let ours = decode::<DeleteRequest>(&changed).is_ok();
            // serde_json refuses some texts that Go mends; it never accepts what is no JSON.
            let theirs = serde_json::from_slice::<serde_json::Value>(&changed).is_ok();
            let of_wrong_type = matches!(decode::<DeleteRequest>(&changed), Err(InvalidJson::Type(_)));
            let shown = String::from_utf8_lossy(&changed);
            assert!(!theirs || ours || of_wrong_type, "refused as no JSON: {shown:?}");
            let mended = std::str::from_utf8(&changed).is_err() || changed.windows(2).any(|w| w == b"\\u");
            assert!(!ours || theirs || mended, "accepted: {shown:?}");
            tried += 1;
        }
    }
    assert!(tried > 10_000);
}

#[test]
fn secrets_do_not_show_in_debug() {
    let mut values = Values::new();
    values.insert("k".to_owned(), crate::SecretText::new("hunter2".to_owned()));
    let request = PutRequest {
        path: "a".to_owned(),
        values,
    };
    assert!(!format!("{request:?}").contains("hunter2"));
}
