//! How each kind of field takes a JSON value, on top of the value it already has (as Go decodes in place).
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Cursor, InvalidJson};
use crate::SecretText;

/// A value that can be read the way Go reads it.
pub trait FromGo {
    /// Reads the next value into `self`. `null` leaves texts and numbers as they are, and empties lists and maps.
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson>;
}

impl FromGo for String {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if !json.null()? {
            *self = std::mem::take(&mut *json.string()?);
        }
        Ok(())
    }
}

impl FromGo for SecretText {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if !json.null()? {
            *self = Self::from(json.string()?);
        }
        Ok(())
    }
}

impl FromGo for i64 {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if !json.null()? {
            *self = json.integer()?;
        }
        Ok(())
    }
}

impl FromGo for u8 {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        let mut wide = i64::from(*self);
        wide.read(json)?;
        *self = Self::try_from(wide).map_err(|_| InvalidJson::Type(0))?;
        Ok(())
    }
}

impl FromGo for Option<u64> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            *self = None;
            return Ok(());
        }
        *self = Some(u64::try_from(json.integer()?).map_err(|_| InvalidJson::Type(0))?);
        Ok(())
    }
}

impl<T: FromGo + Default> FromGo for Vec<T> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            self.clear();
            return Ok(());
        }
        let count = json.items(|index, json| {
            if let Some(item) = self.get_mut(index) {
                return item.read(json);
            }
            let mut item = T::default();
            item.read(json)?;
            self.push(item);
            Ok(())
        })?;
        self.truncate(count);
        Ok(())
    }
}

impl FromGo for BTreeMap<String, SecretText> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            self.clear();
            return Ok(());
        }
        json.fields(|name, json| {
            let mut value = SecretText::default();
            value.read(json)?;
            self.insert(name.to_owned(), value);
            Ok(())
        })
    }
}

/// Bytes: padded standard base64 in JSON; when reading, line breaks and an array of numbers are accepted too.
#[derive(Default)]
pub struct Base64Bytes(Zeroizing<Vec<u8>>);

/// Go's `base64.StdEncoding`: padding required, unused trailing bits ignored.
const GO_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

impl Base64Bytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn from_text(text: &str) -> Option<Self> {
        let one_line = Zeroizing::new(text.replace(['\r', '\n'], ""));
        GO_BASE64.decode(one_line.as_bytes()).ok().map(Self::new)
    }
}

impl std::fmt::Debug for Base64Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[redacted; {} bytes]", self.0.len())
    }
}

impl FromGo for Base64Bytes {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            *self = Self::default();
            return Ok(());
        }
        if !json.at_string() {
            return self.0.read(json);
        }
        *self = Self::from_text(&json.string()?).ok_or(InvalidJson::Type(0))?;
        Ok(())
    }
}

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(GO_BASE64.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(Option::<String>::deserialize(deserializer)?.unwrap_or_default());
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("not padded base64"))
    }
}

/// One shard of the root key: 32 numbers in JSON. A short array is filled with zeros, a long one is cut, as in Go.
#[derive(Default)]
pub struct Shard(Zeroizing<[u8; 32]>);

impl Shard {
    /// Takes the bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted shard]")
    }
}

impl FromGo for Option<Shard> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            *self = None;
            return Ok(());
        }
        let shard = self.get_or_insert_default();
        let count = json.items(|index, json| match shard.0.get_mut(index) {
            Some(byte) => byte.read(json),
            None => json.skip(),
        })?;
        for byte in shard.0.iter_mut().skip(count) {
            *byte = 0;
        }
        Ok(())
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 32]>::deserialize(deserializer).map(Self::new)
    }
}

/// Whether a field name of a body means this field: letter case is ignored with Unicode's simple folding, in which
/// two signs outside ASCII fold to letters: `ſ` to `s` and the Kelvin sign to `k`.
pub(crate) fn is_field(name: &str, field: &str) -> bool {
    name.chars().map(fold).eq(field.chars().map(fold))
}

fn fold(character: char) -> char {
    match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

/// Implements [`FromGo`] for a request: each JSON name with the field that takes it.
macro_rules! from_go {
    ($type:ty { $($name:literal => $($field:ident).+),* $(,)? }) => {
        impl $crate::go_json::FromGo for $type {
            fn read(&mut self, json: &mut $crate::go_json::Cursor<'_>) -> Result<(), $crate::go_json::InvalidJson> {
                json.fields(|name, json| {
                    $(if $crate::go_json::is_field(name, $name) {
                        return $crate::go_json::FromGo::read(&mut self.$($field).+, json);
                    })*
                    let _unknown: &str = name;
                    json.skip()
                })
            }
        }
    };
}
pub(crate) use from_go;
