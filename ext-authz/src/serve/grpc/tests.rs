#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::convert::Infallible;

use super::*;

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

async fn read(pieces: &[&[u8]], max: usize) -> Result<Bytes, Fault> {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    message(http_body_util::StreamBody::new(futures::stream::iter(frames)), max).await
}

#[tokio::test]
async fn a_message_is_read_in_one_piece_or_in_many() {
    let whole = framed(b"hello");
    assert_eq!(read(&[&whole], 5).await.unwrap(), "hello");
    let pieces: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(read(&pieces, 5).await.unwrap(), "hello");
    assert_eq!(read(&[&framed(b"")], 5).await.unwrap(), "");
}

#[tokio::test]
async fn broken_framing_is_undecodable() {
    let long = [framed(b"hello"), vec![0]].concat();
    let short = framed(b"hello").split_last().unwrap().1.to_vec();
    let compressed = [&[1], framed(b"hello").get(1..).unwrap()].concat();
    let two = [framed(b"a"), framed(b"b")].concat();
    for bytes in [&b""[..], b"\0\0", &long, &short, &compressed, &two] {
        assert_eq!(read(&[bytes], 100).await, Err(Fault::MessageUndecodable), "{bytes:?}");
    }
}

#[tokio::test]
async fn an_oversized_message_is_told_so_and_never_gathered() {
    assert_eq!(read(&[&framed(&[0; 6])], 5).await, Err(Fault::MessageTooLarge));
    let piece = [0u8; 1024];
    assert_eq!(read(&[&piece[..]; 100], 5).await, Err(Fault::MessageTooLarge));
}

#[test]
fn patience_is_read_in_every_unit() {
    for (text, expected) in [
        ("1H", Some(Duration::from_secs(3600))),
        ("2M", Some(Duration::from_secs(120))),
        ("3S", Some(Duration::from_secs(3))),
        ("250m", Some(Duration::from_millis(250))),
        ("99999999u", Some(Duration::from_micros(99_999_999))),
        ("0n", Some(Duration::ZERO)),
        ("100000000u", None),
        ("m", None),
        ("", None),
        ("-1S", None),
        ("1.5S", None),
        ("1x", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_str(text).unwrap());
        assert_eq!(patience(&headers), expected, "{text}");
    }
    assert_eq!(patience(&HeaderMap::new()), None);
}
