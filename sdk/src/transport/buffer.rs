//! Bytes that may hold a secret: overwritten when dropped, and when they move to a larger allocation.
use std::io;

use zeroize::Zeroizing;

/// A growing buffer whose every allocation is overwritten before it is freed. (A plain `Vec` leaves copies behind
/// when it grows.)
#[derive(Default)]
pub(crate) struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    /// A buffer with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// The bytes so far.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, with the duty to overwrite them.
    pub(crate) fn into_zeroizing(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// How many bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends these bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2))));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Forgets the first bytes, keeping the allocation.
    pub(crate) fn discard_front(&mut self, bytes: usize) {
        let end = bytes.min(self.0.len());
        self.0.drain(..end);
    }
}

impl AsRef<[u8]> for WipedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_every_byte_while_it_grows() {
        let mut buffer = WipedBuffer::default();
        for byte in 0..=255_u8 {
            buffer.extend(&[byte; 7]);
        }
        assert_eq!(buffer.len(), 256 * 7);
        assert!(
            buffer
                .as_slice()
                .iter()
                .enumerate()
                .all(|(at, byte)| usize::from(*byte) == at / 7)
        );
        buffer.discard_front(7);
        assert_eq!(buffer.as_slice().first(), Some(&1));
        buffer.discard_front(usize::MAX);
        assert_eq!(buffer.len(), 0);
    }
}
