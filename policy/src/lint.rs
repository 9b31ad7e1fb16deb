//! What a policy says that its author hardly meant.
//!
//! **Owns** a closed list of findings, each with a word, an explanation and, where it can be computed, a better pattern.
//!
//! **Refuses** to change or forbid anything: a finding is advice. What must not be is a fault of the document.
//!
//! **Invariant**: a suggested pattern is one that [`crate::IdPattern`] or [`crate::PathPattern`] accepts.
use std::collections::HashMap;
use std::fmt;

use crate::document::{PATH_PATTERN, PERMISSIONS, SPIFFEID_PATTERN};
use crate::pattern::Shape;
use crate::{AccessPath, Permission, PolicyName, Rule, SpiffeId, reserved};
use reach::Together;

mod portable;
mod reach;
mod text;

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lint {
    /// The pattern matches anywhere in an ID or path, because some alternative of it lacks `^` or `$`.
    Unanchored,
    /// A dot in the trust domain stands for any character.
    BareDot,
    /// `*` after `/` repeats the slash; it is no wildcard.
    GlobLike,
    /// The pattern wants a slash at the end of a SPIFFE ID, and none has one.
    TrailingSlash,
    /// No legal SPIFFE ID or path can match.
    NeverMatches,
    /// The policy opens a part of the reserved namespace.
    Reserved,
    /// `super` for many identities or on many paths.
    WideSuper,
    /// Another policy has the same patterns and gives at least the same.
    Duplicate,
    /// Another policy, in other words, gives all that this one gives.
    Shadowed,
    /// SPIKE itself would refuse the pattern.
    NotPortable,
}

impl Lint {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Unanchored,
        Self::BareDot,
        Self::GlobLike,
        Self::TrailingSlash,
        Self::NeverMatches,
        Self::Reserved,
        Self::WideSuper,
        Self::Duplicate,
        Self::Shadowed,
        Self::NotPortable,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unanchored => "unanchored",
            Self::BareDot => "bare-dot",
            Self::GlobLike => "glob-like",
            Self::TrailingSlash => "trailing-slash",
            Self::NeverMatches => "never-matches",
            Self::Reserved => "reserved",
            Self::WideSuper => "wide-super",
            Self::Duplicate => "duplicate",
            Self::Shadowed => "shadowed",
            Self::NotPortable => "not-portable",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding. `Display` gives one line: the word, the explanation and the suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub lint: Lint,
    /// The key it is about.
    pub field: &'static str,
    /// What the pattern really says, in a sentence.
    pub explanation: String,
    /// A pattern that says what was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.lint, self.field, self.explanation)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; write \"{suggestion}\""),
            None => Ok(()),
        }
    }
}

/// The findings about one rule alone.
pub fn lint(rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    identity(rule, &mut findings);
    path(rule, &mut findings);
    wide_super(rule, &mut findings);
    findings
}

/// The findings about each of these rules, about rules that reach nothing, and about rules that others make needless.
///
/// A rule that only several others together make needless is not found, nor one whose patterns need a large DFA. Costs
/// up to a few milliseconds a rule: fit for a tool, not for a server.
pub fn lint_all<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Vec<(PolicyName, Finding)> {
    let rules: Vec<&Rule> = rules.into_iter().collect();
    let together = Together::of(&rules);
    let mut findings = Vec::new();
    let mut same: HashMap<(&str, &str), Vec<&Rule>> = HashMap::new();
    for (at, &rule) in rules.iter().enumerate() {
        let alone = lint(rule);
        let among = together.findings(at, &alone);
        findings.extend(
            alone
                .into_iter()
                .chain(among)
                .map(|finding| (rule.name.clone(), finding)),
        );
        let group = same.entry((rule.spiffe_id.as_str(), rule.path.as_str())).or_default();
        let covering = group
            .iter()
            .find(|other| other.permissions.satisfies_all(rule.permissions));
        if let Some(other) = covering {
            findings.push((rule.name.clone(), duplicate(other)));
        }
        for former in group.iter().filter(|_| covering.is_none()) {
            if rule.permissions.satisfies_all(former.permissions) {
                findings.push((former.name.clone(), duplicate(rule)));
            }
        }
        group.push(rule);
    }
    findings
}

fn duplicate(other: &Rule) -> Finding {
    let explanation = format!(
        "the policy `{}` has the same patterns and gives at least the same",
        other.name
    );
    Finding {
        lint: Lint::Duplicate,
        field: PERMISSIONS,
        explanation,
        suggestion: None,
    }
}

fn identity(rule: &Rule, findings: &mut Vec<Finding>) {
    let (pattern, shape) = (rule.spiffe_id.as_str(), rule.spiffe_id.literal_shape());
    let mut add = |lint, explanation: String, suggestion: Option<String>| {
        // A suggestion that is no pattern is none.
        let suggestion = suggestion.filter(|text| text.parse::<crate::IdPattern>().is_ok());
        findings.push(Finding {
            lint,
            field: SPIFFEID_PATTERN,
            explanation,
            suggestion,
        });
    };
    if !rule.spiffe_id.is_anchored() {
        let text = "it is not anchored, so it also matches longer SPIFFE IDs, such as those of other workloads";
        add(Lint::Unanchored, text.to_owned(), Some(text::anchored(pattern)));
    }
    if let Some(escaped) = text::without_bare_dots(pattern) {
        let text = "a dot in the trust domain stands for any character, so it also matches other trust domains";
        add(Lint::BareDot, text.to_owned(), Some(escaped));
    }
    match never_an_id(&shape) {
        Some(true) => {
            let text = "no SPIFFE ID ends with a slash, so it matches none";
            add(
                Lint::TrailingSlash,
                text.to_owned(),
                text::without_trailing_slash(pattern),
            );
        }
        Some(false) => add(Lint::NeverMatches, "no legal SPIFFE ID matches it".to_owned(), None),
        None => {}
    }
    if !portable::is_id_pattern(pattern) {
        add(
            Lint::NotPortable,
            "SPIKE itself refuses it, for a character outside its alphabet".to_owned(),
            None,
        );
    }
}

fn path(rule: &Rule, findings: &mut Vec<Finding>) {
    let (pattern, shape) = (rule.path.as_str(), rule.path.literal_shape());
    let mut add = |lint, explanation: String, suggestion: Option<String>| {
        let suggestion = suggestion.filter(|text| text.parse::<crate::PathPattern>().is_ok());
        findings.push(Finding {
            lint,
            field: PATH_PATTERN,
            explanation,
            suggestion,
        });
    };
    if shape != Shape::Any && !rule.path.is_anchored() {
        let text = "it is not anchored, so it also matches longer paths that have it somewhere";
        add(Lint::Unanchored, text.to_owned(), Some(text::anchored(pattern)));
    }
    if let Some(regex) = text::without_glob(pattern) {
        let text = "`*` repeats the slash before it, it is no wildcard";
        add(Lint::GlobLike, text.to_owned(), Some(regex));
    }
    if let Shape::Exact(texts) = &shape
        && texts.iter().all(|text| text.parse::<AccessPath>().is_err())
    {
        add(Lint::NeverMatches, "no legal path matches it".to_owned(), None);
    }
    let opened: Vec<&str> = reserved::PATHS
        .into_iter()
        .filter(|reserved| rule.path.full_match(reserved))
        .collect();
    if !opened.is_empty() {
        let explanation = format!(
            "it opens the reserved {}, which guards the store itself",
            opened.join(", ")
        );
        add(Lint::Reserved, explanation, None);
    }
    if !portable::is_path_pattern(pattern) {
        add(
            Lint::NotPortable,
            "SPIKE itself refuses it, for a character outside its alphabet".to_owned(),
            None,
        );
    }
}

/// `super` is meant for one place or one identity; on more it is a key to everything.
fn wide_super(rule: &Rule, findings: &mut Vec<Finding>) {
    if !rule.permissions.contains(Permission::Super) {
        return;
    }
    let depth = |text: &str| text.matches('/').count();
    let wide = |shape: &Shape, least: usize| match shape {
        Shape::Exact(_) => false,
        Shape::Prefix { starts, .. } => starts.iter().any(|start| depth(start) < least),
        Shape::Any | Shape::Other => true,
    };
    // `spiffe://example.org/` has three slashes, `tenants/acme/` two.
    let (who, what) = (
        wide(&rule.spiffe_id.literal_shape(), 4),
        wide(&rule.path.literal_shape(), 2),
    );
    let explanation = match (who, what) {
        (false, false) => return,
        (true, false) => "`super` is given to many identities",
        (false, true) => "`super` is given on many paths",
        (true, true) => "`super` is given to many identities on many paths",
    };
    let explanation = explanation.to_owned();
    findings.push(Finding {
        lint: Lint::WideSuper,
        field: PERMISSIONS,
        explanation,
        suggestion: None,
    });
}

/// Whether no SPIFFE ID has this shape; `Some(true)` if only a slash at the end is the reason.
fn never_an_id(shape: &Shape) -> Option<bool> {
    let is_id = |text: &str| text.parse::<SpiffeId>().is_ok();
    match shape {
        Shape::Exact(texts) if texts.iter().any(|text| is_id(text)) => None,
        Shape::Exact(texts) => Some(!texts.is_empty() && texts.iter().all(|t| is_id(t.trim_end_matches('/')))),
        Shape::Prefix { starts, .. } if starts.iter().any(|start| may_begin_id(start)) => None,
        Shape::Prefix { .. } => Some(false),
        Shape::Any | Shape::Other => None,
    }
}

/// Whether some SPIFFE ID begins with this text.
fn may_begin_id(start: &str) -> bool {
    // What is missing to a whole ID, whatever place the text stops at: scheme, name, or the rest of a segment.
    let scheme = "spiffe://";
    scheme.starts_with(start) || format!("{start}a").parse::<SpiffeId>().is_ok() || start.parse::<SpiffeId>().is_ok()
}

#[cfg(test)]
mod tests;
