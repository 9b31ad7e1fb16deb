//! `spike policy apply`: files or flags, all or nothing.
use std::collections::HashSet;
use std::io;

use spike_policy::{Permissions, PolicyDocument};
use spike_sdk::{Error, Filter, Policies};
use spike_wire::policies::{GetResponse, Outcome};

use super::policy_flags::{from_flags, judged};
use super::prompt::{Answer, confirmed};
use super::session::Session;
use crate::args::Apply;
use crate::failure::{Failure, Subject};
use crate::manifest;
use crate::output::Output;

/// Applies policies.
pub(super) fn run(args: Apply, output: &mut Output) -> Result<(), Failure> {
    let (dry_run, prune, yes) = (args.dry_run, args.prune, args.yes);
    let documents = documents(args)?;
    let session = Session::open()?;
    let policies = session.client().policies();
    let surplus = if prune {
        surplus(&session, policies, &documents)?
    } else {
        Vec::new()
    };
    if dry_run {
        return rehearse(&session, &documents, &surplus, output);
    }
    if !surplus.is_empty() && !yes {
        let names = surplus.join("', '");
        let question = format!("Are you sure you want to delete policy '{names}'? (y/N): ");
        if confirmed(&question, output)? == Answer::No {
            return Ok(());
        }
    }
    match documents.as_slice() {
        [one] => {
            session.call(Subject::PolicyWrite, policies.put(one))?;
            output.line(&format!("Policy '{}' applied successfully", one.name))?;
        }
        several => {
            let answer = session.call(Subject::PolicyWrite, policies.apply(several))?;
            output.applied(answer.applied.as_deref().unwrap_or_default())?;
        }
    }
    for name in surplus {
        match session.wait(policies.delete(&name)) {
            Ok(()) | Err(Error::NotFound) => output.line(&format!("Policy '{name}' deleted successfully"))?,
            Err(error) => return Err(Failure::Call(error, Subject::PolicyWrite)),
        }
    }
    Ok(())
}

fn documents(args: Apply) -> Result<Vec<PolicyDocument>, Failure> {
    if !args.files.is_empty() {
        let written = manifest::read(&args.files, &mut io::stdin().lock())?;
        return Ok(written
            .iter()
            .map(|policy| PolicyDocument::from(&policy.rule))
            .collect());
    }
    let policy = from_flags(args.policy).map_err(|missing| {
        let flags: Vec<_> = missing.iter().map(|flag| format!("--{flag}")).collect();
        Failure::Usage(format!(
            "Invalid input provided.\nrequired flags are missing: {} (or use --file to read from YAML)",
            flags.join(", ")
        ))
    })?;
    judged(&policy)?;
    Ok(vec![policy])
}

/// Names of the policies that the documents do not hold, sorted.
fn surplus(session: &Session, policies: Policies<'_>, documents: &[PolicyDocument]) -> Result<Vec<String>, Failure> {
    let kept: HashSet<_> = documents.iter().map(|document| document.name.as_str()).collect();
    let items = session.call(Subject::Policies, policies.list(&Filter::All))?;
    let mut names: Vec<_> = items
        .into_iter()
        .map(|item| item.name)
        .filter(|name| !kept.contains(name.as_str()))
        .collect();
    names.sort();
    Ok(names)
}

fn rehearse(
    session: &Session,
    documents: &[PolicyDocument],
    surplus: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    for document in documents {
        let outcome = match session.wait(session.client().policies().get(&document.name)) {
            Ok(stored) if is_same(&stored, document) => Outcome::Unchanged,
            Ok(_) => Outcome::Updated,
            Err(Error::NotFound) => Outcome::Created,
            Err(error) => return Err(Failure::Call(error, Subject::Policies)),
        };
        let words = match outcome {
            Outcome::Created => "would be created",
            Outcome::Updated => "would be updated",
            Outcome::Unchanged => "is unchanged",
        };
        output.line(&format!("Policy '{}' {words}", document.name))?;
    }
    for name in surplus {
        output.line(&format!("Policy '{name}' would be deleted"))?;
    }
    Ok(())
}

/// Order and repetition of permissions mean nothing.
fn is_same(stored: &GetResponse, document: &PolicyDocument) -> bool {
    let words = stored.permissions.as_deref().unwrap_or_default();
    stored.spiffeid_pattern == document.spiffeid_pattern
        && stored.path_pattern == document.path_pattern
        && Permissions::parse(words).is_ok_and(|stored| Permissions::parse(&document.permissions) == Ok(stored))
}
