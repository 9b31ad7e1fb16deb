//! `spike policy export`: what `apply` reads again.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spike_policy::{PolicyDocument, to_yaml};

use super::policy_stored;
use super::session::Session;
use crate::args::Export;
use crate::failure::Failure;
use crate::manifest;
use crate::output::{Format, Output, policy_json};

/// Prints or writes every policy.
pub(super) fn run(args: &Export, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.parse()?;
    let session = Session::open()?;
    let documents = policy_stored::all(&session)?;
    match &args.out {
        None if format == Format::Json => Ok(output.policy_documents(&documents)?),
        None => Ok(output.exact(&to_yaml(&documents))?),
        Some(directory) => write(directory, &documents, (format, output)),
    }
}

/// One file per policy. Files of other names stay; those that `apply` would read as policies are named.
fn write(directory: &Path, documents: &[PolicyDocument], print: (Format, &mut Output)) -> Result<(), Failure> {
    let (format, output) = print;
    let failed = |path: &Path, error: &std::io::Error| Failure::System(format!("{}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let extension = if format == Format::Json { "json" } else { "yaml" };
    let mut written = BTreeSet::new();
    for document in documents {
        // A policy's name is letters, digits, `-`, `_` and blanks: a file's name as it is. Nexus need not keep to that.
        if document.name.is_empty() || document.name.contains(['/', '\\', '.', '\0']) {
            return Err(Failure::data(format!(
                "policy '{}': its name is no file name",
                document.name
            )));
        }
        let file = format!("{}.{extension}", document.name);
        let text = match format {
            Format::Json => policy_json(document)?,
            Format::Human | Format::Yaml => to_yaml([document]),
        };
        let path = directory.join(&file);
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        written.insert(file);
    }
    output.line(&format!(
        "Exported {} policies to {}",
        written.len(),
        directory.display()
    ))?;
    for entry in fs::read_dir(directory).map_err(|error| failed(directory, &error))? {
        let name = entry.map_err(|error| failed(directory, &error))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if manifest::holds_policies(Path::new(&name)) && !written.contains(&name) {
            output.line(&format!("Left as it was: {name}"))?;
        }
    }
    Ok(())
}
