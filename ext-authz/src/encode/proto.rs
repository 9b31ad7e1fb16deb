//! Protobuf written from its end to its start: the length of a message is known when its tag is written, so nothing is
//! measured twice and nothing is copied.
//!
//! **Owns** the byte order of tags, varints and lengths. **Refuses** to know any message. **Invariant**: what was
//! written last stands first; [`Backward::finish`] gives exactly the bytes written.
use bytes::{Buf, Bytes};

/// A buffer that grows towards its start.
#[derive(Debug)]
pub(super) struct Backward {
    buffer: Vec<u8>,
    start: usize,
}

impl Backward {
    /// An empty buffer with room for this many bytes before it must grow.
    pub(super) fn with_room(room: usize) -> Self {
        Self {
            buffer: vec![0; room],
            start: room,
        }
    }

    /// How many bytes were written: the mark to give to [`Backward::wrap`].
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Puts bytes before what is there.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if bytes.len() > self.start {
            self.grow(bytes.len());
        }
        let start = self.start - bytes.len();
        if let Some(room) = self.buffer.get_mut(start..self.start) {
            room.copy_from_slice(bytes);
            self.start = start;
        }
    }

    /// A varint field.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.varint(value);
        self.varint(u64::from(field << 3));
    }

    /// A double field.
    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.raw(&value.to_le_bytes());
        self.varint(u64::from(field << 3 | 1));
    }

    /// A string or bytes field.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        let mark = self.len();
        self.raw(text.as_bytes());
        self.wrap(field, mark);
    }

    /// Makes everything written since `mark` the content of a length-delimited field.
    pub(super) fn wrap(&mut self, field: u32, mark: usize) {
        self.varint((self.len() - mark) as u64);
        self.varint(u64::from(field << 3 | 2));
    }

    /// The bytes, first to last.
    pub(super) fn finish(self) -> Bytes {
        let mut bytes = Bytes::from(self.buffer);
        // A slice would be a second owner, which costs an allocation.
        bytes.advance(self.start);
        bytes
    }

    fn varint(&mut self, mut value: u64) {
        // Nearly every tag and length is one byte, and an answer has a hundred of them.
        if let Ok(byte @ 0..0x80) = u8::try_from(value)
            && let Some(start) = self.start.checked_sub(1)
            && let Some(room) = self.buffer.get_mut(start)
        {
            *room = byte;
            self.start = start;
            return;
        }
        let mut bytes = [0u8; 10];
        let mut used = 0;
        for byte in &mut bytes {
            used += 1;
            *byte = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                break;
            }
            *byte |= 0x80;
        }
        self.raw(bytes.get(..used).unwrap_or_default());
    }

    fn grow(&mut self, wanted: usize) {
        let mut larger = vec![0; (self.buffer.len() + wanted) * 2];
        let start = larger.len() - self.len();
        if let (Some(room), Some(written)) = (larger.get_mut(start..), self.buffer.get(self.start..)) {
            room.copy_from_slice(written);
        }
        self.buffer = larger;
        self.start = start;
    }
}

#[cfg(test)]
mod tests {
    use super::Backward;
    use prost::encoding;

    #[test]
    fn what_is_written_last_stands_first_and_lengths_are_right() {
        for room in [0, 3, 64] {
            let mut message = Backward::with_room(room);
            let mark = message.len();
            message.text(2, &"x".repeat(300));
            message.number(1, 150);
            message.wrap(3, mark);
            let mut expected = Vec::new();
            let mut inner = Vec::new();
            encoding::uint64::encode(1, &150, &mut inner);
            encoding::string::encode(2, &"x".repeat(300), &mut inner);
            encoding::bytes::encode(3, &inner, &mut expected);
            assert_eq!(message.finish(), expected, "room {room}");
        }
    }

    #[test]
    fn numbers_of_every_length_are_varints() {
        for value in (0..64).map(|bits| 1u64 << bits).chain([0, u64::MAX]) {
            let mut message = Backward::with_room(16);
            message.number(5, value);
            let mut expected = Vec::new();
            encoding::uint64::encode(5, &value, &mut expected);
            assert_eq!(message.finish(), expected, "{value}");
        }
    }
}
