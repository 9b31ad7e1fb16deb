//! `spike operator backup`
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use spike_policy::UnixMillis;
use spike_wire::Timestamp;
use spike_wire::backup::Header;

use super::session::Session;
use crate::args::{Backup, RestoreBackup};
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Saves a backup, whole or not at all.
pub(super) fn take(args: &Backup, output: &mut Output) -> Result<(), Failure> {
    let draft = Draft::create(&args.out, args.force)?;
    let session = Session::open()?;
    let mut backup = session.call(Subject::Backup, session.client().operator().backup())?;
    while let Some(bytes) = session.wait(backup.chunk()).map_err(|error| Failure::Cut {
        bytes: backup.bytes(),
        error,
    })? {
        draft.write(&bytes)?;
    }
    let Some(header) = backup.header() else {
        return Err(Failure::data("SPIKE Nexus sent no backup"));
    };
    draft.publish()?;
    output.text(&summary(header, backup.rows(), backup.bytes(), &args.out))?;
    Ok(output.text(
        "It holds no root key. To restore it you need the root key that is in force now: its key file, or enough\n\
         recovery shards (`spike operator recover`). Keep those apart from it.\n\
         To restore it, stop the server and run: spike-nexus restore-backup --config FILE --from BACKUP\n\
         (or spike-ext-authz restore-backup, where Nexus runs inside it).\n",
    )?)
}

/// Becomes the server's program: only it knows the database, and only on its machine can it be replaced.
pub(super) fn restore(args: &RestoreBackup) -> Result<(), Failure> {
    let error = Command::new(&args.server)
        .arg("restore-backup")
        .args(&args.flags)
        .exec();
    Err(Failure::System(format!(
        "cannot run {}: {error}",
        args.server.display()
    )))
}

fn summary(header: &Header, rows: u64, bytes: u64, out: &Path) -> String {
    format!(
        "Saved a backup to {}\n  Store      : {}\n  Taken at   : {}\n  Generation : {}\n  Rows       : {rows}\n  \
         Bytes      : {bytes}\n",
        out.display(),
        uuid(&header.store),
        Timestamp::from(UnixMillis(header.taken_at)),
        header.generation,
    )
}

/// The bytes as a UUID is written.
fn uuid(bytes: &[u8; 16]) -> String {
    let pair = |(at, byte): (usize, &u8)| {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        format!("{dash}{byte:02x}")
    };
    bytes.iter().enumerate().map(pair).collect()
}

/// A file under a temporary name; dropped before it is complete, it is removed.
struct Draft<'a> {
    out: &'a Path,
    force: bool,
    temporary: PathBuf,
    file: File,
    published: bool,
}

impl<'a> Draft<'a> {
    fn create(out: &'a Path, force: bool) -> Result<Self, Failure> {
        let Some(name) = out.file_name() else {
            return Err(Failure::Usage(format!("--out names no file: {}", out.display())));
        };
        // Looked at before anything is asked for; made sure of at the end.
        if !force && out.symlink_metadata().is_ok() {
            return Err(exists(out));
        }
        let process = std::process::id();
        let temporary = out.with_file_name(format!(".{}.{process}.new", name.to_string_lossy()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| failed(&temporary, &error))?;
        Ok(Self {
            out,
            force,
            temporary,
            file,
            published: false,
        })
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        (&self.file)
            .write_all(bytes)
            .map_err(|error| failed(&self.temporary, &error))
    }

    fn publish(mut self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| failed(&self.temporary, &error))?;
        if self.force {
            fs::rename(&self.temporary, self.out).map_err(|error| failed(self.out, &error))?;
            self.published = true;
        } else {
            // A second name for the file never replaces another file; the first name goes when this is dropped.
            fs::hard_link(&self.temporary, self.out).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => exists(self.out),
                _ => failed(self.out, &error),
            })?;
        }
        let directory = self.out.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| failed(self.out, &error))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.published {
            // What is left would be a hidden file with a part of a backup; there is nobody to tell more than once.
            drop(fs::remove_file(&self.temporary));
        }
    }
}

fn exists(out: &Path) -> Failure {
    Failure::data(format!(
        "{} is there already: give another name, or --force",
        out.display()
    ))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::System(format!("{}: {error}", path.display()))
}
