//! What a policy says that its author hardly meant.
//!
//! **Owns** a closed list of findings, each with a word, an explanation and, where it can be computed, a better pattern.
//!
//! **Refuses** to change or forbid anything: a finding is advice. What must not be is a fault of the document.
//!
//! **Invariant**: a suggested pattern is one that [`crate::IdPattern`] or [`crate::PathPattern`] accepts.
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::document::{PATH_PATTERN, PERMISSIONS, SPIFFEID_PATTERN};
use crate::pattern::Shape;
use crate::{AccessPath, IdPattern, PathPattern, Permission, PolicyName, Rule, SpiffeId, reserved};
use reach::Together;

mod portable;
mod reach;
mod text;

/// What is said of a pattern that nothing matches.
const NO_ID: &str = "no legal SPIFFE ID matches it";
const NO_PATH: &str = "no legal path matches it";

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

impl Finding {
    fn of(lint: Lint, field: &'static str, explanation: impl Into<String>) -> Self {
        Self {
            lint,
            field,
            explanation: explanation.into(),
            suggestion: None,
        }
    }

    /// The same with a better pattern. A suggestion that is no pattern is none.
    fn suggesting<P: FromStr>(self, pattern: Option<String>) -> Self {
        Self {
            suggestion: pattern.filter(|text| text.parse::<P>().is_ok()),
            ..self
        }
    }
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
    Finding::of(Lint::Duplicate, PERMISSIONS, explanation)
}

fn identity(rule: &Rule, findings: &mut Vec<Finding>) {
    let pattern = rule.spiffe_id.as_str();
    let mut add = |lint, explanation, better| {
        findings.push(Finding::of(lint, SPIFFEID_PATTERN, explanation).suggesting::<IdPattern>(better));
    };
    if !rule.spiffe_id.is_anchored() {
        let text = "it is not anchored, so it also matches longer SPIFFE IDs, such as those of other workloads";
        add(Lint::Unanchored, text, Some(text::anchored(pattern)));
    }
    if let Some(escaped) = text::without_bare_dots(pattern) {
        let text = "a dot in the trust domain stands for any character, so it also matches other trust domains";
        add(Lint::BareDot, text, Some(escaped));
    }
    match never_an_id(&rule.spiffe_id.literal_shape()) {
        Some(Never::ButForSlash) => {
            let text = "no SPIFFE ID ends with a slash, so it matches none";
            add(Lint::TrailingSlash, text, text::without_trailing_slash(pattern));
        }
        Some(Never::AtAll) => add(Lint::NeverMatches, NO_ID, None),
        None => {}
    }
    if !portable::is_id_pattern(pattern) {
        add(Lint::NotPortable, portable::REFUSED, None);
    }
}

fn path(rule: &Rule, findings: &mut Vec<Finding>) {
    let (pattern, shape) = (rule.path.as_str(), rule.path.literal_shape());
    let mut add = |lint, explanation: &str, better| {
        findings.push(Finding::of(lint, PATH_PATTERN, explanation).suggesting::<PathPattern>(better));
    };
    if shape != Shape::Any && !rule.path.is_anchored() {
        let text = "it is not anchored, so it also matches longer paths that have it somewhere";
        add(Lint::Unanchored, text, Some(text::anchored(pattern)));
    }
    if let Some(regex) = text::without_glob(pattern) {
        let text = "`*` repeats the slash before it, it is no wildcard";
        add(Lint::GlobLike, text, Some(regex));
    }
    if let Shape::Exact(texts) = &shape
        && texts.iter().all(|text| text.parse::<AccessPath>().is_err())
    {
        add(Lint::NeverMatches, NO_PATH, None);
    }
    let opened: Vec<&str> = reserved::PATHS
        .into_iter()
        .filter(|reserved| rule.path.full_match(reserved))
        .collect();
    if !opened.is_empty() {
        let opened = opened.join(", ");
        let explanation = format!("it opens the reserved {opened}, which guards the store itself");
        add(Lint::Reserved, &explanation, None);
    }
    if !portable::is_path_pattern(pattern) {
        add(Lint::NotPortable, portable::REFUSED, None);
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
    findings.push(Finding::of(Lint::WideSuper, PERMISSIONS, explanation));
}

/// That no SPIFFE ID has a shape.
enum Never {
    /// Only because of a slash at the end.
    ButForSlash,
    /// For another reason.
    AtAll,
}

fn never_an_id(shape: &Shape) -> Option<Never> {
    let is_id = |text: &str| text.parse::<SpiffeId>().is_ok();
    let but_for_slash = |text: &String| is_id(text.trim_end_matches('/'));
    match shape {
        Shape::Exact(texts) if texts.iter().any(|text| is_id(text)) => None,
        Shape::Exact(texts) if !texts.is_empty() && texts.iter().all(but_for_slash) => Some(Never::ButForSlash),
        Shape::Prefix { starts, .. } if starts.iter().any(|start| may_begin_id(start)) => None,
        Shape::Exact(_) | Shape::Prefix { .. } => Some(Never::AtAll),
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
