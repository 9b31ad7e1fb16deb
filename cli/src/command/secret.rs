//! `spike secret …`
use std::io::{self, Read};
use std::path::Path;
use std::{fs, mem};

use spike_policy::{KeyName, SecretPath};
use spike_sdk::{SecretData, Versions};
use zeroize::Zeroizing;

use super::session::Session;
use crate::args::{MetadataCommand, Put, SecretCommand, SecretVersions};
use crate::failure::{Failure, Subject};
use crate::output::{Format, Output};

/// Does a secret command.
pub(super) fn run(command: SecretCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        SecretCommand::Put(args) => put(&args, output),
        SecretCommand::Get {
            path,
            key,
            version,
            format,
        } => get(&path, key.as_deref(), version, (format.format.parse()?, output)),
        SecretCommand::List { format } => list(format.format.parse()?, output),
        SecretCommand::Delete(args) => delete(&args, output),
        SecretCommand::Undelete(args) => undelete(&args, output),
        SecretCommand::Metadata(MetadataCommand::Get { path, version, format }) => {
            metadata(&path, version, format.format.parse()?, output)
        }
    }
}

fn put(args: &Put, output: &mut Output) -> Result<(), Failure> {
    let data = typed(args)?;
    let session = Session::open()?;
    session.call(Subject::Secrets, session.client().secrets().put(&args.path, data))?;
    Ok(output.line("OK")?)
}

/// The keys and values of a command line; every fault of it.
fn typed(args: &Put) -> Result<SecretData, Failure> {
    let mut faults = path_fault(&args.path);
    let mut entries: Vec<(&str, Zeroizing<String>)> = Vec::new();
    let pairs = args.pairs.iter().map(|pair| (pair, false));
    let files = args.from_file.iter().map(|pair| (pair, true));
    for (at, (pair, in_file)) in pairs.chain(files).enumerate() {
        let Some((key, text)) = pair.split() else {
            // What was typed may be the secret itself, so it is not repeated.
            faults.push(format!(
                "Invalid key-value pair: argument {} after the path has no `=`",
                at + 1
            ));
            continue;
        };
        faults.extend(key.parse::<KeyName>().err().map(|error| error.to_string()));
        if entries.iter().any(|(given, _)| *given == key) {
            faults.push(format!("key `{key}` is given twice"));
        }
        let value = if in_file {
            content(Path::new(text))
        } else {
            Ok(Zeroizing::new(text.to_owned()))
        };
        match value {
            Ok(value) => entries.push((key, value)),
            Err(error) => faults.push(format!("{text}: {error}")),
        }
    }
    if !faults.is_empty() {
        return Err(Failure::Data(faults));
    }
    Ok(entries
        .into_iter()
        .map(|(key, mut value)| (key, mem::take(&mut *value)))
        .collect())
}

/// The whole text of a file, or of standard input.
fn content(file: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if file.as_os_str() == "-" {
        io::stdin().lock().read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?.read_to_string(&mut text)?;
    }
    Ok(text)
}

fn get(path: &str, key: Option<&str>, version: u32, print: (Format, &mut Output)) -> Result<(), Failure> {
    checked(path)?;
    let (format, output) = print;
    let session = Session::open()?;
    let secret = session.call(Subject::Secrets, session.client().secrets().get_version(path, version))?;
    match key {
        Some(key) => match secret.data.get(key) {
            Some(value) => Ok(output.secret_value(value, format)?),
            None => Err(Failure::data("Key not found.")),
        },
        None if secret.data.is_empty() && format == Format::Human => Err(Failure::data("Secret has no data.")),
        None => Ok(output.secret_data(&secret.data, format)?),
    }
}

fn list(format: Format, output: &mut Output) -> Result<(), Failure> {
    let session = Session::open()?;
    let paths = session.call(Subject::Secrets, session.client().secrets().list())?;
    Ok(output.secret_list(&paths, format)?)
}

fn delete(args: &SecretVersions, output: &mut Output) -> Result<(), Failure> {
    checked(&args.path)?;
    let versions = versions(&args.versions)?;
    let session = Session::open()?;
    session.call(
        Subject::Secrets,
        session.client().secrets().delete(&args.path, &versions),
    )?;
    Ok(output.line("OK")?)
}

fn undelete(args: &SecretVersions, output: &mut Output) -> Result<(), Failure> {
    checked(&args.path)?;
    let versions = versions(&args.versions)?;
    let session = Session::open()?;
    session.call(
        Subject::Secrets,
        session.client().secrets().undelete(&args.path, &versions),
    )?;
    Ok(output.line("OK")?)
}

fn metadata(path: &str, version: u32, format: Format, output: &mut Output) -> Result<(), Failure> {
    checked(path)?;
    let session = Session::open()?;
    let metadata = session.call(Subject::Secrets, session.client().secrets().metadata(path, version))?;
    Ok(output.secret_metadata(&metadata, format)?)
}

fn checked(path: &str) -> Result<(), Failure> {
    let faults = path_fault(path);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::Data(faults))
    }
}

fn path_fault(path: &str) -> Vec<String> {
    path.parse::<SecretPath>()
        .err()
        .map(|_| format!("Invalid secret path: {path}"))
        .into_iter()
        .collect()
}

/// A comma-separated list of version numbers; none, or a lone 0, is the current version.
fn versions(list: &str) -> Result<Versions, Failure> {
    if matches!(list.trim(), "" | "0") {
        return Ok(Versions::CURRENT);
    }
    list.split(',').map(str::trim).map(version).collect()
}

fn version(word: &str) -> Result<u32, Failure> {
    word.parse().map_err(|_| {
        let digits = word.strip_prefix('-').unwrap_or_default();
        let kind = if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            "Negative"
        } else {
            "Invalid"
        };
        Failure::Usage(format!("{kind} version number: {word}"))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn version_lists_are_read_with_blanks_and_every_number_counts() {
        for (list, numbers) in [
            ("", &[][..]),
            ("0", &[]),
            (" 0 ", &[]),
            ("1", &[1]),
            ("1, 2,3", &[1, 2, 3]),
            ("0,1", &[0, 1]),
        ] {
            assert_eq!(versions(list).unwrap().numbers(), numbers, "{list:?}");
        }
        for (list, text) in [
            ("x", "Invalid version number: x"),
            ("1,,2", "Invalid version number: "),
            ("-1", "Negative version number: -1"),
            ("1,-2", "Negative version number: -2"),
            ("-", "Invalid version number: -"),
            ("99999999999", "Invalid version number: 99999999999"),
        ] {
            assert_eq!(
                versions(list).unwrap_err().text(),
                format!("Error: {text}\n"),
                "{list:?}"
            );
        }
    }
}
