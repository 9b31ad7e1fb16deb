//! The chain: each line carries a hash over the hash before it and its own bytes.
//!
//! The hash is taken over the bytes as they stand in the file, up to `,"hash":"`, so nobody has to agree on a canonical
//! form of JSON. By hand: `printf '%s%s' "$PREVIOUS" "${LINE%,\"hash\":*}" | sha256sum`.
use std::fmt;
use std::str::FromStr;

use hkdf::hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The name of the key that lines are sealed with, among keys that could be derived from the same file.
const LABEL: &[u8] = b"spike audit chain v1";

const CHAIN: &[u8] = b",\"chain\":\"";
const SEQUENCE: &[u8] = b"\",\"seq\":";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

/// What a line's hash is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands for the line before the very first.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of these bytes alone.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn hex(self) -> [u8; 64] {
        let mut hex = [0; 64];
        write_hex(&mut hex, &self.0);
        hex
    }
}

/// Writes two lower-case digits for each byte.
pub(crate) fn write_hex(to: &mut [u8], bytes: &[u8]) {
    let (pairs, _) = to.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        unhex(text.as_bytes()).map(Self).ok_or(NotAHead)
    }
}

/// The name of the lines that one start of a program wrote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId([u8; 8]);

impl ChainId {
    /// A new one.
    pub(crate) fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a chain stands: its last line. Written `CHAIN:SEQUENCE:HASH`, which is an anchor when it is kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which start wrote it.
    pub chain: ChainId,
    /// Its number, from 1; it goes on over rotations and restarts.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Not `CHAIN:SEQUENCE:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form CHAIN:SEQUENCE:HASH, as the server's log says it")]
pub struct NotAHead;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.chain, self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let mut parts = text.split(':');
        let (chain, seq, hash) = (parts.next(), parts.next(), parts.next());
        let (Some(chain), Some(seq), Some(hash), None) = (chain, seq, hash, parts.next()) else {
            return Err(NotAHead);
        };
        Ok(Self {
            chain: unhex(chain.as_bytes()).map(ChainId).ok_or(NotAHead)?,
            seq: seq.parse().map_err(|_| NotAHead)?,
            hash: hash.parse()?,
        })
    }
}

/// How hashes are made.
#[derive(Clone)]
pub enum Seal {
    /// SHA-256: whoever can write to the log can compute it. It shows what was changed, not that nothing was.
    Plain,
    /// HMAC-SHA-256: whoever has no key cannot write a line that fits.
    Keyed(Box<Hmac<Sha256>>),
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Seal {
    /// With a key of its own, derived from what a key file holds.
    pub(crate) fn keyed(secret: &[u8; 32]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Hkdf::<Sha256>::new(None, secret).expand(LABEL, &mut *key).ok()?;
        let mac = Hmac::new_from_slice(&*key).ok()?;
        Some(Self::Keyed(Box::new(mac)))
    }

    /// The word in the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Plain => "sha256",
            Self::Keyed(_) => "hmac-sha256",
        }
    }

    /// The hash of a line's bytes up to `,"hash":"`, behind a line that had `previous`.
    pub(crate) fn hash(&self, previous: &Hash, line: &[u8]) -> Hash {
        match self {
            Self::Plain => {
                let mut digest = Sha256::new();
                digest.update(previous.hex());
                digest.update(line);
                Hash(digest.finalize().into())
            }
            Self::Keyed(mac) => {
                let mut mac = Hmac::clone(mac);
                mac.update(&previous.hex());
                mac.update(line);
                Hash(mac.finalize().into_bytes().into())
            }
        }
    }

    /// Finishes the line that begins at `start` of `out`: adds chain, number, hash, brace and line end. `previous` is
    /// the line before; gives the head that this line is.
    pub(crate) fn close(&self, out: &mut Vec<u8>, start: usize, (previous, chain): (&Hash, ChainId), seq: u64) -> Head {
        out.extend_from_slice(CHAIN);
        for byte in chain.0 {
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        out.extend_from_slice(SEQUENCE);
        crate::json::number(out, seq);
        let hash = self.hash(previous, out.get(start..).unwrap_or_default());
        out.extend_from_slice(HASH);
        out.extend_from_slice(&hash.hex());
        out.extend_from_slice(END);
        out.push(b'\n');
        Head { chain, seq, hash }
    }
}

/// A line as it was read: what it claims to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    /// Chain, number and hash at its end.
    pub(crate) head: Head,
    /// What the hash is over.
    pub(crate) body: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Reads the end of a line (without its line feed). `None`: it is no line of ours, or not whole.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
        let body = rest.strip_suffix(HASH)?;
        let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, number) = body.split_at_checked(body.len().checked_sub(digits)?)?;
        let rest = rest.strip_suffix(SEQUENCE)?;
        let (rest, chain) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
        if !rest.ends_with(CHAIN) || !rest.starts_with(b"{\"time\":\"") || number.starts_with(b"0") {
            return None;
        }
        let head = Head {
            chain: ChainId(unhex(chain)?),
            seq: std::str::from_utf8(number).ok()?.parse().ok()?,
            hash: Hash(unhex(hash)?),
        };
        Some(Self { head, body })
    }

    /// Whether it is whole, and the one behind `previous`.
    pub(crate) fn follows(&self, previous: &Hash, seal: &Seal) -> bool {
        seal.hash(previous, self.body) == self.head.hash
    }

    /// The word of its `event`, which stands behind the time.
    pub(crate) fn event(&self) -> &'a [u8] {
        let after_time = self.body.get(9..).and_then(|rest| {
            let end = rest.iter().position(|&byte| byte == b'"')?;
            rest.get(end..)
        });
        let word = after_time.and_then(|rest| rest.strip_prefix(b"\",\"event\":\""));
        word.and_then(|word| word.split(|&byte| byte == b'"').next())
            .unwrap_or_default()
    }

    /// The members of the object.
    pub(crate) fn members(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let whole = [self.body, b"}"].concat();
        match serde_json::from_slice(&whole).ok()? {
            serde_json::Value::Object(members) => Some(members),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_hash_is_what_sha256sum_says_about_the_bytes_in_the_file() {
        let mut out = b"{\"time\":\"t\",\"event\":\"x\"".to_vec();
        let head = Seal::Plain.close(&mut out, 0, (&Hash::NONE, ChainId([0xab; 8])), 7);
        let text = String::from_utf8(out).unwrap();
        let body = "{\"time\":\"t\",\"event\":\"x\",\"chain\":\"abababababababab\",\"seq\":7";
        // printf '%064d%s' 0 '{"time":…,"seq":7' | sha256sum
        assert_eq!(head.hash, Hash::of(format!("{}{body}", "0".repeat(64)).as_bytes()));
        assert_eq!(text, format!("{body},\"hash\":\"{}\"}}\n", head.hash));
        let sealed = Sealed::parse(text.trim_end().as_bytes()).unwrap();
        assert_eq!((sealed.head, sealed.body), (head, body.as_bytes()));
        assert!(sealed.follows(&Hash::NONE, &Seal::Plain));
        assert_eq!(sealed.event(), b"x");
        assert_eq!(head.to_string().parse(), Ok(head));
    }

    #[test]
    fn a_key_makes_other_hashes() {
        let [one, other] = [1, 2].map(|byte| Seal::keyed(&[byte; 32]).unwrap());
        let hash = |seal: &Seal| seal.hash(&Hash::NONE, b"{}");
        assert_ne!(hash(&one), hash(&other));
        assert_ne!(hash(&one), hash(&Seal::Plain));
        assert_eq!(
            hash(&one).to_string(),
            "25ea4b4860a7e5d2290ca8a46df54f039fee09d29837b569cc78dfc1758a3720",
            "HMAC-SHA-256 under HKDF(\"spike audit chain v1\")"
        );
    }

    #[test]
    fn what_is_not_an_anchor_is_refused() {
        let hash = "0".repeat(64);
        let right = format!("0123456789abcdef:7:{hash}");
        assert!(right.parse::<Head>().is_ok());
        for wrong in [
            String::new(),
            hash.clone(),
            format!("{right}:"),
            format!("123:7:{hash}"),
            format!("0123456789abcdef:x:{hash}"),
            format!("0123456789ABCDEF:7:{hash}"),
            right.trim_end_matches('0').to_owned(),
        ] {
            assert_eq!(wrong.parse::<Head>(), Err(NotAHead), "{wrong}");
        }
    }
}
