//! The directory that new shards and keys are saved to, which nobody else may write to.
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use spike_wire::go_json::Shard;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Where key material goes.
pub(super) struct Safe(PathBuf);

/// Something was not saved.
#[derive(Debug)]
pub(super) struct Unsaved {
    directory: PathBuf,
    why: io::Error,
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.directory.display(), self.why)
    }
}

impl From<Unsaved> for Failure {
    fn from(unsaved: Unsaved) -> Self {
        Self::System(unsaved.to_string())
    }
}

impl Safe {
    /// SPIKE's: `~/.spike/recover`, or `recover` below the directory that was chosen. And so for other names.
    pub(super) fn below(chosen: Option<&PathBuf>, home: Option<&PathBuf>, name: &str) -> Result<Self, Failure> {
        let home = || home.map(|home| home.join(".spike").join(name));
        chosen
            .filter(|path| !path.as_os_str().is_empty())
            .map(|base| base.join(name))
            .or_else(home)
            .map(Self)
            .ok_or_else(|| Failure::Usage("there is no home directory: give --directory".to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, or looks at the one that is there: before anything is asked for that should not be on its way to a place
    /// that others can write to.
    pub(super) fn prepare(&self) -> Result<(), Unsaved> {
        let prepare = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            let mode = fs::metadata(&self.0)?.permissions().mode();
            if mode & 0o022 == 0 {
                Ok(())
            } else {
                Err(io::Error::other("others may write to it; run chmod 700 on it"))
            }
        };
        prepare().map_err(|why| self.unsaved(why))
    }

    /// The new files are complete before the old ones go: a full disk must not leave us without either.
    pub(super) fn save_shards(&self, shards: &BTreeMap<i64, Shard>) -> Result<(), Unsaved> {
        let save = || {
            let name = |id: &i64| format!("spike.recovery.{id}.txt");
            let draft = |id: &i64| self.0.join(format!(".{}.new", name(id)));
            for (id, shard) in shards {
                // One that an interrupted run left behind.
                match fs::remove_file(draft(id)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
                write_new(&draft(id), &text_of(*id, shard))?;
            }
            for old in fs::read_dir(&self.0)? {
                let old = old?;
                let file = old.file_name();
                let file = file.to_string_lossy();
                if file.starts_with("spike.recovery") && file.ends_with(".txt") {
                    fs::remove_file(old.path())?;
                }
            }
            for id in shards.keys() {
                fs::rename(draft(id), self.0.join(name(id)))?;
            }
            File::open(&self.0)?.sync_all()
        };
        save().map_err(|why| self.unsaved(why))
    }

    /// Saves a root key as a key file has it; where.
    pub(super) fn save_key(&self, key: &Shard) -> Result<PathBuf, Unsaved> {
        let path = self.0.join("root.key.new");
        let mut text = Zeroizing::new(String::with_capacity(65));
        add_hex(&mut text, key);
        text.push('\n');
        write_new(&path, &text)
            .and_then(|()| File::open(&self.0)?.sync_all())
            .map_err(|why| self.unsaved(why))?;
        Ok(path)
    }

    fn unsaved(&self, why: io::Error) -> Unsaved {
        Unsaved {
            directory: self.0.clone(),
            why,
        }
    }
}

/// A file that was not there, for its owner alone, durable but for its name.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// `spike:<number>:<64 hexadecimal digits>`
fn text_of(id: i64, shard: &Shard) -> Zeroizing<String> {
    // Room for all of it at once: a growing text would leave parts behind.
    let mut text = Zeroizing::new(String::with_capacity(100));
    text.push_str("spike:");
    text.push_str(&id.to_string());
    text.push(':');
    add_hex(&mut text, shard);
    text
}

fn add_hex(text: &mut String, bytes: &Shard) {
    for byte in bytes.as_bytes() {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or_default());
        }
    }
}
