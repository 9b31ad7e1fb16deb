//! One access judged without making a view.
//!
//! A view is worth making, and keeping, where finding an identity's policies costs something. For most identities it
//! costs less than making the view, or than finding it again among 100,000 kept ones: a literal pattern or two name
//! them, with a policy each.
use std::ops::ControlFlow;
use std::sync::Arc;

use super::bucket::Bucket;
use super::index::PatternIndex;
use super::view::Why;
use crate::{Access, DenyReason, IdPattern, Policy};

/// The most identity patterns that are asked. Asking one takes about as long as finding a view that is kept.
const PATTERNS: usize = 12;
/// The most policies whose paths are asked one by one.
const POLICIES: usize = 36;

/// The policy that a view of the identity would find, or why it would find none; `None` when a view should be made.
pub(super) fn judge<'s>(
    identities: &'s PatternIndex<IdPattern, Bucket>,
    access: &Access,
) -> Option<Result<&'s Arc<Policy>, DenyReason>> {
    let wanted = access.permission.into();
    let mut named: Vec<&Bucket> = Vec::new();
    let mut asked = 0;
    let visited = identities.visit_some(access.who.as_str(), PATTERNS, |entry| {
        let bucket = entry.value();
        asked += bucket.asked();
        if asked > POLICIES {
            return ControlFlow::Break(None);
        }
        if let Some(policy) = bucket.find(&access.path, wanted) {
            return ControlFlow::Break(Some(policy));
        }
        named.push(bucket);
        ControlFlow::Continue(())
    });
    match visited {
        ControlFlow::Break(Some(policy)) => Some(Ok(policy)),
        ControlFlow::Break(None) => None,
        ControlFlow::Continue(()) if named.is_empty() => Some(Err(DenyReason::IdentityUnmatched)),
        ControlFlow::Continue(()) => {
            let mut why = Why::of(access.permission);
            let seen = named
                .iter()
                .try_for_each(|bucket| bucket.visit(&access.path, |policy| why.see(policy)));
            Some(Err(why.reason(seen)))
        }
    }
}
