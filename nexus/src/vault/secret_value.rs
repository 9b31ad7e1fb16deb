//! The values of one secret version, wiped when dropped.
use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// What one version of a secret holds: text values by key name, in byte order of the names.
///
/// **Shape**: any number of keys (none is legal), values of any length. `Debug` shows how many and how long, never
/// what. Values are wiped from memory when this is dropped.
#[derive(Default, PartialEq, Eq)]
pub struct SecretValue(BTreeMap<String, Zeroizing<String>>);

/// A stored plaintext that is not an encoded [`SecretValue`]: a programming mistake or a newer format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored values do not parse")]
pub struct InvalidSecretValue;

impl SecretValue {
    /// The values by key name. The name of this function marks every place that sees them.
    pub fn expose_secret(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// **Shape**: `count u32be`, then per key `lp(name) lp(value)`, where `lp(x)` is `length u32be | x`.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let size = self
            .0
            .iter()
            .fold(4, |sum, (key, value)| sum + 8 + key.len() + value.len());
        // Reserved in one go: a growing buffer would leave unwiped copies behind.
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        out.extend_from_slice(&length(self.0.len()));
        for (key, value) in &self.0 {
            out.extend_from_slice(&length(key.len()));
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(&length(value.len()));
            out.extend_from_slice(value.as_bytes());
        }
        out
    }

    /// The reverse of [`SecretValue::encode`].
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, InvalidSecretValue> {
        let mut values = BTreeMap::new();
        for _ in 0..take_length(&mut bytes)? {
            let key = take_text(&mut bytes)?.to_owned();
            let value = Zeroizing::new(take_text(&mut bytes)?.to_owned());
            values.insert(key, value);
        }
        if bytes.is_empty() {
            Ok(Self(values))
        } else {
            Err(InvalidSecretValue)
        }
    }
}

impl FromIterator<(String, String)> for SecretValue {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(values: I) -> Self {
        Self(
            values
                .into_iter()
                .map(|(key, value)| (key, Zeroizing::new(value)))
                .collect(),
        )
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.0.values().map(|value| value.len());
        write!(
            f,
            "SecretValue({} keys, {} bytes)",
            self.0.len(),
            lengths.sum::<usize>()
        )
    }
}

/// A length as it is stored. A text of 4 GiB cannot arrive here: redb refuses values over 3 GiB and HTTP long before.
fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_be_bytes()
}

fn take_length(bytes: &mut &[u8]) -> Result<usize, InvalidSecretValue> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(InvalidSecretValue)?;
    *bytes = rest;
    usize::try_from(u32::from_be_bytes(*length)).map_err(|_| InvalidSecretValue)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, InvalidSecretValue> {
    let length = take_length(bytes)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(InvalidSecretValue)?;
    *bytes = rest;
    std::str::from_utf8(text).map_err(|_| InvalidSecretValue)
}
