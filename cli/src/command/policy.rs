//! `spike policy …`, but for apply, diff, explain, export and test.
use std::collections::HashMap;
use std::io;

use spike_policy::lint_all;
use spike_sdk::{Error, Filter};

use super::policy_flags::{from_flags, judged};
use super::prompt::{Answer, confirmed};
use super::session::Session;
use super::{policy_apply, policy_diff, policy_explain, policy_export, policy_test};
use crate::args::{Create, Delete, Files, Get, Lint, List, PolicyCommand, Which};
use crate::failure::{Failure, Subject};
use crate::manifest;
use crate::output::Output;

/// Does a policy command.
pub(super) fn run(command: PolicyCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        PolicyCommand::Create(args) => create(args, output),
        PolicyCommand::Apply(args) => policy_apply::run(args, output),
        PolicyCommand::List(args) => list(&args, output),
        PolicyCommand::Get(args) => get(&args, output),
        PolicyCommand::Delete(args) => delete(&args, output),
        PolicyCommand::Validate(args) => validate(&args, output),
        PolicyCommand::Lint(args) => lint(&args, output),
        PolicyCommand::Explain(args) => policy_explain::run(&args, output),
        PolicyCommand::Diff(args) => policy_diff::run(&args, output),
        PolicyCommand::Test(args) => policy_test::run(&args, output),
        PolicyCommand::Export(args) => policy_export::run(&args, output),
    }
}

fn create(args: Create, output: &mut Output) -> Result<(), Failure> {
    let policy = from_flags(args.policy).map_err(|missing| {
        let text = "All flags are required.".to_owned();
        Failure::Usage(
            missing
                .iter()
                .fold(text, |text, flag| text + &format!("\n  --{flag} is missing")),
        )
    })?;
    judged(&policy)?;
    let session = Session::open()?;
    match session.wait(session.client().policies().create(&policy)) {
        Ok(()) => Ok(output.line("Policy created successfully.")?),
        Err(Error::AlreadyExists) => Err(Failure::data(format!("Policy '{}' already exists.", policy.name))),
        Err(error) => Err(Failure::Call(error, Subject::PolicyWrite)),
    }
}

fn list(args: &List, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.format.parse()?;
    let filter = match (&args.spiffeid_pattern, &args.path_pattern) {
        (Some(text), _) if !text.is_empty() => Filter::SpiffeIdPattern(text.clone()),
        (_, Some(text)) if !text.is_empty() => Filter::PathPattern(text.clone()),
        _ => Filter::All,
    };
    let session = Session::open()?;
    let items = session.call(Subject::Policies, session.client().policies().list(&filter))?;
    Ok(output.policy_list(&items, format)?)
}

fn get(args: &Get, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.format.parse()?;
    let wanted = wanted(&args.which)?;
    let session = Session::open()?;
    let policy = session.call(Subject::Policies, session.client().policies().get(wanted))?;
    Ok(output.policy(&policy, format)?)
}

fn delete(args: &Delete, output: &mut Output) -> Result<(), Failure> {
    let wanted = wanted(&args.which)?;
    let session = Session::open()?;
    let policies = session.client().policies();
    let mut target = wanted.to_owned();
    if !args.yes {
        let name = match session.wait(policies.get(wanted)) {
            Ok(found) => {
                // What the person agrees to is what goes, even if the name is given to another policy meanwhile.
                target = if found.id.is_empty() {
                    found.name.clone()
                } else {
                    found.id
                };
                found.name
            }
            // Whoever may write but not read is asked about what was typed.
            Err(Error::Denied) => wanted.to_owned(),
            Err(error) => return Err(Failure::Call(error, Subject::Policies)),
        };
        let question = format!("Are you sure you want to delete policy '{name}'? (y/N): ");
        if confirmed(&question, output)? == Answer::No {
            return Ok(());
        }
    }
    session.call(Subject::PolicyWrite, policies.delete(&target))?;
    Ok(output.line("Policy deleted successfully.")?)
}

/// The position wins over the flag.
fn wanted(which: &Which) -> Result<&str, Failure> {
    let given = which
        .name_or_id
        .as_deref()
        .or(which.name.as_deref())
        .filter(|text| !text.is_empty());
    given.ok_or_else(|| Failure::Usage("policy name as argument or --name flag is required".to_owned()))
}

fn validate(args: &Files, output: &mut Output) -> Result<(), Failure> {
    let policies = manifest::read(&args.files, &mut io::stdin().lock())?;
    let many = if policies.len() == 1 {
        "policy is"
    } else {
        "policies are"
    };
    Ok(output.line(&format!("{} {many} valid.", policies.len()))?)
}

/// Findings are advice, so they are printed and the command succeeds, unless strictness was asked for.
fn lint(args: &Lint, output: &mut Output) -> Result<(), Failure> {
    let policies = manifest::read(&args.files.files, &mut io::stdin().lock())?;
    let places: HashMap<&str, &str> = policies
        .iter()
        .map(|policy| (policy.rule.name.as_str(), policy.place.as_str()))
        .collect();
    let findings = lint_all(policies.iter().map(|policy| &policy.rule));
    for (name, finding) in &findings {
        let place = places.get(name.as_str()).copied().unwrap_or_default();
        output.line(&format!("{place}: policy '{name}': {finding}"))?;
    }
    match findings.len() {
        0 => Ok(output.line("No findings.")?),
        many if args.strict => Err(Failure::data(format!("findings: {many}"))),
        _ => Ok(()),
    }
}
