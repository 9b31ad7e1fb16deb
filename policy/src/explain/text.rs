//! The forms for people: whole lines, none of them ended by a blank.
use std::fmt;

use super::{Difference, Explanation, Link, Listing, NearMiss, Topic};
use crate::excerpt::quoted;
use crate::role::Scope;
use crate::{DenyReason, Grounds, Permission, Permissions, Policy, Verdict, reserved};

/// Characters of a differing text that are shown.
const SHOWN: usize = 40;

/// The reason of a denial in a sentence.
pub fn sentence(reason: DenyReason) -> &'static str {
    match reason {
        DenyReason::IdentityUnmatched => "no policy names this identity",
        DenyReason::PathUnmatched => "policies name this identity but not this path",
        DenyReason::PermissionMissing => "policies name this identity and this path, but the permission is missing",
        DenyReason::ReservedGuard => {
            "only policies that the guard of the reserved namespace rejects would give it; such a policy must match the \
             whole path and be anchored at both ends of its SPIFFE ID pattern"
        }
        DenyReason::LiteWorkload => "a lite workload may only use the cipher, whatever policies say",
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = self.access();
        let word = if self.is_allowed() { "allowed" } else { "denied" };
        writeln!(f, "{word}: {} on {} for {}", access.permission, access.path, access.who)?;
        match &self.verdict {
            Verdict::Allow(permit) => match permit.grounds() {
                Grounds::Policy(policy) => self.by_policy(policy, f)?,
                Grounds::Role(role) => {
                    writeln!(
                        f,
                        "  because it has the built-in role {}; no policy is needed",
                        role.as_str()
                    )?;
                }
            },
            Verdict::Deny(denial) => {
                writeln!(f, "  because {} ({})", sentence(denial.reason), denial.reason.as_str())?;
            }
        }
        write!(f, "  {}", self.counted())?;
        if let (false, Some(bare)) = (self.is_allowed(), access.path.as_str().strip_prefix('/')) {
            write!(
                f,
                "\n  paths are namespaces; did you mean \"{bare}\", without the leading slash?"
            )?;
        }
        if !self.near_misses.is_empty() {
            write!(f, "\nnear misses, nearest first:")?;
        }
        for miss in &self.near_misses {
            f.write_str("\n")?;
            self.near_miss(miss, f)?;
        }
        Ok(())
    }
}

impl Explanation {
    fn by_policy(&self, decided: &Policy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = &decided.rule;
        writeln!(f, "  because of policy '{}'", rule.name)?;
        writeln!(f, "    SPIFFE ID pattern {}", rule.spiffe_id)?;
        writeln!(f, "    path pattern {}", rule.path)?;
        writeln!(f, "    permissions {}", words(rule.permissions))?;
        let others: Vec<_> = self
            .matching
            .iter()
            .skip(1)
            .map(|policy| format!("'{}'", policy.rule.name))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        writeln!(f, "  also given by {}", others.join(", "))
    }

    fn counted(&self) -> String {
        let Self {
            policies,
            naming,
            generation,
            ..
        } = self;
        let (are, name) = (plural(*policies), if *naming == 1 { "names" } else { "name" });
        format!(
            "generation {} has {are}, {naming} of which {name} this identity",
            generation.0
        )
    }

    fn near_miss(&self, miss: &NearMiss, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (access, rule) = (self.access(), &miss.policy.rule);
        let links: Vec<_> = miss.missing().map(Link::as_str).collect();
        write!(f, "  policy '{}' misses {}", rule.name, links.join(" and "))?;
        if let Some(difference) = &miss.identity {
            write!(f, "\n    SPIFFE ID pattern {} does not match", rule.spiffe_id)?;
            differs(difference, access.who.as_str(), f)?;
        }
        if let Some(difference) = &miss.path {
            write!(f, "\n    path pattern {} does not match", rule.path)?;
            differs(difference, access.path.as_str(), f)?;
        }
        if miss.permission_missing {
            write!(
                f,
                "\n    it gives {}, not {}",
                words(rule.permissions),
                access.permission
            )?;
        }
        if miss.guarded {
            let what = if rule.path.full_match(access.path.as_str()) {
                format!("SPIFFE ID pattern {} is not anchored at both ends", rule.spiffe_id)
            } else {
                format!("path pattern {} does not match the whole path", rule.path)
            };
            write!(f, "\n    {what}, as the guard of the reserved namespace demands")?;
        }
        Ok(())
    }
}

/// Where a subject and a pattern's literal text part ways.
fn differs(difference: &Difference, subject: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Difference { common, wanted } = difference;
    let Some(wanted) = wanted else {
        return match subject.get(..*common) {
            None | Some("") => Ok(()),
            Some(begins) => write!(f, ", though both begin with {}", quoted(begins, SHOWN)),
        };
    };
    let found = subject.get(*common..).unwrap_or_default();
    let at = common + 1;
    match (wanted.is_empty(), found.is_empty()) {
        (true, _) => write!(
            f,
            ": it ends before character {at}, where {} follows",
            quoted(found, SHOWN)
        ),
        (false, true) => write!(
            f,
            ": at character {at} it has {}, where nothing follows",
            quoted(wanted, SHOWN)
        ),
        (false, false) => write!(
            f,
            ": at character {at} it has {} instead of {}",
            quoted(wanted, SHOWN),
            quoted(found, SHOWN)
        ),
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, of, generation) = (self.policies.len(), plural(self.of), self.generation.0);
        match &self.topic {
            Topic::WhoCan { path, permission } => {
                let open = if found == 1 { "opens" } else { "open" };
                write!(f, "{found} of {of} {open} {path}")?;
                if let Some(permission) = permission {
                    write!(f, " for {permission}")?;
                }
            }
            Topic::WhatCan { who, .. } => {
                let name = if found == 1 { "names" } else { "name" };
                write!(f, "{found} of {of} {name} {who}")?;
            }
        }
        write!(f, " (generation {generation})")?;
        if let Some(note) = note(&self.topic) {
            write!(f, "\n  {note}")?;
        }
        for policy in &self.policies {
            let rule = &policy.rule;
            write!(f, "\npolicy '{}' gives {}", rule.name, words(rule.permissions))?;
            write!(f, "\n  to {}\n  on {}", rule.spiffe_id, rule.path)?;
        }
        Ok(())
    }
}

/// What policies do not tell about it.
fn note(topic: &Topic) -> Option<&'static str> {
    match topic {
        Topic::WhoCan { path, .. } => {
            reserved::is_reserved(path).then_some("this path is reserved: only policies that describe it exactly count")
        }
        Topic::WhatCan { role, .. } => match role.scope() {
            Scope::Everything => Some("it has the built-in role superuser: it can do everything, without any policy"),
            Scope::OnlyCipher => {
                Some("it has the built-in role lite_workload: it can only execute spike/system/cipher/exec")
            }
            Scope::ByPolicy => None,
        },
    }
}

fn plural(policies: usize) -> String {
    if policies == 1 {
        "1 policy".to_owned()
    } else {
        format!("{policies} policies")
    }
}

fn words(permissions: Permissions) -> String {
    let words: Vec<_> = permissions.iter().map(Permission::as_str).collect();
    words.join(", ")
}
