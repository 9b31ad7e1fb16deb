//! `spike operator …`
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use spike_wire::go_json::Shard;
use zeroize::Zeroizing;

use super::backup;
use super::keys;
use super::session::Session;
use crate::args::{OperatorCommand, Recover};
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Does an operator command.
pub(super) fn run(command: OperatorCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Recover(args) => recover(&args, output),
        OperatorCommand::Restore(args) => keys::restore(&args, output),
        OperatorCommand::Rotate => keys::rotate(output),
        OperatorCommand::Rekey(args) => keys::rekey(&args, output),
        OperatorCommand::Status(format) => keys::status(&format, output),
        OperatorCommand::Backup(args) => backup::take(&args, output),
        OperatorCommand::RestoreBackup(args) => backup::restore(&args),
    }
}

fn recover(args: &Recover, output: &mut Output) -> Result<(), Failure> {
    let directory = below(args.directory.as_ref(), args.home.as_ref(), "recover")?;
    prepare(&directory).map_err(|error| failed(&directory, &error))?;
    let session = Session::open()?;
    let shards = session.call(Subject::Recovery, session.client().operator().recover())?;
    if shards.is_empty() {
        return Err(Failure::data("SPIKE Nexus gave no shards"));
    }
    save(&directory, &shards).map_err(|error| failed(&directory, &error))?;
    Ok(output.text(&format!(
        "
  SPIKE Recovery shards saved to the recovery directory:
  {}

  Please make sure that:
    1. You encrypt these shards and keep them safe.
    2. Securely erase the shards from the
       recovery directory after you encrypt them
       and save them to a safe location.

  If you lose these shards, you will not be able to recover
  SPIKE Nexus in the unlikely event of a total system crash.

",
        directory.display()
    ))?)
}

/// SPIKE's: `~/.spike/recover`, or `recover` below the directory that was chosen. And so for other names.
pub(super) fn below(chosen: Option<&PathBuf>, home: Option<&PathBuf>, name: &str) -> Result<PathBuf, Failure> {
    let home = || home.map(|home| home.join(".spike").join(name));
    chosen
        .filter(|path| !path.as_os_str().is_empty())
        .map(|base| base.join(name))
        .or_else(home)
        .ok_or_else(|| Failure::Usage("there is no home directory: give --directory".to_owned()))
}

/// Looked at before the shards are asked for: they should not be on their way to a place that others can read.
pub(super) fn prepare(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mode = fs::metadata(directory)?.permissions().mode();
    if mode & 0o022 == 0 {
        Ok(())
    } else {
        Err(io::Error::other("others may write to it; run chmod 700 on it"))
    }
}

/// The new files are complete before the old ones go: a full disk must not leave us without either.
pub(super) fn save(directory: &Path, shards: &BTreeMap<i64, Shard>) -> io::Result<()> {
    let name = |id: &i64| format!("spike.recovery.{id}.txt");
    let draft = |id: &i64| directory.join(format!(".{}.new", name(id)));
    for (id, shard) in shards {
        // One that an interrupted run left behind.
        match fs::remove_file(draft(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft(id))?;
        file.write_all(text_of(*id, shard).as_bytes())?;
        file.sync_all()?;
    }
    for old in fs::read_dir(directory)? {
        let old = old?;
        let file = old.file_name();
        let file = file.to_string_lossy();
        if file.starts_with("spike.recovery") && file.ends_with(".txt") {
            fs::remove_file(old.path())?;
        }
    }
    for id in shards.keys() {
        fs::rename(draft(id), directory.join(name(id)))?;
    }
    fs::File::open(directory)?.sync_all()
}

/// Saves a root key as a key file has it; where.
pub(super) fn save_key(directory: &Path, key: &Shard) -> io::Result<PathBuf> {
    let path = directory.join("root.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    add_hex(&mut text, key);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::File::open(directory)?.sync_all()?;
    Ok(path)
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

pub(super) fn failed(directory: &Path, error: &io::Error) -> Failure {
    Failure::System(format!("{}: {error}", directory.display()))
}
