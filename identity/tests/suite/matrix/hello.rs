//! Client hellos, byte by byte: what old, weak or foreign clients say first.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROTOCOL_VERSION: u8 = 70;
const HANDSHAKE_FAILURE: u8 = 40;
const NO_APPLICATION_PROTOCOL: u8 = 120;

const ECDHE_ECDSA_AES128_GCM: u16 = 0xc02b;
const ECDHE_ECDSA_AES128_CBC: u16 = 0xc009;
const ECDHE_ECDSA_AES128_CBC_SHA256: u16 = 0xc023;
const ECDHE_RSA_AES256_CBC: u16 = 0xc014;
const RSA_AES128_GCM: u16 = 0x009c;
const RSA_3DES: u16 = 0x000a;
const TLS13_AES128_GCM: u16 = 0x1301;
const TLS13_AES128_CCM: u16 = 0x1304;
const X25519: u16 = 29;
const P521: u16 = 25;

/// What a client offers.
#[derive(Clone, Copy)]
struct Hello {
    version: u16,
    /// By the extension `supported_versions`, with a key share.
    extended: Option<u16>,
    suite: u16,
    group: u16,
    protocol: &'static [u8],
}

const MODERN: Hello = Hello {
    version: 0x0303,
    extended: None,
    suite: ECDHE_ECDSA_AES128_GCM,
    group: X25519,
    protocol: b"h2",
};

/// Name, bytes, and the alert that must come back.
pub(crate) fn refused() -> Vec<(&'static str, Vec<u8>, u8)> {
    let hellos = [
        ("SSL 3.0", MODERN.version(0x0300), PROTOCOL_VERSION),
        ("TLS 1.0", MODERN.version(0x0301), PROTOCOL_VERSION),
        ("TLS 1.1", MODERN.version(0x0302), PROTOCOL_VERSION),
        (
            "TLS 1.0 with its own suites",
            MODERN.version(0x0301).suite(ECDHE_ECDSA_AES128_CBC),
            PROTOCOL_VERSION,
        ),
        ("TLS 1.1 by extension", MODERN.extended(0x0302), PROTOCOL_VERSION),
        ("a CBC suite", MODERN.suite(ECDHE_ECDSA_AES128_CBC), HANDSHAKE_FAILURE),
        (
            "a CBC-SHA256 suite",
            MODERN.suite(ECDHE_ECDSA_AES128_CBC_SHA256),
            HANDSHAKE_FAILURE,
        ),
        (
            "a CBC suite for RSA",
            MODERN.suite(ECDHE_RSA_AES256_CBC),
            HANDSHAKE_FAILURE,
        ),
        ("no forward secrecy", MODERN.suite(RSA_AES128_GCM), HANDSHAKE_FAILURE),
        ("3DES", MODERN.suite(RSA_3DES), HANDSHAKE_FAILURE),
        (
            "TLS 1.2 with a group that is not offered",
            MODERN.group(P521),
            HANDSHAKE_FAILURE,
        ),
        (
            "TLS 1.3 with CCM",
            MODERN.extended(0x0304).suite(TLS13_AES128_CCM),
            HANDSHAKE_FAILURE,
        ),
        (
            "TLS 1.3 with a group that is not offered",
            MODERN.extended(0x0304).suite(TLS13_AES128_GCM).group(P521),
            HANDSHAKE_FAILURE,
        ),
        (
            "a protocol that is not spoken",
            MODERN.protocol(b"spdy/3"),
            NO_APPLICATION_PROTOCOL,
        ),
    ];
    hellos
        .into_iter()
        .map(|(name, hello, alert)| (name, hello.record(), alert))
        .collect()
}

/// What all of them are made of, unspoilt: it gets a server hello.
pub(crate) fn spoken() -> Vec<u8> {
    MODERN.record()
}

/// Sends bytes and returns the content of the alert that comes back, if it is one.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), tcp.read_to_end(&mut answer))
        .await
        .expect("it hangs")
        .unwrap();
    (answer.len() == 7 && answer[0] == 0x15).then(|| answer[5..].to_vec())
}

impl Hello {
    fn version(self, version: u16) -> Self {
        Self { version, ..self }
    }

    fn extended(self, version: u16) -> Self {
        let extended = Some(version);
        Self { extended, ..self }
    }

    fn suite(self, suite: u16) -> Self {
        Self { suite, ..self }
    }

    fn group(self, group: u16) -> Self {
        Self { group, ..self }
    }

    fn protocol(self, protocol: &'static [u8]) -> Self {
        Self { protocol, ..self }
    }

    fn record(self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([0x5a; 32]);
        body.push(0);
        body.extend(list16(&[self.suite]));
        body.extend([1, 0]);
        body.extend(prefixed(&self.extensions()));
        let mut handshake = vec![1, 0];
        handshake.extend(prefixed(&body));
        let mut record = vec![0x16, 0x03, 0x01];
        record.extend(prefixed(&handshake));
        record
    }

    fn extensions(self) -> Vec<u8> {
        let ecdsa_sha256_and_friends = [0x0403, 0x0503, 0x0804, 0x0401];
        let mut all = extension(10, &list16(&[self.group]));
        all.extend(extension(13, &list16(&ecdsa_sha256_and_friends)));
        all.extend(extension(11, &[1, 0]));
        all.extend(extension(23, &[]));
        if let Some(version) = self.extended {
            let [high, low] = version.to_be_bytes();
            all.extend(extension(43, &[2, high, low]));
            all.extend(extension(51, &self.key_share()));
        }
        let mut name = vec![u8::try_from(self.protocol.len()).unwrap()];
        name.extend(self.protocol);
        all.extend(extension(16, &prefixed(&name)));
        all
    }

    fn key_share(self) -> Vec<u8> {
        let length = if self.group == X25519 { 32 } else { 133 };
        prefixed(&[self.group.to_be_bytes().to_vec(), prefixed(&vec![9; length])].concat())
    }
}

fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [number.to_be_bytes().to_vec(), prefixed(content)].concat()
}

fn list16(values: &[u16]) -> Vec<u8> {
    prefixed(&values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<_>>())
}

/// With its length in two bytes before it.
fn prefixed(content: &[u8]) -> Vec<u8> {
    [u16::try_from(content.len()).unwrap().to_be_bytes().as_slice(), content].concat()
}
