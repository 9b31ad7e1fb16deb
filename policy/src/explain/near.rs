//! The policies around one access, nearest first.
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use super::difference::{Compared, Difference};
use super::link::Link;
use super::memo::{Paths, Strangers};
use crate::{Access, Grounds, IdentityView, Permit, Policy, PolicySet, reserved};

/// A policy with more missing links is no near miss.
const MOST_MISSING: usize = 2;
/// How many patterns are compiled to answer one question, at most: some 0.1 ms each. Where more would have to be, the
/// policies that are nearer by what is known of them come first, and the rest are not told.
const COMPILED: usize = 512;

/// A policy that would give the access if it were not for its missing links.
#[derive(Clone, Debug)]
pub struct NearMiss {
    /// Which.
    pub policy: Arc<Policy>,
    /// How its SPIFFE ID pattern differs; `None` when it matches.
    pub identity: Option<Difference>,
    /// How its path pattern differs; `None` when it matches.
    pub path: Option<Difference>,
    /// Whether it does not give the permission.
    pub permission_missing: bool,
    /// Whether the reserved-namespace guard rejects it.
    pub guarded: bool,
}

impl NearMiss {
    /// Whether this link is missing.
    pub fn misses(&self, link: Link) -> bool {
        match link {
            Link::Identity => self.identity.is_some(),
            Link::Path => self.path.is_some(),
            Link::Permission => self.permission_missing,
            Link::Guard => self.guarded,
        }
    }

    /// The missing links, at least one.
    pub fn missing(&self) -> impl Iterator<Item = Link> {
        Link::ALL.into_iter().filter(|link| self.misses(*link))
    }
}

/// The policies that give what was allowed: first the one that decided, then others by name.
pub(super) fn matching<'a>(view: &'a IdentityView, permit: &'a Permit, limit: usize) -> Vec<Arc<Policy>> {
    let Grounds::Policy(first) = permit.grounds() else {
        return Vec::new();
    };
    let access = permit.access();
    let mut others: Vec<_> = view
        .policies()
        .filter(|policy| policy.rule.permissions.satisfies(access.permission) && policy.rule.name != first.rule.name)
        .collect();
    others.sort_unstable_by(|a, b| a.rule.name.cmp(&b.rule.name));
    let mut paths = Paths::new(&access.path, COMPILED);
    let mut giving = vec![Arc::clone(first)];
    for policy in others {
        if giving.len() >= limit {
            break;
        }
        if paths.opens(policy) {
            giving.push(Arc::clone(policy));
        }
    }
    giving.truncate(limit);
    giving
}

/// The near misses of a denied access.
pub(super) fn misses<'a>(
    set: &'a PolicySet,
    view: &'a IdentityView,
    access: &'a Access,
    limit: usize,
) -> Vec<NearMiss> {
    let mut survey = Survey {
        access,
        named: view.policies().map(|policy| policy.rule.spiffe_id.as_str()).collect(),
        paths: Paths::new(&access.path, COMPILED),
        strangers: Strangers::new(&access.who),
    };
    let mut heap = BinaryHeap::new();
    for policy in set.iter() {
        heap.extend(Some(survey.candidate(policy)).filter(Candidate::is_near));
    }
    let mut near = Vec::new();
    while near.len() < limit
        && let Some(candidate) = heap.pop()
    {
        if candidate.settled {
            near.push(survey.near_miss(candidate.policy));
        } else if survey.paths.settle(&candidate.policy.rule.path).is_settled() {
            heap.extend(Some(survey.candidate(candidate.policy)).filter(Candidate::is_near));
        }
    }
    near
}

/// What is found out while looking at the policies.
struct Survey<'a> {
    access: &'a Access,
    /// The texts of the identity patterns that match. Equal texts match alike.
    named: HashSet<&'a str>,
    paths: Paths<'a>,
    strangers: Strangers<'a>,
}

/// How near a policy is, by what is known; what is not known yet counts as matching, so that it can only get farther.
struct Candidate<'a> {
    policy: &'a Arc<Policy>,
    missing: usize,
    /// Bytes that agree from the beginning, of identity and path together.
    common: usize,
    settled: bool,
}

impl<'a> Survey<'a> {
    fn candidate(&mut self, policy: &'a Arc<Policy>) -> Candidate<'a> {
        let identity = self.identity(policy).map(|difference| difference.common);
        let (path, settled) = match self.paths.compare(&policy.rule.path) {
            Compared::Match => (None, true),
            Compared::Differs(difference) => (Some(difference.common), true),
            Compared::Undecided { .. } => (None, false),
        };
        let (who, what) = (self.access.who.as_str().len(), self.access.path.as_str().len());
        let missing = [
            identity.is_some(),
            path.is_some(),
            self.misses_permission(policy),
            settled && path.is_none() && self.is_guarded(policy),
        ];
        Candidate {
            policy,
            missing: missing.into_iter().filter(|missing| *missing).count(),
            common: identity.unwrap_or(who) + path.unwrap_or(what),
            settled,
        }
    }

    /// All about a policy whose path pattern is settled.
    fn near_miss(&mut self, policy: &'a Arc<Policy>) -> NearMiss {
        let identity = self.identity(policy).cloned();
        let path = match self.paths.settle(&policy.rule.path) {
            Compared::Differs(difference) => Some(difference.clone()),
            Compared::Match | Compared::Undecided { .. } => None,
        };
        NearMiss {
            permission_missing: self.misses_permission(policy),
            guarded: path.is_none() && self.is_guarded(policy),
            policy: Arc::clone(policy),
            identity,
            path,
        }
    }

    fn identity(&mut self, policy: &'a Policy) -> Option<&Difference> {
        let pattern = &policy.rule.spiffe_id;
        let stranger = !self.named.contains(pattern.as_str());
        stranger.then(|| self.strangers.difference(pattern))
    }

    fn misses_permission(&self, policy: &Policy) -> bool {
        !policy.rule.permissions.satisfies(self.access.permission)
    }

    fn is_guarded(&self, policy: &Policy) -> bool {
        !reserved::may_reach(policy, &self.access.path)
    }
}

impl Candidate<'_> {
    fn is_near(&self) -> bool {
        self.missing <= MOST_MISSING
    }
}

impl Ord for Candidate<'_> {
    /// The nearer one is the greater one.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .missing
            .cmp(&self.missing)
            .then_with(|| self.common.cmp(&other.common))
            .then_with(|| other.policy.rule.name.cmp(&self.policy.rule.name))
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}
