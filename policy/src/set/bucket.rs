//! What the policies of one identity pattern give, found by path.
use std::ops::ControlFlow;
use std::sync::Arc;

use super::index::PatternIndex;
use crate::in_place::List;
use crate::pattern::{Row, Shape};
use crate::{AccessPath, PathPattern, Permissions, Policy, PolicyName, reserved};

/// Policies indexed by path pattern. Policies of one pattern hang together, sorted by name.
pub(super) type PathIndex = PatternIndex<PathPattern, Vec<Arc<Policy>>>;

/// A policy of a list, with what a decision asks of it at hand: the policy itself lies elsewhere in memory, and most
/// path patterns are never compiled.
#[derive(Clone, Debug)]
pub(super) struct Member {
    policy: Arc<Policy>,
    path: Path,
    permissions: Permissions,
}

/// What tells whether the path pattern matches.
#[derive(Clone, Debug)]
pub(super) enum Path {
    /// The pattern itself, which is a row of texts and runs.
    Row(Row),
    /// What its literal text says, and then the pattern.
    Literal(Arc<Shape>),
}

impl Path {
    /// Of the pattern that is this row, if it is one.
    pub(super) fn of(pattern: &PathPattern, row: Option<Row>) -> Self {
        row.map_or_else(|| Self::Literal(Arc::new(pattern.literal_shape())), Self::Row)
    }
}

impl Member {
    fn new(policy: &Arc<Policy>, path: Path) -> Self {
        Self {
            policy: Arc::clone(policy),
            path,
            permissions: policy.rule.permissions,
        }
    }

    pub(super) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Bytes of a copy.
    pub(super) fn weight(&self) -> usize {
        let text = match &self.path {
            Path::Row(row) => row.memory(),
            Path::Literal(_) => 0,
        };
        size_of::<Self>() + text
    }

    fn is_match(&self, path: &AccessPath) -> bool {
        let path = path.as_str();
        match &self.path {
            Path::Row(row) => row.is_match(path),
            Path::Literal(shape) => shape
                .decided(path)
                .unwrap_or_else(|| self.policy.rule.path.is_match(path)),
        }
    }
}

/// The policies of one identity pattern: few are a list, many an index.
#[derive(Clone, Debug)]
pub(super) enum Bucket {
    /// At most [`FEW`], sorted by name; mostly one.
    Few(List<Member>),
    /// More, or more a moment ago; and how many.
    Many(Box<PathIndex>, usize),
}

/// Up to here asking one by one is as fast as an index.
pub(super) const FEW: usize = 12;

impl Default for Bucket {
    fn default() -> Self {
        Self::Few(List::Empty)
    }
}

impl Bucket {
    /// The same with one policy more, whose path pattern says `path`. Its name must be new.
    #[must_use]
    pub(super) fn with(&self, policy: &Arc<Policy>, path: Path) -> Self {
        match self {
            Self::Few(members) if members.as_slice().len() < FEW => {
                let mut members = members.clone().into_vec();
                let at = members.partition_point(|m| m.policy.rule.name < policy.rule.name);
                members.insert(at, Member::new(policy, path));
                Self::Few(members.into())
            }
            Self::Few(members) => {
                let all = members.as_slice().iter().map(Member::policy).chain([policy]);
                Self::Many(Box::new(index(all)), FEW + 1)
            }
            Self::Many(index, count) => {
                let mut index = index.clone();
                add(&mut index, policy);
                Self::Many(index, count + 1)
            }
        }
    }

    /// The same without a policy; nothing when it was the last.
    pub(super) fn without(&self, policy: &Policy) -> Option<Self> {
        let name = &policy.rule.name;
        match self {
            Self::Few(members) => {
                let mut members = members.clone().into_vec();
                members.retain(|m| m.policy.rule.name != *name);
                (!members.is_empty()).then(|| Self::Few(members.into()))
            }
            Self::Many(_, 1) => None,
            Self::Many(index, count) => {
                let mut index = index.clone();
                index.change(&policy.rule.path, |policies| rest(policies?, name));
                Some(Self::Many(index, count - 1))
            }
        }
    }

    /// Visits the policies whose path pattern matches.
    pub(super) fn visit<'t, B>(
        &'t self,
        path: &AccessPath,
        mut visit: impl FnMut(&'t Arc<Policy>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Few(members) => visit_in(members.as_slice(), path, &mut visit),
            Self::Many(index, _) => self::visit(index, path, &mut visit),
        }
    }

    /// A policy that gives all of this on this path. Policies that give too little are not even matched.
    pub(super) fn find(&self, path: &AccessPath, wanted: Permissions) -> Option<&Arc<Policy>> {
        match self {
            Self::Few(members) => find_in(members.as_slice(), path, wanted),
            Self::Many(index, _) => find(index, path, wanted),
        }
    }

    /// How many of its policies are asked about a path; an index counts as a full list.
    pub(super) fn asked(&self) -> usize {
        match self {
            Self::Few(members) => members.as_slice().len(),
            Self::Many(..) => FEW,
        }
    }

    /// The policies, in no particular order.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let (few, many) = match self {
            Self::Few(members) => (members.as_slice(), None),
            Self::Many(index, _) => (&[][..], Some(index.as_ref())),
        };
        let many = many.into_iter().flat_map(PatternIndex::values).flatten();
        few.iter().map(Member::policy).chain(many)
    }

    /// How many policies.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(members) => members.as_slice().len(),
            Self::Many(_, count) => *count,
        }
    }
}

/// A policy of an index that gives all of this on this path.
pub(super) fn find<'t>(index: &'t PathIndex, path: &AccessPath, wanted: Permissions) -> Option<&'t Arc<Policy>> {
    let gives = |p: &&Arc<Policy>| p.rule.permissions.satisfies_all(wanted) && reserved::may_reach(p, path);
    let found = index.visit(path.as_str(), |entry| match entry.value().iter().find(gives) {
        Some(policy) => ControlFlow::Break(policy),
        None => ControlFlow::Continue(()),
    });
    found.break_value()
}

/// A policy of a list that gives all of this on this path. Policies that give too little are not even matched.
pub(super) fn find_in<'t>(list: &'t [Member], path: &AccessPath, wanted: Permissions) -> Option<&'t Arc<Policy>> {
    let found = list.iter().find(|member| {
        member.permissions.satisfies_all(wanted) && member.is_match(path) && reserved::may_reach(&member.policy, path)
    });
    found.map(Member::policy)
}

/// Visits the policies of a list whose path pattern matches.
pub(super) fn visit_in<'t, B>(
    list: &'t [Member],
    path: &AccessPath,
    visit: &mut impl FnMut(&'t Arc<Policy>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    list.iter()
        .filter(|member| member.is_match(path))
        .try_for_each(|member| visit(member.policy()))
}

/// Visits the policies of an index whose path pattern matches.
pub(super) fn visit<'t, B>(
    index: &'t PathIndex,
    path: &AccessPath,
    visit: &mut impl FnMut(&'t Arc<Policy>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    index.visit(path.as_str(), |entry| entry.value().iter().try_for_each(&mut *visit))
}

/// An index of these policies.
pub(super) fn index<'p>(policies: impl IntoIterator<Item = &'p Arc<Policy>>) -> PathIndex {
    let mut index = PathIndex::default();
    for policy in policies {
        add(&mut index, policy);
    }
    index
}

fn add(index: &mut PathIndex, policy: &Arc<Policy>) {
    index.change(&policy.rule.path, |former| {
        let mut policies = former.cloned().unwrap_or_default();
        put(&mut policies, policy);
        Some(policies)
    });
}

fn put(policies: &mut Vec<Arc<Policy>>, policy: &Arc<Policy>) {
    let at = policies.partition_point(|p| p.rule.name < policy.rule.name);
    policies.insert(at, Arc::clone(policy));
}

fn rest(policies: &[Arc<Policy>], gone: &PolicyName) -> Option<Vec<Arc<Policy>>> {
    let rest: Vec<_> = policies.iter().filter(|p| p.rule.name != *gone).cloned().collect();
    if rest.is_empty() { None } else { Some(rest) }
}
