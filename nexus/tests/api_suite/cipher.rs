//! Encryption as a service: both modes, every limit, and who may.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Answer, Row, World};

const ENCRYPT: &str = "/v1/cipher/encrypt";
const DECRYPT: &str = "/v1/cipher/decrypt";
const BAD: &str = r#"{"version":0,"nonce":null,"ciphertext":null,"err":"api_bad_request"}"#;
const DENIED: &str = r#"{"version":0,"nonce":null,"ciphertext":null,"err":"access_unauthorized"}"#;
const NOT_OPENED: &str = r#"{"plaintext":null,"err":"api_bad_request"}"#;
const NOT_ALLOWED: &str = r#"{"plaintext":null,"err":"access_unauthorized"}"#;

async fn stream(world: &World, who: &str, target: &str, (media, body): (&str, &[u8])) -> Answer {
    let mut connection = world.connect(who).await;
    let headers = format!("Content-Type: {media}\r\nConnection: close\r\n");
    connection
        .write(&format!("POST {target} HTTP/1.1"), &headers, body)
        .await;
    connection.answer().await.unwrap()
}

async fn octets(world: &World, who: &str, target: &str, body: &[u8]) -> Answer {
    stream(world, who, target, ("application/octet-stream", body)).await
}

fn assert_octets(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    for name in ["cache-control", "pragma", "expires"] {
        assert_eq!(answer.header(name), None);
    }
}

fn assert_text(answer: &Answer, line: &str) {
    assert_eq!((answer.status, answer.text()), (400, format!("{line}\n")));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), None);
}

fn plaintext(bytes: &[u8]) -> String {
    format!(r#"{{"plaintext":"{}"}}"#, STANDARD.encode(bytes))
}

fn sealed(bytes: &[u8]) -> String {
    let (nonce, text) = bytes[1..].split_at(12);
    let (nonce, text) = (STANDARD.encode(nonce), STANDARD.encode(text));
    format!(r#"{{"version":{},"nonce":"{nonce}","ciphertext":"{text}"}}"#, bytes[0])
}

#[tokio::test]
async fn what_one_mode_seals_the_other_opens() {
    let world = World::new();
    let largest = vec![0xff; 65_520];
    for text in [&b""[..], b"hi", &largest] {
        let streamed = octets(&world, "pilot", ENCRYPT, text).await;
        assert_octets(&streamed);
        assert_eq!((streamed.body[0], streamed.body.len()), (1, 1 + 12 + text.len() + 16));
        let opened = world.post("pilot", DECRYPT, &sealed(&streamed.body)).await;
        let whole = if text.is_empty() {
            r#"{"plaintext":null}"#.to_owned()
        } else {
            plaintext(text)
        };
        assert_eq!((opened.status, opened.text()), (200, whole));
        opened.assert_usual_headers();

        let answer = world.post("pilot", ENCRYPT, &plaintext(text)).await;
        assert_eq!(answer.status, 200);
        answer.assert_usual_headers();
        let json = answer.json();
        let field = |name: &str| STANDARD.decode(json[name].as_str().unwrap()).unwrap();
        assert_eq!(json["version"], 1);
        let bytes = [vec![1], field("nonce"), field("ciphertext")].concat();
        let opened = octets(&world, "pilot", DECRYPT, &bytes).await;
        assert_octets(&opened);
        assert_eq!(opened.body, text);
        assert_ne!(bytes, streamed.body, "each has its own nonce");
    }
}

#[tokio::test]
async fn only_the_exact_media_type_selects_stream_mode() {
    let world = World::new();
    for (media, status) in [
        ("application/octet-stream", 200),
        ("  application/octet-stream ", 200),
        ("Application/octet-stream", 400),
        ("application/octet-stream; charset=utf-8", 400),
        ("application/json", 400),
        ("text/plain\r\nContent-Type: application/octet-stream", 400),
        ("application/octet-stream\r\nContent-Type: text/plain", 200),
    ] {
        let answer = stream(&world, "pilot", ENCRYPT, (media, b"not json")).await;
        assert_eq!(answer.status, status, "{media}");
    }
}

#[tokio::test]
async fn json_mode_refuses_what_spike_refuses() {
    let world = World::new();
    let large = |bytes: usize| plaintext(&vec![7; bytes]);
    let (fits, too_large, spike_would) = (large(65_520), large(65_521), large(65_536));
    assert_eq!(world.post("pilot", ENCRYPT, &fits).await.status, 200);
    let sealed = world
        .post("pilot", ENCRYPT, r#"{"plaintext":[104,105],"algorithm":"x"}"#)
        .await;
    let good = sealed.text();
    let other_tag = good.replace(r#""ciphertext":""#, r#""ciphertext":"AAAA"#);
    let (version_0, version_2) = (
        good.replace(r#""version":1"#, r#""version":0"#),
        good.replace(r#""version":1"#, r#""version":2"#),
    );
    let huge = format!(
        r#"{{"version":1,"nonce":"AAAAAAAAAAAAAAAA","ciphertext":"{}"}}"#,
        STANDARD.encode(vec![0; 65_537])
    );
    let tried = world
        .check(&[
            Row("pilot", ENCRYPT, &too_large, 400, BAD),
            Row("pilot", ENCRYPT, &spike_would, 400, BAD),
            Row("pilot", ENCRYPT, "", 400, BAD),
            Row("pilot", ENCRYPT, "[]", 400, BAD),
            Row("pilot", ENCRYPT, r#"{"plaintext":"aGk"}"#, 400, BAD),
            Row("pilot", ENCRYPT, r#"{"plaintext":1}"#, 400, BAD),
            Row("pilot", DECRYPT, &good, 200, r#"{"plaintext":"aGk="}"#),
            Row("pilot", DECRYPT, &other_tag, 400, NOT_OPENED),
            Row("pilot", DECRYPT, &version_0, 400, NOT_OPENED),
            Row("pilot", DECRYPT, &version_2, 400, NOT_OPENED),
            Row("pilot", DECRYPT, &huge, 400, NOT_OPENED),
            Row("pilot", DECRYPT, "{}", 400, NOT_OPENED),
            Row("pilot", DECRYPT, r#"{"version":256}"#, 400, NOT_OPENED),
            Row(
                "pilot",
                DECRYPT,
                r#"{"version":1,"nonce":"AAAA","ciphertext":""}"#,
                400,
                NOT_OPENED,
            ),
            Row(
                "pilot",
                DECRYPT,
                r#"{"version":1,"nonce":"AAAAAAAAAAAAAAAA","ciphertext":null}"#,
                400,
                NOT_OPENED,
            ),
            Row(
                "pilot",
                "/v1/cipher/encrypt?action=get",
                "{}",
                400,
                r#"{"err":"api_bad_request"}"#,
            ),
        ])
        .await;
    assert_eq!(tried, 16);
    for empty in ["null", "{}", r#"{"plaintext":null}"#] {
        assert_eq!(world.post("pilot", ENCRYPT, empty).await.status, 200, "{empty}");
    }
}

#[tokio::test]
async fn stream_mode_answers_some_faults_in_plain_text() {
    let world = World::new();
    let good = octets(&world, "pilot", ENCRYPT, b"hi").await.body;
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut tried = 0;
    for (body, line) in [
        (&b""[..], "crypto_failed_to_read_version"),
        (&[0], "crypto_unsupported_version"),
        (&[2; 40], "crypto_unsupported_version"),
        (&[1], "crypto_failed_to_read_nonce"),
        (&[1; 12], "crypto_failed_to_read_nonce"),
        (&good[..13], "decryption failed"),
        (&good[..28], "decryption failed"),
        (&forged, "decryption failed"),
    ] {
        assert_text(&octets(&world, "pilot", DECRYPT, body).await, line);
        tried += 1;
    }
    assert_eq!(tried, 8);
    for (target, size, status, body) in [
        (DECRYPT, 13 + 65_537, 400, NOT_OPENED),
        (ENCRYPT, 65_521, 400, BAD),
        (ENCRYPT, 2 << 20, 400, BAD),
        (DECRYPT, 2 << 20, 400, NOT_OPENED),
    ] {
        let answer = octets(&world, "pilot", target, &vec![1; size]).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{target} {size}"
        );
        answer.assert_usual_headers();
    }
}

#[tokio::test]
async fn superuser_lite_workloads_and_those_with_a_policy_may_use_it() {
    let world = World::new();
    world
        .grant("cipher", "/app", "^spike/system/cipher/exec$", "execute")
        .await;
    world
        .grant("reads", "/reader", "^spike/system/cipher/exec$", "read,write,list")
        .await;
    for (who, may) in [
        ("pilot", true),
        ("ada", true),
        ("lite", true),
        ("/app", true),
        ("/reader", false),
        ("/nobody", false),
        ("recover", false),
        ("keeper", false),
        ("nexus", false),
    ] {
        let status = if may { 200 } else { 401 };
        for answer in [
            world.post(who, ENCRYPT, "{}").await,
            octets(&world, who, ENCRYPT, b"x").await,
        ] {
            assert_eq!(answer.status, status, "{who}");
            assert!(may || answer.text() == DENIED);
        }
        // Decrypt asks who before it looks what: a stranger learns nothing about his own message.
        for answer in [
            world.post(who, DECRYPT, "no json").await,
            octets(&world, who, DECRYPT, b"").await,
        ] {
            assert_eq!(answer.status, if may { 400 } else { 401 }, "{who}");
            assert!(may || answer.text() == NOT_ALLOWED);
        }
    }
    assert_eq!(world.post("/nobody", ENCRYPT, "no json").await.status, 400);
}
