//! `spike policy explain`: why an access is allowed or denied, asked of Nexus or of policy files.
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use spike_policy::explain::{LIMIT, what_can, who_can};
use spike_policy::{
    Access, AccessPath, Generation, InvalidPath, Permission, Policy, PolicyId, PolicySet, Roles, SpiffeId, UnixMillis,
    explain,
};
use spike_sdk::Error;
use spike_wire::access::AccessResponse;
use spike_wire::feed::Line;

use super::session::Session;
use crate::args::Explain;
use crate::failure::{Failure, Subject};
use crate::manifest;
use crate::output::Output;

/// What is asked.
enum Question {
    Access(Access),
    WhoCan(AccessPath, Option<Permission>),
    WhatCan(SpiffeId),
}

/// Answers the question that the flags ask.
pub(super) fn run(args: &Explain, output: &mut Output) -> Result<(), Failure> {
    let format = args.format.format.parse()?;
    match question(args)? {
        Question::Access(access) => {
            let answer = if args.files.is_empty() {
                asked(&access)?
            } else {
                let set = of_files(&args.files)?;
                AccessResponse::from(&explain(&set, &Roles::default(), access, LIMIT))
            };
            output.access(&answer, format)?;
            if answer.allowed {
                Ok(())
            } else {
                Err(Failure::AccessDenied)
            }
        }
        Question::WhoCan(path, permission) => {
            Ok(output.listing(&who_can(&policies(args)?, &path, permission), format)?)
        }
        Question::WhatCan(who) => Ok(output.listing(&what_can(&policies(args)?, &Roles::default(), &who), format)?),
    }
}

/// The question, or everything that is wrong with it.
fn question(args: &Explain) -> Result<Question, Failure> {
    let mut faults = Vec::new();
    let id = |text: &Option<String>, faults: &mut Vec<String>| {
        let id = text.as_ref()?.parse::<SpiffeId>();
        id.map_err(|fault| faults.push(fault.to_string())).ok()
    };
    let path = |text: &Option<String>, faults: &mut Vec<String>| {
        let path = text.as_ref()?.parse::<AccessPath>();
        path.map_err(|fault: InvalidPath| faults.push(fault.to_string())).ok()
    };
    let permission = args.permission.as_ref().and_then(|word| {
        let permission = word.parse::<Permission>();
        permission.map_err(|fault| faults.push(fault.to_string())).ok()
    });
    let (who, what) = (id(&args.spiffeid, &mut faults), path(&args.path, &mut faults));
    let (of, on) = (id(&args.what_can, &mut faults), path(&args.who_can, &mut faults));
    if !faults.is_empty() {
        return Err(Failure::Data(faults));
    }
    match (of, on, who, what, permission) {
        (Some(who), ..) => Ok(Question::WhatCan(who)),
        (_, Some(path), .., permission) => Ok(Question::WhoCan(path, permission)),
        (_, _, Some(who), Some(path), Some(permission)) => Ok(Question::Access(Access { who, permission, path })),
        _ => Err(Failure::Usage(
            "--spiffeid, --path and --permission are required together".to_owned(),
        )),
    }
}

fn asked(access: &Access) -> Result<AccessResponse, Failure> {
    let session = Session::open()?;
    let policies = session.client().policies();
    let check = policies.check(access.who.as_str(), access.path.as_str(), access.permission);
    session.call(Subject::Policies, check)
}

/// All policies: of the files, or of Nexus.
fn policies(args: &Explain) -> Result<PolicySet, Failure> {
    if args.files.is_empty() {
        of_nexus()
    } else {
        of_files(&args.files)
    }
}

/// The policies as Nexus has them in one generation: the snapshot with which its feed begins.
fn of_nexus() -> Result<PolicySet, Failure> {
    let session = Session::open()?;
    let policies = session.client().policies();
    let first = async { policies.watch(None).await?.next().await.transpose() };
    match session.call(Subject::Policies, first)? {
        Some(Line::Snapshot(snapshot)) => {
            let generation = Generation(snapshot.generation);
            let policies: Result<Vec<_>, _> = snapshot.policies.into_iter().map(Policy::try_from).collect();
            let policies = policies.map_err(|faults| {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                unreadable(format!("a policy of SPIKE Nexus is none here: {}", faults.join("; ")))
            })?;
            Ok(PolicySet::new(generation, policies.into_iter().map(Arc::new)))
        }
        Some(Line::Delta(_) | Line::Heartbeat(_)) | None => {
            Err(unreadable("the policy feed did not begin with a snapshot".to_owned()))
        }
    }
}

fn unreadable(reason: String) -> Failure {
    Failure::Call(Error::Unreadable { reason }, Subject::Policies)
}

/// The policies of the files, as generation 0.
pub(super) fn of_files(files: &[PathBuf]) -> Result<PolicySet, Failure> {
    let written = manifest::read(files, &mut io::stdin().lock())?;
    let policies = (0_u64..).zip(written).map(|(number, policy)| {
        // A file gives no id; inside the set each policy needs its own.
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(number.to_le_bytes()) {
            *place = byte;
        }
        Arc::new(Policy {
            id: PolicyId::from_bytes(bytes),
            rule: policy.rule,
            created_at: UnixMillis(0),
            updated_at: UnixMillis(0),
        })
    });
    Ok(PolicySet::new(Generation(0), policies))
}
