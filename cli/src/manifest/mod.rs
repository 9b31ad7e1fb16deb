//! Policy files: what people keep in a repository.
//!
//! **Owns** finding the files, and saying in which file something is wrong.
//! **Refuses** to read YAML or judge a policy: that is `spike-policy`, the same that Nexus uses.
//! **Invariant**: either every document of every file is right, or every fault is reported and nothing is returned.
pub(crate) mod cases;
mod source;

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use spike_policy::{Fault, Rule, parse_rules};

use crate::failure::Failure;
use source::Source;
pub(crate) use source::holds_policies;

/// A policy of a file.
pub(crate) struct Written {
    /// What it says.
    pub(crate) rule: Rule,
    /// Where it begins: `file:line:column`.
    pub(crate) place: String,
}

/// Reads every policy of these files and directories; `-` is standard input.
///
/// # Errors
/// [`Failure::Data`] with every fault as `file:line:column: text`.
pub(crate) fn read(places: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Written>, Failure> {
    let mut faults = Vec::new();
    let mut policies = Vec::new();
    for source in source::find(places, stdin, &mut faults) {
        match parse_rules(&source.text) {
            Ok(rules) => policies.extend(rules.into_iter().map(|(rule, position)| {
                let place = format!("{}:{position}", source.name);
                Written { rule, place }
            })),
            Err(found) => faults.extend(found.iter().map(|fault| placed(&source, fault))),
        }
    }
    faults.extend(repeated_names(&policies));
    if faults.is_empty() {
        Ok(policies)
    } else {
        Err(Failure::Data(faults))
    }
}

/// One transaction cannot put two policies under one name.
fn repeated_names(policies: &[Written]) -> Vec<String> {
    let mut firsts: HashMap<&str, &str> = HashMap::new();
    let mut faults = Vec::new();
    for Written { rule, place } in policies {
        let first = *firsts.entry(rule.name.as_str()).or_insert(place);
        if first != place.as_str() {
            faults.push(format!(
                "{place}: policy '{}' is given twice, first at {first}",
                rule.name
            ));
        }
    }
    faults
}

/// `file:line:column: text`; without line and column when the fault has none.
fn placed(source: &Source, fault: &Fault) -> String {
    let separator = if fault.position.is_some() { ":" } else { ": " };
    format!("{}{separator}{fault}", source.name)
}

#[cfg(test)]
mod tests;
