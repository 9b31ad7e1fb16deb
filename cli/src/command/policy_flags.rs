//! A policy that was said on the command line, flag by flag.
use spike_policy::{PolicyDocument, Rule};

use crate::args::PolicyFlags;
use crate::failure::Failure;

/// The policy that flags describe; the names of the flags that are not there otherwise.
pub(super) fn from_flags(flags: PolicyFlags) -> Result<PolicyDocument, Vec<&'static str>> {
    let mut missing = Vec::new();
    let mut given = |flag: &'static str, value: Option<String>| {
        let value = value.unwrap_or_default();
        if value.is_empty() {
            missing.push(flag);
        }
        value
    };
    let name = given("name", flags.name);
    let path_pattern = given("path-pattern", flags.path_pattern);
    let spiffeid_pattern = given("spiffeid-pattern", flags.spiffeid_pattern);
    let permissions = given("permissions", flags.permissions);
    let words = permissions
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned);
    let policy = PolicyDocument {
        name,
        spiffeid_pattern,
        path_pattern,
        permissions: words.collect(),
    };
    if missing.is_empty() { Ok(policy) } else { Err(missing) }
}

/// Every fault of a policy, before anybody is asked.
pub(super) fn judged(policy: &PolicyDocument) -> Result<(), Failure> {
    match Rule::try_from(policy) {
        Ok(_) => Ok(()),
        Err(faults) => Err(Failure::Data(faults.into_iter().map(|fault| fault.text).collect())),
    }
}
