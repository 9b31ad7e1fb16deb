//! The archive of a backup: its parts and their bytes.
//!
//! An archive is a store's rows exactly as they lie in the database, sealed; no part of it needs a key to be written
//! or taken apart. All numbers are big-endian.
//!
//! ```text
//! header  "SPIKEBAK" | format u16 (1) | store UUID 16 | generation u64 | revision u64 | key term u32 | taken u64 (ms)
//! table   0x01 | length u8 | name                              the rows that follow are of this table
//! row     0x02 | key length u32 | value length u32 | key | value
//! end     0x03 | number of rows u64 | MAC 32
//! ```
//! One header, then tables with their rows, then one end, then nothing. The MAC covers every byte before it; its key
//! hangs from the key term in the header, which the keyring in the table `meta` holds (see the vault of Nexus).

/// What every archive begins with.
pub const MAGIC: [u8; 8] = *b"SPIKEBAK";
/// The format that this code writes, and the newest it reads.
pub const FORMAT: u16 = 1;
/// The media type of an archive.
pub const MEDIA_TYPE: &str = "application/vnd.spike.backup";

const HEADER: usize = 8 + 2 + 16 + 8 + 8 + 4 + 8;
const TABLE: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
/// The largest key and value that any store writes are far below these; a length above them is damage.
const MOST_KEY: usize = 64 << 10;
const MOST_VALUE: usize = 256 << 20;

/// What an archive says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The UUID of the store it was taken from.
    pub store: [u8; 16],
    /// The generation of the policies in it.
    pub generation: u64,
    /// The number of the last transaction in it.
    pub revision: u64,
    /// The key term that its MAC hangs from.
    pub term: u32,
    /// When it was taken: milliseconds since 1970.
    pub taken_at: u64,
}

/// One part of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first part.
    Header(Header),
    /// The table of the rows that follow.
    Table(String),
    /// A row, as it is stored.
    Row {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The last part.
    End {
        /// How many rows there are.
        rows: u64,
        /// The code over everything before it.
        mac: [u8; 32],
    },
}

/// Why bytes are no archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArchive {
    /// Something else.
    #[error("it is not a backup")]
    NotABackup,
    /// Written by a newer version of the program.
    #[error("it has format {0}, and this version reads up to {FORMAT}: use a newer one")]
    NewerFormat(u16),
    /// Its end is missing.
    #[error("it ends too early: it was cut off")]
    Truncated,
    /// Its parts make no sense.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

impl Header {
    /// The bytes of this header.
    pub fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&MAGIC);
        to.extend_from_slice(&FORMAT.to_be_bytes());
        to.extend_from_slice(&self.store);
        to.extend_from_slice(&self.generation.to_be_bytes());
        to.extend_from_slice(&self.revision.to_be_bytes());
        to.extend_from_slice(&self.term.to_be_bytes());
        to.extend_from_slice(&self.taken_at.to_be_bytes());
    }

    fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let (_, rest) = bytes.split_at_checked(MAGIC.len() + 2)?;
        let (store, rest) = rest.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (term, taken_at) = rest.split_first_chunk::<4>()?;
        Some(Self {
            store: *store,
            generation: u64::from_be_bytes(*generation),
            revision: u64::from_be_bytes(*revision),
            term: u32::from_be_bytes(*term),
            taken_at: u64::from_be_bytes(*taken_at.first_chunk()?),
        })
    }
}

/// The bytes that name a table. Names are at most 255 bytes long.
pub fn encode_table(name: &str, to: &mut Vec<u8>) {
    to.push(TABLE);
    to.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    to.extend_from_slice(name.as_bytes());
}

/// The bytes of a row.
pub fn encode_row(key: &[u8], value: &[u8], to: &mut Vec<u8>) {
    to.push(ROW);
    to.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(key);
    to.extend_from_slice(value);
}

/// The bytes of the end up to its MAC, which covers them, too.
pub fn encode_end(rows: u64, to: &mut Vec<u8>) {
    to.push(END);
    to.extend_from_slice(&rows.to_be_bytes());
}

/// Takes an archive apart while it comes in, and sees to it that it is whole.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    at: usize,
    began: bool,
    in_table: bool,
    ended: bool,
    rows: u64,
}

impl Reader {
    /// Adds bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        // What was used is dropped only when it is the larger part, so that each byte moves a few times at most.
        if self.at > self.buffer.len() / 2 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`InvalidArchive`]; nothing after it can be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "`None` does not end the archive, as it would an iterator"
    )]
    pub fn next(&mut self) -> Result<Option<Part>, InvalidArchive> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let parsed = if self.began { self.part(rest) } else { header(rest) };
        let Some((part, length)) = parsed? else {
            return Ok(None);
        };
        self.at += length;
        match &part {
            Part::Header(_) => self.began = true,
            Part::Table(_) => self.in_table = true,
            Part::Row { .. } => self.rows += 1,
            Part::End { rows, .. } if *rows == self.rows => self.ended = true,
            Part::End { .. } => return Err(InvalidArchive::Damaged("its number of rows is wrong")),
        }
        Ok(Some(part))
    }

    /// To be asked when no more bytes come.
    ///
    /// # Errors
    /// [`InvalidArchive::Truncated`] before the end was read; [`InvalidArchive::Damaged`] when something follows it.
    pub fn finish(&self) -> Result<(), InvalidArchive> {
        match (self.ended, self.buffer.len() > self.at) {
            (true, false) => Ok(()),
            (true, true) => Err(InvalidArchive::Damaged("something follows its end")),
            (false, _) if !self.began && !self.could_begin() => Err(InvalidArchive::NotABackup),
            (false, _) => Err(InvalidArchive::Truncated),
        }
    }

    fn could_begin(&self) -> bool {
        !self.buffer.is_empty() && self.buffer.iter().zip(&MAGIC).all(|(got, want)| got == want)
    }

    fn part(&self, bytes: &[u8]) -> Parsed {
        let Some((tag, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        if self.ended {
            return Err(InvalidArchive::Damaged("something follows its end"));
        }
        match *tag {
            TABLE => table(rest),
            ROW if self.in_table => row(rest),
            END => Ok(end(rest)),
            _ => Err(InvalidArchive::Damaged("a part of an unknown kind")),
        }
    }
}

/// A part and how many bytes it took, or `None` when more are needed.
type Parsed = Result<Option<(Part, usize)>, InvalidArchive>;

fn header(bytes: &[u8]) -> Parsed {
    if bytes.iter().zip(&MAGIC).any(|(got, want)| got != want) {
        return Err(InvalidArchive::NotABackup);
    }
    let Some(head) = bytes.first_chunk::<10>() else {
        return Ok(None);
    };
    let [.., high, low] = *head;
    let format = u16::from_be_bytes([high, low]);
    if format > FORMAT {
        return Err(InvalidArchive::NewerFormat(format));
    }
    if format != FORMAT {
        return Err(InvalidArchive::Damaged("there is no such format"));
    }
    Ok(bytes
        .first_chunk::<HEADER>()
        .and_then(Header::decode)
        .map(|header| (Part::Header(header), HEADER)))
}

fn table(bytes: &[u8]) -> Parsed {
    let Some((length, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let length = usize::from(*length);
    let Some(name) = rest.get(..length) else {
        return Ok(None);
    };
    let name = std::str::from_utf8(name).map_err(|_| InvalidArchive::Damaged("a table's name is no text"))?;
    Ok(Some((Part::Table(name.to_owned()), 2 + length)))
}

fn row(bytes: &[u8]) -> Parsed {
    let lengths = bytes
        .split_first_chunk::<4>()
        .and_then(|(key, rest)| Some((key, rest.split_first_chunk::<4>()?)));
    let Some((key, (value, rest))) = lengths else {
        return Ok(None);
    };
    let size = |length: &[u8; 4]| usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (key, value) = (size(key), size(value));
    if key > MOST_KEY || value > MOST_VALUE {
        return Err(InvalidArchive::Damaged("a row is larger than any row can be"));
    }
    let Some((key, rest)) = rest.split_at_checked(key) else {
        return Ok(None);
    };
    let Some(value) = rest.get(..value) else {
        return Ok(None);
    };
    let part = Part::Row {
        key: key.to_vec(),
        value: value.to_vec(),
    };
    Ok(Some((part, 9 + key.len() + value.len())))
}

fn end(bytes: &[u8]) -> Option<(Part, usize)> {
    let (rows, rest) = bytes.split_first_chunk::<8>()?;
    let mac = *rest.first_chunk::<32>()?;
    let rows = u64::from_be_bytes(*rows);
    Some((Part::End { rows, mac }, 41))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;

    fn archive() -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = Header {
            store: [7; 16],
            generation: 3,
            revision: 9,
            term: 2,
            taken_at: 1_700_000_000_000,
        };
        header.encode(&mut bytes);
        encode_table("meta", &mut bytes);
        encode_row(b"schema", &[0, 0, 0, 1], &mut bytes);
        encode_table("secrets", &mut bytes);
        encode_row(b"a/b", &[5; 300], &mut bytes);
        encode_end(2, &mut bytes);
        bytes.extend_from_slice(&[8; 32]);
        bytes
    }

    fn parts(pieces: &[&[u8]]) -> Result<Vec<Part>, InvalidArchive> {
        let (mut reader, mut parts) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.push(piece);
            while let Some(part) = reader.next()? {
                parts.push(part);
            }
        }
        reader.finish().map(|()| parts)
    }

    #[test]
    fn an_archive_reads_back_however_it_is_cut() {
        let bytes = archive();
        let whole = parts(&[&bytes]).unwrap();
        assert_eq!(whole.len(), 6);
        assert_eq!(whole[5], Part::End { rows: 2, mac: [8; 32] });
        for at in 0..bytes.len() {
            assert_eq!(parts(&[&bytes[..at], &bytes[at..]]).unwrap(), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(parts(&single).unwrap(), whole);
    }

    #[test]
    fn an_archive_that_is_not_whole_is_refused() {
        let bytes = archive();
        for length in 0..bytes.len() {
            let want = match length {
                0 => InvalidArchive::NotABackup,
                _ => InvalidArchive::Truncated,
            };
            assert_eq!(parts(&[&bytes[..length]]).unwrap_err(), want, "{length} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(
            parts(&[&longer]).unwrap_err(),
            InvalidArchive::Damaged("something follows its end")
        );
        assert_eq!(parts(&[b"#!/bin/sh\n"]).unwrap_err(), InvalidArchive::NotABackup);
        let mut newer = bytes;
        newer[9] = 2;
        assert_eq!(parts(&[&newer]).unwrap_err(), InvalidArchive::NewerFormat(2));
    }

    #[test]
    fn a_length_that_no_row_has_is_refused_before_it_is_waited_for() {
        let mut bytes = archive();
        let row = HEADER + 6;
        bytes[row + 5] = 0xff;
        assert_eq!(
            parts(&[&bytes[..row + 20]]).unwrap_err(),
            InvalidArchive::Damaged("a row is larger than any row can be")
        );
    }
}
