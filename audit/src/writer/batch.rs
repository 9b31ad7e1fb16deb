//! Lines that are sealed and not yet written.
use std::path::PathBuf;
use std::time::SystemTime;

use crate::chain::{Hash, Head, Seal};
use crate::line::{Line, stamp};
use crate::queue::{Entry, Program};
use crate::tail::Unsealed;

/// The most bytes written at once, about.
const FULL: usize = 256 * 1024;

/// Characters of a file's name in a line.
const NAME: usize = 1024;

/// Why a file, or a chain, begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There was nothing before it.
    New,
    /// The program was started; the chain goes on behind the last line of the start before.
    Start,
    /// The file before was finished.
    Rotation,
    /// The file before was renamed or removed, and SIGHUP said so.
    Reopened,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Start => "start",
            Self::Rotation => "rotation",
            Self::Reopened => "reopened",
        }
    }
}

/// What the first line of a file or chain says.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub(super) why: Why,
    /// The line it goes on behind.
    pub(super) previous: Option<Head>,
    /// What an earlier start left behind that line.
    pub(super) unsealed: Option<Unsealed>,
    /// Where a file went that had no line of ours.
    pub(super) set_aside: Option<PathBuf>,
}

/// What a sealed line is, for the case that it cannot be written.
#[derive(Clone, Debug)]
enum Kind {
    Begin(Box<Begin>),
    Lost(u64),
    Entry,
    End,
}

#[derive(Clone, Debug)]
struct Mark {
    /// Where it ends in the bytes.
    end: usize,
    /// The head before it.
    before: Head,
    kind: Kind,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// Lines of rooms.
    pub(super) entries: u64,
    /// Lines that had been lost before, and that the log was about to tell.
    pub(super) told: u64,
}

/// Sealed lines, and the chain behind them.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    head: Head,
    seal: Seal,
    program: Program,
    begin: Option<Begin>,
    /// A part of the first line is written.
    half: bool,
}

impl Batch {
    /// Nothing yet. `head` is what stands before the first line; its chain is the one that begins.
    pub(super) fn new(head: Head, (seal, program): (Seal, Program), begin: Begin) -> Self {
        Self {
            bytes: Vec::with_capacity(FULL),
            marks: Vec::new(),
            head,
            seal,
            program,
            begin: Some(begin),
            half: false,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Whether nothing is left to write.
    pub(super) fn is_written(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// The next line begins another file.
    pub(super) fn change_files(&mut self, why: Why) {
        self.begin.get_or_insert(Begin {
            why,
            previous: Some(self.head),
            unsealed: None,
            set_aside: None,
        });
    }

    /// Adds the line that begins a file or chain, if one is due.
    pub(super) fn begin(&mut self, at: SystemTime) {
        let Some(begin) = self.begin.take() else { return };
        if begin.unsealed.is_some_and(|unsealed| !unsealed.ended) {
            // The line feed that half a line is missing.
            self.bytes.push(b'\n');
        }
        let mut line = Line::new("audit.begin");
        line.word("why", begin.why.as_str());
        line.word("program", self.program.name);
        line.word("version", self.program.version);
        line.number("pid", u64::from(std::process::id()));
        line.word("seal", self.seal.as_str());
        if let Some(previous) = begin.previous {
            line.text("previous_chain", previous.chain.to_string().as_bytes(), NAME);
            line.number("previous_seq", previous.seq);
        }
        let previous = begin.previous.map_or(Hash::NONE, |head| head.hash);
        line.text("previous", previous.to_string().as_bytes(), NAME);
        if let Some(unsealed) = begin.unsealed {
            line.number("unsealed_bytes", unsealed.bytes);
            line.text("unsealed_sha256", unsealed.digest.to_string().as_bytes(), NAME);
        }
        if let Some(name) = &begin.set_aside {
            line.text("set_aside", name.as_os_str().as_encoded_bytes(), NAME);
        }
        self.add(at, &line.into_bytes(), Kind::Begin(Box::new(begin)));
    }

    /// Adds the line that tells how many lines are missing here, if any are.
    pub(super) fn lost(&mut self, at: SystemTime, lines: u64) {
        if lines == 0 {
            return;
        }
        let mut line = Line::new("audit.lost");
        line.number("lines", lines);
        self.add(at, &line.into_bytes(), Kind::Lost(lines));
    }

    /// Adds a room's line.
    pub(super) fn entry(&mut self, entry: &Entry) {
        self.add(entry.at, &entry.rest, Kind::Entry);
    }

    /// Adds the last line of a program that ends as it should.
    pub(super) fn end(&mut self, at: SystemTime) {
        self.add(at, &Line::new("audit.end").into_bytes(), Kind::End);
    }

    fn add(&mut self, at: SystemTime, rest: &[u8], kind: Kind) {
        let before = self.head;
        let start = self.bytes.len();
        stamp(&mut self.bytes, at);
        self.bytes.extend_from_slice(rest);
        let place = (&before.hash, before.chain);
        self.head = self
            .seal
            .close(&mut self.bytes, start, place, before.seq.saturating_add(1));
        self.marks.push(Mark {
            end: self.bytes.len(),
            before,
            kind,
        });
    }

    /// All of it was written; gives how many lines that were.
    pub(super) fn written(&mut self) -> u64 {
        let lines = self.marks.len() as u64;
        self.bytes.clear();
        self.marks.clear();
        self.half = false;
        lines
    }

    /// Only the first `count` bytes were; gives how many lines that were.
    pub(super) fn wrote(&mut self, count: usize) -> u64 {
        if count == 0 {
            return 0;
        }
        let feed = usize::from(self.bytes.starts_with(b"\n"));
        if let (1, Some(Kind::Begin(begin))) = (feed, self.marks.first_mut().map(|mark| &mut mark.kind)) {
            begin.unsealed = begin.unsealed.map(|unsealed| Unsealed {
                ended: true,
                ..unsealed
            });
        }
        self.half = count > feed && !self.marks.iter().any(|mark| mark.end == count);
        self.bytes.drain(..count.min(self.bytes.len()));
        let lines = self.marks.len();
        self.marks.retain(|mark| mark.end > count);
        for mark in &mut self.marks {
            mark.end -= count;
        }
        (lines - self.marks.len()) as u64
    }

    /// Gives up every line that is not on the disk in part already; the chain goes back to the last one that stays.
    pub(super) fn give_up(&mut self) -> GivenUp {
        // Half a line is finished later: the next one must not begin in its middle.
        let stay = usize::from(self.half).min(self.marks.len());
        let mut given_up = GivenUp::default();
        if let Some(first) = self.marks.get(stay) {
            self.head = first.before;
        }
        for mark in self.marks.drain(stay..) {
            match mark.kind {
                Kind::Begin(begin) => self.begin = Some(*begin),
                Kind::Lost(lines) => given_up.told += lines,
                Kind::Entry => given_up.entries += 1,
                Kind::End => {}
            }
        }
        self.bytes.truncate(self.marks.first().map_or(0, |mark| mark.end));
        given_up
    }
}
