//! Which files make up a log, and in which order.
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::VerifyError;
use crate::file;

/// Something that lines can be read from.
pub struct Source {
    /// How it is called in a report.
    pub name: String,
    /// Its bytes.
    pub bytes: Box<dyn BufRead>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Bytes that are at hand.
    pub fn of(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            bytes: Box::new(io::Cursor::new(bytes)),
        }
    }

    fn open(path: &Path) -> Result<Self, VerifyError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Self {
                name,
                bytes: Box::new(BufReader::with_capacity(1 << 16, file)),
            }),
            Err(source) => Err(VerifyError::Read { name, source }),
        }
    }
}

/// The logs that paths name. Several files are one log, in the order given. One file is a log together with the finished
/// files beside it. A directory holds a log for each name that has one.
///
/// # Errors
/// A file or directory cannot be read, or a directory holds no log.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Vec<Source>>, VerifyError> {
    let open = |files: Vec<PathBuf>| files.iter().map(|file| Source::open(file)).collect();
    match paths {
        [one] if one.is_dir() => {
            let logs = in_directory(one)?;
            if logs.is_empty() {
                return Err(VerifyError::Nothing(one.display().to_string()));
            }
            logs.into_iter().map(open).collect()
        }
        [one] => Ok(vec![open(with_finished(one)?)?]),
        several => Ok(vec![open(several.to_vec())?]),
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> VerifyError {
    let name = path.display().to_string();
    move |source| VerifyError::Read {
        name: name.clone(),
        source,
    }
}

/// A finished file is looked at alone; the one that is written to, together with those.
fn with_finished(path: &Path) -> Result<Vec<PathBuf>, VerifyError> {
    if file::number_of(path).is_some() || !path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = file::finished(path).map_err(unreadable(path))?;
    files.push(path.to_owned());
    Ok(files)
}

fn in_directory(directory: &Path) -> Result<Vec<Vec<PathBuf>>, VerifyError> {
    let mut logs: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.is_file() {
            let log = file::log_of(&path).unwrap_or_else(|| path.clone());
            logs.entry(log).or_default().push(path);
        }
    }
    for files in logs.values_mut() {
        // Finished files by their number, the one that is written to behind them.
        files.sort_by_key(|file| file::number_of(file).unwrap_or(u64::MAX));
    }
    let mut chosen = Vec::new();
    for files in logs.into_values() {
        let mut is_log = false;
        for file in &files {
            is_log |= begins_like_a_log(file).map_err(unreadable(file))?;
        }
        if is_log {
            chosen.push(files);
        }
    }
    Ok(chosen)
}

fn begins_like_a_log(path: &Path) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    Ok(file.fill_buf()?.starts_with(b"{\"time\":\""))
}
