//! Policy sets of the workload, without a Nexus.
use std::sync::Arc;

use anyhow::{Result, anyhow};
use spike_policy::{Generation, Policy, PolicyId, PolicySet, Rule, UnixMillis};

use crate::workload::{Mix, policy_of};

/// Documents made, checked, and compiled into a set.
///
/// # Errors
/// When a document breaks a rule.
pub fn compile(size: usize, mix: Mix) -> Result<PolicySet> {
    let policies = (0..size).map(|at| stored(at, mix)).collect::<Result<Vec<_>>>()?;
    Ok(PolicySet::new(Generation(1), policies))
}

/// The `at`-th policy as Nexus stores it.
///
/// # Errors
/// When its document breaks a rule.
pub fn stored(at: usize, mix: Mix) -> Result<Arc<Policy>> {
    let document = policy_of(at, mix);
    let rule = Rule::try_from(&document).map_err(|faults| anyhow!("{}: {faults:?}", document.name))?;
    Ok(Arc::new(Policy {
        id: format!("00000000-0000-4000-8000-{at:012x}").parse::<PolicyId>()?,
        rule,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
    }))
}
