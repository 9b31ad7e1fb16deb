//! A log file, and the finished ones beside it: `NAME.000001`, `NAME.000002`, …
//!
//! A rotation is one rename and one new file, so a crash in between leaves every line where it is; numbers only grow.
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::tail::{self, Tail};

/// Digits of a finished file's number.
const DIGITS: usize = 6;

/// After a rotation that failed, the next try comes this much later.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often, and with which rests, somebody else's lock is waited for.
const LOCK_TRIES: u32 = 50;
const LOCK_REST: Duration = Duration::from_millis(10);

/// `audit.rotate`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// `size`: bytes of a file after which the next one is begun; 0 for never.
    pub size: u64,
    /// `age`: how long a file may be written to; zero for ever.
    pub age: Duration,
    /// `keep`: how many finished files are kept, the oldest are removed; 0 for all.
    pub keep: u64,
}

impl Default for Rotate {
    fn default() -> Self {
        Self {
            size: 100 << 20,
            age: Duration::ZERO,
            keep: 0,
        }
    }
}

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    System(#[from] io::Error),
    #[error("another process writes to it")]
    Busy,
}

/// The file that is written to.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    born: SystemTime,
    rotate: Rotate,
    not_before: Option<SystemTime>,
}

/// What an earlier start left.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The end of its chain.
    pub(crate) tail: Option<Tail>,
    /// A file without any line of ours was renamed to this.
    pub(crate) set_aside: Option<PathBuf>,
}

/// What a path turned out to be.
pub(crate) enum Opened {
    File(Box<(LogFile, Found)>),
    /// A device or a pipe.
    Stream(File),
}

impl LogFile {
    /// Opens a file for appending, alone, and looks at its end.
    pub(crate) fn open(path: &Path, rotate: Rotate, now: SystemTime) -> Result<Opened, FileError> {
        let file = append_to(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Opened::Stream(file));
        }
        lock(&file)?;
        let length = metadata.len();
        let mut log = Self {
            path: path.to_owned(),
            born: birth(&file).unwrap_or(now),
            file,
            length,
            rotate,
            not_before: None,
        };
        let mut found = Found::default();
        if length > 0 {
            found.tail = tail::read(&log.file, length)?;
            if found.tail.is_none() {
                found.set_aside = Some(log.begin_another(now)?);
            }
        } else if let Some(last) = finished(path)?.pop() {
            let last = File::open(last)?;
            let length = last.metadata()?.len();
            // What stands behind its last line is told about where it stands, not in another file.
            found.tail = tail::read(&last, length)?.map(|tail| Tail { unsealed: None, ..tail });
        }
        Ok(Opened::File(Box::new((log, found))))
    }

    /// Appends; gives how many bytes were taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length = self.length.saturating_add(written as u64);
        Ok(written)
    }

    /// Whether this file is large or old enough.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        let large = self.rotate.size > 0 && self.length >= self.rotate.size;
        let age = now.duration_since(self.born).unwrap_or(Duration::ZERO);
        let old = !self.rotate.age.is_zero() && age >= self.rotate.age;
        (large || old) && self.length > 0 && self.not_before.is_none_or(|time| now >= time)
    }

    /// Finishes this file and begins another under the same name.
    pub(crate) fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        // Should any step fail, writing goes on in the file that is open, wherever it is.
        self.not_before = Some(now + PATIENCE);
        self.file.sync_data()?;
        self.begin_another(now)?;
        self.not_before = None;
        Ok(())
    }

    /// Opens the path again when somebody else renamed or removed the file; says whether that was so.
    pub(crate) fn reopen(&mut self, now: SystemTime) -> Result<bool, FileError> {
        let mine = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (mine.dev(), mine.ino()) => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
        self.take_up(append_to(&self.path)?, now)?;
        Ok(true)
    }

    /// Everything that was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn begin_another(&mut self, now: SystemTime) -> Result<PathBuf, io::Error> {
        let number = finished(&self.path)?
            .pop()
            .and_then(|last| number_of(&last))
            .unwrap_or(0);
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{:0DIGITS$}", number.saturating_add(1)));
        let name = PathBuf::from(name);
        match fs::rename(&self.path, &name) {
            // Somebody else, or a try before this one, has moved it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = append_to(&self.path)?;
        self.take_up(file, now).map_err(io::Error::other)?;
        Ok(name)
    }

    fn take_up(&mut self, file: File, now: SystemTime) -> Result<(), FileError> {
        lock(&file)?;
        self.length = file.metadata()?.len();
        self.born = now;
        self.file = file;
        Ok(())
    }

    /// Removes the oldest finished files that need not be kept.
    pub(crate) fn prune(&self) -> io::Result<()> {
        let finished = finished(&self.path)?;
        let keep = usize::try_from(self.rotate.keep).unwrap_or(usize::MAX);
        let excess = if keep == 0 {
            0
        } else {
            finished.len().saturating_sub(keep)
        };
        finished.iter().take(excess).try_for_each(fs::remove_file)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .or_else(|error| {
            // A pipe or terminal may be open for writing only.
            let plain = OpenOptions::new().append(true).open(path);
            plain.map_err(|_| error)
        })
}

/// A process that is about to end, or that was just forked off and holds our files until it runs its own program, is
/// waited for.
fn lock(file: &File) -> Result<(), FileError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_REST),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(FileError::Busy)
}

/// The time in a file's first line.
fn birth(file: &File) -> Option<SystemTime> {
    let mut head = [0; 64];
    let mut file = file;
    let read = file.read(&mut head).ok()?;
    let text = std::str::from_utf8(head.get(..read)?).ok()?;
    let time = text.strip_prefix("{\"time\":\"")?.split('"').next()?;
    OffsetDateTime::parse(time, &Rfc3339).ok().map(SystemTime::from)
}

/// The finished files of a log, the oldest first.
pub(crate) fn finished(path: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        if log_of(&file).is_some_and(|log| log.file_name() == path.file_name()) {
            files.push(file);
        }
    }
    files.sort_by_key(|file| number_of(file));
    Ok(files)
}

/// The number of a finished file.
pub(crate) fn number_of(path: &Path) -> Option<u64> {
    let digits = path.extension()?.to_str()?;
    let right = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if right { digits.parse().ok() } else { None }
}

/// The log that a finished file belongs to.
pub(crate) fn log_of(path: &Path) -> Option<PathBuf> {
    number_of(path).map(|_| path.with_extension(""))
}
