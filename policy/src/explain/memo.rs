//! What was found out about patterns while one question is answered: policies often share a pattern.
use std::collections::HashMap;

use super::difference::{Compared, Difference, compared};
use crate::{AccessPath, IdPattern, PathPattern, Policy, SpiffeId, reserved};

/// What the path patterns say about one path.
pub(super) struct Paths<'a> {
    path: &'a AccessPath,
    known: HashMap<&'a str, Compared>,
    /// How many patterns may still be compiled.
    left: usize,
}

impl<'a> Paths<'a> {
    /// At most so many patterns are compiled: some 0.1 ms each.
    pub(super) fn new(path: &'a AccessPath, compiled: usize) -> Self {
        Self {
            path,
            known: HashMap::new(),
            left: compiled,
        }
    }

    /// As far as literal text goes.
    pub(super) fn compare(&mut self, pattern: &'a PathPattern) -> &Compared {
        let path = self.path.as_str();
        let first = || compared(&pattern.literal_shape(), path);
        self.known.entry(pattern.as_str()).or_insert_with(first)
    }

    /// To the end: a pattern that has to be asked is asked, on a copy that is not kept. Stays undecided when too many
    /// were asked before.
    pub(super) fn settle(&mut self, pattern: &'a PathPattern) -> &Compared {
        if let Compared::Undecided { common } = *self.compare(pattern)
            && self.left > 0
        {
            self.left -= 1;
            let settled = if is_match(pattern, self.path.as_str()) {
                Compared::Match
            } else {
                Compared::Differs(Difference { common, wanted: None })
            };
            self.known.insert(pattern.as_str(), settled);
        }
        self.compare(pattern)
    }

    /// Whether a policy opens the path: its pattern matches, and the guard lets it through.
    pub(super) fn opens(&mut self, policy: &'a Policy) -> bool {
        *self.settle(&policy.rule.path) == Compared::Match && reserved::may_reach(policy, self.path)
    }
}

/// How identity patterns that do not match differ from one identity.
pub(super) struct Strangers<'a> {
    who: &'a SpiffeId,
    known: HashMap<&'a str, Difference>,
}

impl<'a> Strangers<'a> {
    pub(super) fn new(who: &'a SpiffeId) -> Self {
        Self {
            who,
            known: HashMap::new(),
        }
    }

    /// How a pattern that is known not to match differs.
    pub(super) fn difference(&mut self, pattern: &'a IdPattern) -> &Difference {
        let who = self.who.as_str();
        self.known
            .entry(pattern.as_str())
            .or_insert_with(|| match compared(&pattern.literal_shape(), who) {
                Compared::Match => Difference::default(),
                Compared::Differs(difference) => difference,
                Compared::Undecided { common } => Difference { common, wanted: None },
            })
    }
}

fn is_match(pattern: &PathPattern, path: &str) -> bool {
    match pattern.as_str().parse::<PathPattern>() {
        Ok(copy) => copy.is_match(path),
        // What was accepted once is accepted again; were it not, the pattern itself knows.
        Err(_) => pattern.is_match(path),
    }
}
