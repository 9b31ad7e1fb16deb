//! The protobuf wire, read field by field where it lies: nothing is copied, nothing is kept.
//!
//! **Owns** tags, varints, lengths and skipping. **Refuses** everything that is not well formed: a truncated value, a
//! varint of more than 64 bits, field number 0, and groups (proto3 has none). **Invariant**: a [`Fields`] never reads
//! outside its slice and every step consumes at least one byte, so a walk ends.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Wire type 2: a string, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire types 0, 1 and 5: a number that no fact is made of.
    Number,
}

/// The bytes are no protobuf message of the shape we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CheckRequest: {rule}")]
pub(crate) struct Undecodable {
    /// Which rule the bytes broke.
    pub(crate) rule: &'static str,
}

const fn broken<T>(rule: &'static str) -> Result<T, Undecodable> {
    Err(Undecodable { rule })
}

impl<'a> Value<'a> {
    /// The bytes of a string, bytes or message field.
    pub(crate) fn bytes(self) -> Result<&'a [u8], Undecodable> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number => broken("a field has the wrong wire type"),
        }
    }

    /// The bytes of a string field, which proto3 wants to be UTF-8.
    pub(crate) fn text(self) -> Result<&'a [u8], Undecodable> {
        let bytes = self.bytes()?;
        if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
            return Ok(bytes);
        }
        broken("a string is not UTF-8")
    }
}

/// The fields of one message, in the order sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of this message.
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field: its number and value; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Undecodable> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Ok(tag) = u32::try_from(self.varint()?) else {
            return broken("a tag is too large");
        };
        let number = tag >> 3;
        if number == 0 {
            return broken("field number 0");
        }
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Number)?,
            1 => self.take(8).map(|_| Value::Number)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => self.take(4).map(|_| Value::Number)?,
            _ => return broken("a group or an unknown wire type"),
        };
        Ok(Some((number, value)))
    }

    fn varint(&mut self) -> Result<u64, Undecodable> {
        let mut value = 0u64;
        for (at, &byte) in self.rest.iter().take(10).enumerate() {
            if at == 9 && byte > 1 {
                return broken("a varint has more than 64 bits");
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        broken("a varint does not end")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Undecodable> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => broken("a field is cut short"),
        }
    }
}
