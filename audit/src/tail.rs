//! The end of a file that an earlier start wrote.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::chain::{Hash, Head, Sealed};

/// How far back the last whole line is looked for. Lines are a few KiB at most.
const FAR: u64 = 1 << 20;

/// What stands at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last line that is whole.
    pub(crate) head: Head,
    /// What stands behind it, such as half a line of a process that was killed.
    pub(crate) unsealed: Option<Unsealed>,
}

/// Bytes that are no line of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsealed {
    /// How many.
    pub(crate) bytes: u64,
    /// SHA-256 of them.
    pub(crate) digest: Hash,
    /// Whether a line feed stands behind them.
    pub(crate) ended: bool,
}

impl Unsealed {
    /// What stands here, if it is more than nothing.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        Some(Self {
            bytes: bytes.len() as u64,
            digest: Hash::of(bytes),
            ended: bytes.ends_with(b"\n"),
        })
    }
}

/// Looks at the end of a file. `None`: there is no line of ours in it, or none near its end.
pub(crate) fn read(file: &File, length: u64) -> io::Result<Option<Tail>> {
    let from = length.saturating_sub(FAR);
    let mut bytes = vec![0; usize::try_from(length - from).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, from)?;
    let mut end = bytes.len();
    while let Some(feed) = bytes
        .get(..end)
        .and_then(|part| part.iter().rposition(|&byte| byte == b'\n'))
    {
        let before = bytes.get(..feed).unwrap_or_default();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if let Some(sealed) = before.get(start..).and_then(Sealed::parse) {
            return Ok(Some(Tail {
                head: sealed.head,
                unsealed: Unsealed::of(bytes.get(feed + 1..).unwrap_or_default()),
            }));
        }
        end = feed;
    }
    Ok(None)
}
