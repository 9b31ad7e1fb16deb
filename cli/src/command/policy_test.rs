//! `spike policy test`: whether policies say what their authors want, case by case.
use spike_policy::explain::LIMIT;
use spike_policy::{Access, Roles, explain};
use spike_wire::access::AccessResponse;

use super::policy_explain;
use super::session::Session;
use crate::args::Test;
use crate::failure::{Failure, Subject};
use crate::manifest::cases::{self, Case};
use crate::output::{Checked, Output};

/// Judges every case, by policy files or by Nexus.
pub(super) fn run(args: &Test, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.parse()?;
    let cases = cases::read(&args.cases)?;
    let checked = if args.files.is_empty() {
        by_nexus(cases)?
    } else {
        let set = policy_explain::of_files(&args.files)?;
        let judge = |access: Access| Ok(AccessResponse::from(&explain(&set, &Roles::default(), access, LIMIT)));
        cases
            .into_iter()
            .map(|case| checked(case, judge))
            .collect::<Result<Vec<_>, _>>()?
    };
    let failed = checked.iter().any(|case| !case.passed);
    output.checked_cases(&checked, format)?;
    if failed { Err(Failure::Incomplete) } else { Ok(()) }
}

fn by_nexus(cases: Vec<Case>) -> Result<Vec<Checked>, Failure> {
    let session = Session::open()?;
    let judge = |access: Access| {
        let policies = session.client().policies();
        let check = policies.check(access.who.as_str(), access.path.as_str(), access.permission);
        session.call(Subject::Policies, check)
    };
    cases.into_iter().map(|case| checked(case, judge)).collect()
}

fn checked(case: Case, judge: impl Fn(Access) -> Result<AccessResponse, Failure>) -> Result<Checked, Failure> {
    let question = case.access.clone();
    let answer = judge(case.access)?;
    let decided_by = answer.matching_policies.as_deref().and_then(<[String]>::first).cloned();
    let mut faults = Vec::new();
    if answer.allowed != case.allowed {
        let word = |allowed| if allowed { "allowed" } else { "denied" };
        faults.push(format!("it is {}, not {}", word(answer.allowed), word(case.allowed)));
    }
    if let Some(reason) = case.reason.filter(|reason| *reason != answer.reason) {
        faults.push(format!("the reason is {}, not {reason}", answer.reason));
    }
    if let Some(policy) = case.policy.filter(|policy| Some(policy) != decided_by.as_ref()) {
        let by = decided_by.as_deref().unwrap_or("no policy");
        faults.push(format!("it is decided by {by}, not {policy}"));
    }
    Ok(Checked {
        place: case.place,
        spiffeid: question.who.to_string(),
        path: question.path.to_string(),
        permission: question.permission.to_string(),
        allowed: answer.allowed,
        reason: answer.reason,
        passed: faults.is_empty(),
        faults,
    })
}
