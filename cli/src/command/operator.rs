//! `spike operator …`
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use spike_wire::go_json::Shard;
use zeroize::Zeroizing;

use super::session::Session;
use crate::args::{OperatorCommand, Recover};
use crate::failure::{Failure, Subject};
use crate::output::Output;

/// Does an operator command.
pub(super) fn run(command: OperatorCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Recover(args) => recover(&args, output),
    }
}

fn recover(args: &Recover, output: &mut Output) -> Result<(), Failure> {
    let directory = directory(args)?;
    prepare(&directory).map_err(|error| failed(&directory, &error))?;
    let session = Session::open()?;
    let shards = session.call(Subject::Recovery, session.client().operator().recover())?;
    if shards.is_empty() {
        return Err(Failure::data("SPIKE Nexus gave no shards"));
    }
    save(&directory, &shards).map_err(|error| failed(&directory, &error))?;
    output.line(&format!(
        "Saved {} recovery shards to {}",
        shards.len(),
        directory.display()
    ))?;
    Ok(output.text(
        "Whoever has enough of these files has the root key.\n\
         Bring each to a different safe place, then delete them here.\n",
    )?)
}

/// SPIKE's: `~/.spike/recover`, or `recover` below the directory that was chosen.
fn directory(args: &Recover) -> Result<PathBuf, Failure> {
    let below = |base: &PathBuf| base.join("recover");
    let home = || args.home.as_ref().map(|home| home.join(".spike/recover"));
    args.directory
        .as_ref()
        .filter(|path| !path.as_os_str().is_empty())
        .map(below)
        .or_else(home)
        .ok_or_else(|| Failure::Usage("there is no home directory: give --directory".to_owned()))
}

/// Looked at before the shards are asked for: they should not be on their way to a place that others can read.
fn prepare(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mode = fs::metadata(directory)?.permissions().mode();
    if mode & 0o022 == 0 {
        Ok(())
    } else {
        Err(io::Error::other("others may write to it; run chmod 700 on it"))
    }
}

/// The new files are complete before the old ones go: a full disk must not leave us without either.
fn save(directory: &Path, shards: &BTreeMap<i64, Shard>) -> io::Result<()> {
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

/// `spike:<number>:<64 hexadecimal digits>`
fn text_of(id: i64, shard: &Shard) -> Zeroizing<String> {
    // Room for all of it at once: a growing text would leave parts behind.
    let mut text = Zeroizing::new(String::with_capacity(100));
    text.push_str("spike:");
    text.push_str(&id.to_string());
    text.push(':');
    for byte in shard.as_bytes() {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or_default());
        }
    }
    text
}

fn failed(directory: &Path, error: &io::Error) -> Failure {
    Failure::System(format!("{}: {error}", directory.display()))
}
