//! Finding policy files.
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One byte more than a file may have, so that a larger one is told and not cut.
const READ_BYTES: u64 = spike_policy::document::MAX_FILE_BYTES as u64 + 1;
/// How deep directories are followed; deeper ones are a loop of links.
const MAX_DEPTH: usize = 16;
/// Names of files that hold policies.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text and where it came from.
pub(super) struct Source {
    /// As the person named it.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

/// Every file of these places: files as given, directories as their `.yaml`, `.yml` and `.json` files at any depth,
/// in bytewise order of path, without hidden ones.
pub(super) fn find(places: &[PathBuf], stdin: &mut dyn Read, faults: &mut Vec<String>) -> Vec<Source> {
    let mut sources = Vec::new();
    for place in places {
        if place.as_os_str() == "-" {
            sources.extend(whole(stdin, "-".to_owned(), faults));
        } else if place.is_dir() {
            let mut files = Vec::new();
            collect(place, 0, &mut files, faults);
            if files.is_empty() {
                faults.push(format!("{}: holds no .yaml, .yml or .json file", place.display()));
            }
            files.sort();
            sources.extend(files.iter().filter_map(|file| open(file, faults)));
        } else {
            sources.extend(open(place, faults));
        }
    }
    sources
}

fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>, faults: &mut Vec<String>) {
    if depth > MAX_DEPTH {
        faults.push(format!(
            "{}: more than {MAX_DEPTH} directories deep",
            directory.display()
        ));
        return;
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return faults.push(format!("{}: {error}", directory.display())),
    };
    for entry in entries {
        match entry {
            Err(error) => faults.push(format!("{}: {error}", directory.display())),
            Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            Ok(entry) if entry.path().is_dir() => collect(&entry.path(), depth + 1, files, faults),
            Ok(entry) if holds_policies(&entry.path()) => files.push(entry.path()),
            Ok(_) => {}
        }
    }
}

/// Whether a file of a directory is read, by its name.
pub(crate) fn holds_policies(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn open(path: &Path, faults: &mut Vec<String>) -> Option<Source> {
    let name = path.display().to_string();
    match fs::File::open(path) {
        Ok(mut file) => whole(&mut file, name, faults),
        Err(error) => {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "does not exist".to_owned(),
                _ => error.to_string(),
            };
            faults.push(format!("file {name} {why}"));
            None
        }
    }
}

fn whole(reader: &mut dyn Read, name: String, faults: &mut Vec<String>) -> Option<Source> {
    let mut bytes = Vec::new();
    let problem = match reader.take(READ_BYTES).read_to_end(&mut bytes) {
        Err(error) => error.to_string(),
        Ok(_) => match String::from_utf8(bytes) {
            Ok(text) => return Some(Source { name, text }),
            Err(_) => "not UTF-8 text".to_owned(),
        },
    };
    faults.push(format!("{name}: {problem}"));
    None
}
