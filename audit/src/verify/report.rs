//! What was found.
use std::fmt;

use crate::chain::{ChainId, Head};

/// What was found in a log.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Files read.
    pub files: usize,
    /// Lines of the log that were read and fit.
    pub lines: u64,
    /// Lines that are none of the log's (only in a stream).
    pub foreign: u64,
    /// The chains, one for each start of a program, in the order in which they begin.
    pub chains: Vec<Reach>,
    /// The first file goes on behind this line, which is not in any of the files.
    pub behind: Option<Head>,
    /// The last line that fits.
    pub head: Option<Head>,
    /// Lines that the log itself says were lost.
    pub lost: u64,
    /// Half lines of programs that were killed, each named by the line behind it.
    pub torn: Vec<Torn>,
    /// Whether the last program ended as it should; if not, it runs, was killed, or the end was cut off.
    pub ended: bool,
    /// The first line that does not fit.
    pub broken: Option<Broken>,
}

/// The lines of one start of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Its name.
    pub chain: ChainId,
    /// The number of its first line that was read.
    pub first: u64,
    /// The number of its last.
    pub last: u64,
}

/// Half a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// In which file.
    pub file: String,
    /// Which line of it, from 1.
    pub line: u64,
    /// How long it is.
    pub bytes: u64,
}

/// The first line that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// In which file.
    pub file: String,
    /// Which line of it, from 1; where a line is missing, the one that stands in its place.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It, or a part of it, is not what was written.
    Edited,
    /// Lines are missing before it: how many, if that can be told.
    Removed(Option<u64>),
    /// It belongs further down: lines were put into another order.
    Reordered,
    /// It does not belong here: without it the log goes on.
    Inserted,
    /// It is a copy of an earlier line.
    Duplicated,
    /// The last line is not whole, and no line behind it says why.
    TornTail {
        /// How much of it is there.
        bytes: u64,
    },
    /// A chain begins here as if there were nothing before it.
    Unlinked,
    /// The line that an anchor names is not in the log.
    AnchorMissing(Box<Head>),
}

impl Fault {
    /// The low-cardinality word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Removed(_) => "removed",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::Duplicated => "duplicated",
            Self::TornTail { .. } => "torn_tail",
            Self::Unlinked => "unlinked",
            Self::AnchorMissing(_) => "anchor_missing",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited => f.write_str("edited: it is not what was written"),
            Self::Removed(Some(1)) => f.write_str("removed: one line is missing before it"),
            Self::Removed(Some(lines)) => write!(f, "removed: {lines} lines are missing before it"),
            Self::Removed(None) => f.write_str("removed: what stood before it is missing"),
            Self::Reordered => f.write_str("reordered: it belongs further down"),
            Self::Inserted => f.write_str("inserted: it does not belong here"),
            Self::Duplicated => f.write_str("duplicated: it is a copy of an earlier line"),
            Self::TornTail { bytes } => write!(
                f,
                "torn tail: the log ends inside a line, of which {bytes} bytes are there (the program was killed, or is \
                 writing, or the end was cut off)"
            ),
            Self::Unlinked => f.write_str(
                "unlinked: a chain begins here as if there were nothing before it (of standard output or error, that is \
                 each start of the program: verify it as a stream)",
            ),
            Self::AnchorMissing(anchor) => write!(
                f,
                "truncated or rewritten: line {} of chain {}, which an anchor names, is not there",
                anchor.seq, anchor.chain
            ),
        }
    }
}
