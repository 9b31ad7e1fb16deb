//! Cases of a policy test, as people keep them beside their policies.
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use spike_policy::{Access, AccessPath, InvalidPath, Permission, SpiffeId};

use crate::failure::Failure;

/// The largest file of cases.
const MOST: u64 = 16 << 20;

/// An access and what is wanted of it.
pub(crate) struct Case {
    /// `file: case 3`, with its name if it has one.
    pub(crate) place: String,
    /// Who wants what.
    pub(crate) access: Access,
    /// Whether it is to be allowed.
    pub(crate) allowed: bool,
    /// The word of the reason, if it matters.
    pub(crate) reason: Option<String>,
    /// The policy that is to decide, if it matters.
    pub(crate) policy: Option<String>,
}

/// A case as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    name: String,
    spiffeid: String,
    path: String,
    permission: String,
    expect: Expected,
    reason: Option<String>,
    policy: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// Every case of these files; `-` is standard input.
///
/// # Errors
/// [`Failure::Data`] with every fault.
pub(crate) fn read(places: &[PathBuf]) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for place in places {
        let name = place.display();
        match content(place).and_then(|text| {
            serde_saphyr::from_str::<Vec<Written>>(&text)
                .map_err(|error| io::Error::other(first_line(&error.to_string())))
        }) {
            Err(error) => faults.push(format!("{name}: {error}")),
            Ok(written) => {
                for (written, number) in written.into_iter().zip(1..) {
                    let place = match written.name.as_str() {
                        "" => format!("{name}: case {number}"),
                        case => format!("{name}: case {number} ({case})"),
                    };
                    match case(written, place) {
                        Ok(case) => cases.push(case),
                        Err(more) => faults.extend(more),
                    }
                }
            }
        }
    }
    if faults.is_empty() && cases.is_empty() {
        faults.push("there is no case to test".to_owned());
    }
    if faults.is_empty() {
        Ok(cases)
    } else {
        Err(Failure::Data(faults))
    }
}

fn case(written: Written, place: String) -> Result<Case, Vec<String>> {
    let mut faults = Vec::new();
    let mut note = |fault: String| faults.push(format!("{place}: {fault}"));
    let who = written
        .spiffeid
        .parse::<SpiffeId>()
        .map_err(|fault| note(fault.to_string()));
    let path = written
        .path
        .parse::<AccessPath>()
        .map_err(|fault: InvalidPath| note(fault.to_string()));
    let permission = written
        .permission
        .parse::<Permission>()
        .map_err(|fault| note(fault.to_string()));
    let (Ok(who), Ok(path), Ok(permission)) = (who, path, permission) else {
        return Err(faults);
    };
    Ok(Case {
        place,
        access: Access { who, permission, path },
        allowed: written.expect == Expected::Allow,
        reason: written.reason,
        policy: written.policy,
    })
}

fn content(place: &Path) -> io::Result<String> {
    let mut text = String::new();
    if place.as_os_str() == "-" {
        io::stdin().lock().take(MOST).read_to_string(&mut text)?;
    } else {
        fs::File::open(place)?.take(MOST).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The parser draws a picture of the place below its message.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
