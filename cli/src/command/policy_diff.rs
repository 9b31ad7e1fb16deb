//! `spike policy diff`: what applying files would change.
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use spike_policy::{Permission, Permissions, PolicyDocument};

use super::policy_stored;
use super::session::Session;
use crate::args::Diff;
use crate::failure::Failure;
use crate::manifest;
use crate::output::{Change, Changed, FieldChange, Output};

/// Compares files with Nexus.
pub(super) fn run(args: &Diff, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.parse()?;
    let written: Vec<PolicyDocument> = manifest::read(&args.files.files, &mut io::stdin().lock())?
        .iter()
        .map(|policy| PolicyDocument::from(&policy.rule))
        .collect();
    let session = Session::open()?;
    let stored = policy_stored::all(&session)?;
    let changes = changes(&written, &stored, args.prune);
    output.policy_changes(&changes, format)?;
    if args.strict && !changes.is_empty() {
        return Err(Failure::Incomplete);
    }
    Ok(())
}

fn changes(written: &[PolicyDocument], stored: &[PolicyDocument], prune: bool) -> Vec<Change> {
    let by_name: BTreeMap<&str, &PolicyDocument> = stored.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    let kept: BTreeSet<&str> = written.iter().map(|policy| policy.name.as_str()).collect();
    let mut changes: Vec<Change> = written
        .iter()
        .filter_map(|policy| {
            let before = by_name.get(policy.name.as_str()).copied();
            let fields = fields(before, Some(policy));
            let change = if before.is_some() {
                Changed::Updated
            } else {
                Changed::Created
            };
            (!fields.is_empty()).then(|| change.of(&policy.name, fields))
        })
        .collect();
    let surplus = stored
        .iter()
        .filter(|policy| prune && !kept.contains(policy.name.as_str()));
    changes.extend(surplus.map(|policy| Changed::Removed.of(&policy.name, fields(Some(policy), None))));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

/// A field's key, and its value as text.
type Field = (&'static str, fn(&PolicyDocument) -> String);

/// The fields that differ.
fn fields(before: Option<&PolicyDocument>, after: Option<&PolicyDocument>) -> Vec<FieldChange> {
    let rows: [Field; 3] = [
        ("spiffeidPattern", |policy| policy.spiffeid_pattern.clone()),
        ("pathPattern", |policy| policy.path_pattern.clone()),
        ("permissions", |policy| words(&policy.permissions)),
    ];
    let differs = |(field, of): Field| {
        let (stored, written) = (before.map(of), after.map(of));
        (stored != written).then_some(FieldChange { field, stored, written })
    };
    rows.into_iter().filter_map(differs).collect()
}

/// Order and repetition of permissions mean nothing.
fn words(permissions: &[String]) -> String {
    let sorted = Permissions::parse(permissions).map(|set| set.iter().map(Permission::as_str).collect::<Vec<_>>());
    sorted.map_or_else(|_| permissions.join(", "), |words| words.join(", "))
}
