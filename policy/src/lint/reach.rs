//! What policies reach, seen as a whole: policies that reach nothing, and policies that others make needless.
use std::cell::OnceCell;
use std::sync::{Arc, LazyLock};

use super::{Finding, Lint, NO_ID, NO_PATH};
use crate::document::{PATH_PATTERN, PERMISSIONS, SPIFFEID_PATTERN};
use crate::pattern::dialect::Program;
use crate::pattern::{Found, Language, Pattern, Shape};
use crate::{AccessPath, Generation, Policy, PolicyId, PolicySet, Rule, SpiffeId, UnixMillis, reserved};

/// Every SPIFFE ID, but for the limits of length.
const IDS: &str =
    r"^spiffe://[a-z0-9._-]+(/([a-zA-Z0-9_-][a-zA-Z0-9._-]*|\.[a-zA-Z0-9_-][a-zA-Z0-9._-]*|\.\.[a-zA-Z0-9._-]+))*$";
/// Every path, but for the limit of length.
const PATHS: &str = "^[!-~]+$";
/// Policies that one policy is compared with.
const MOST_COMPARED: usize = 64;

static LEGAL_IDS: LazyLock<Option<Language>> = LazyLock::new(|| legal(IDS));
static LEGAL_PATHS: LazyLock<Option<Language>> = LazyLock::new(|| legal(PATHS));

fn legal(expression: &str) -> Option<Language> {
    Program::parse(expression).ok()?.language()
}

/// The rules as one set, so that those which name the same identity find each other.
pub(super) struct Together<'r> {
    rules: &'r [&'r Rule],
    set: PolicySet,
}

impl<'r> Together<'r> {
    pub(super) fn of(rules: &'r [&'r Rule]) -> Self {
        let policies = (0..).zip(rules).map(|(at, rule): (u128, _)| {
            Arc::new(Policy {
                // The place in the list: an id that lives as long as this comparison.
                id: PolicyId::from_bytes(at.to_be_bytes()),
                rule: (*rule).clone(),
                created_at: UnixMillis(0),
                updated_at: UnixMillis(0),
            })
        });
        let set = PolicySet::new(Generation(0), policies);
        Self { rules, set }
    }

    /// What is to say about the rule at this place. `told` are the findings about the rule alone.
    pub(super) fn findings(&self, at: usize, told: &[Finding]) -> Vec<Finding> {
        let Some(rule) = self.rules.get(at) else {
            return Vec::new();
        };
        let is_told = |field| {
            let never = |found: &&Finding| matches!(found.lint, Lint::NeverMatches | Lint::TrailingSlash);
            told.iter().filter(never).any(|found| found.field == field)
        };
        if is_told(SPIFFEID_PATTERN) || is_told(PATH_PATTERN) {
            return Vec::new();
        }
        let subject = Reach::of(rule);
        match (subject.an_id(), subject.a_path()) {
            (Found::Nothing, _) => vec![Finding::of(Lint::NeverMatches, SPIFFEID_PATTERN, NO_ID)],
            (_, Found::Nothing) => vec![Finding::of(Lint::NeverMatches, PATH_PATTERN, NO_PATH)],
            (Found::Subject(who), Found::Subject(path)) => {
                let other = self.covering((at, &subject), who, path);
                other.map(shadowed).into_iter().collect()
            }
            (Found::Unknown, _) | (_, Found::Unknown) => Vec::new(),
        }
    }

    /// A policy that gives all that the rule gives. Whoever gives it gives it to this identity on this path, too.
    fn covering(&self, (at, subject): (usize, &Reach<'_>), who: &str, path: &str) -> Option<&'r Rule> {
        let view = self.set.view(&who.parse::<SpiffeId>().ok()?);
        let path = path.parse::<AccessPath>().ok()?;
        let mut others: Vec<usize> = view
            .policies()
            .map(|policy| place(policy.id))
            .filter(|other| *other != at)
            .collect();
        others.sort_unstable();
        let candidates = others
            .into_iter()
            .filter_map(|other| Some((other, *self.rules.get(other)?)));
        candidates
            .filter(|(_, other)| may_cover(other, subject.rule, &path))
            .take(MOST_COMPARED)
            .find(|(place, other)| {
                let other = Reach::of(other);
                // Of two that say the same in different words only the later one is needless.
                subject.is_within(&other) && (*place < at || !other.is_within(subject))
            })
            .map(|(_, other)| other)
    }
}

/// The necessary things that cost little.
fn may_cover(other: &Rule, rule: &Rule, path: &AccessPath) -> bool {
    let same = rule.spiffe_id == other.spiffe_id && rule.path == other.path;
    // The same texts are another finding: a duplicate.
    !same
        && other.permissions.satisfies_all(rule.permissions)
        && other.path.is_match(path.as_str())
        && reserved::PATHS
            .iter()
            .all(|reserved| reaches(other, reserved) || !reaches(rule, reserved))
}

fn reaches(rule: &Rule, reserved: &str) -> bool {
    rule.path.full_match(reserved) && rule.spiffe_id.is_anchored()
}

/// The identities and paths of a rule.
struct Reach<'r> {
    rule: &'r Rule,
    who: Side,
    what: Side,
}

/// The subjects of one pattern.
struct Side {
    shape: Shape,
    language: OnceCell<Option<Language>>,
    example: OnceCell<Found>,
}

impl<'r> Reach<'r> {
    fn of(rule: &'r Rule) -> Self {
        Self {
            rule,
            who: Side::of(rule.spiffe_id.literal_shape()),
            what: Side::of(rule.path.literal_shape()),
        }
    }

    fn an_id(&self) -> &Found {
        let legal = |text: &str| text.parse::<SpiffeId>().is_ok();
        self.who.example(legal, (&self.rule.spiffe_id, LEGAL_IDS.as_ref()))
    }

    fn a_path(&self) -> &Found {
        let legal = |text: &str| text.parse::<AccessPath>().is_ok();
        self.what.example(legal, (&self.rule.path, LEGAL_PATHS.as_ref()))
    }

    fn is_within(&self, other: &Self) -> bool {
        let who = (&self.rule.spiffe_id, &other.rule.spiffe_id);
        let what = (&self.rule.path, &other.rule.path);
        self.who.is_within(&other.who, who, LEGAL_IDS.as_ref())
            && self.what.is_within(&other.what, what, LEGAL_PATHS.as_ref())
    }
}

impl Side {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            language: OnceCell::new(),
            example: OnceCell::new(),
        }
    }

    /// A shortest legal subject.
    fn example(&self, is_legal: impl Fn(&str) -> bool, (pattern, legal): (&impl Pattern, Option<&Language>)) -> &Found {
        self.example.get_or_init(|| match (&self.shape, legal) {
            (Shape::Exact(texts), _) => {
                let text = texts.iter().find(|text| is_legal(text));
                text.map_or(Found::Nothing, |text| Found::Subject(text.clone()))
            }
            (_, Some(legal)) => self
                .language(pattern)
                .map_or(Found::Unknown, |language| language.common(legal)),
            (_, None) => Found::Unknown,
        })
    }

    /// Whether every legal subject of this one is one of the other.
    fn is_within<P: Pattern>(&self, other: &Self, (pattern, wider): (&P, &P), legal: Option<&Language>) -> bool {
        if other.shape == Shape::Any || pattern == wider {
            return true;
        }
        if let Shape::Exact(texts) = &self.shape {
            return texts.iter().all(|text| wider.is_match(text));
        }
        let languages = self.language(pattern).zip(other.language(wider)).zip(legal);
        languages.is_some_and(|((inner, outer), legal)| inner.beyond(outer, legal) == Found::Nothing)
    }

    fn language(&self, pattern: &impl Pattern) -> Option<&Language> {
        self.language.get_or_init(|| pattern.language()).as_ref()
    }
}

fn place(id: PolicyId) -> usize {
    usize::try_from(u128::from_be_bytes(*id.as_bytes())).unwrap_or(usize::MAX)
}

fn shadowed(other: &Rule) -> Finding {
    let explanation = format!(
        "the policy `{}` already gives all that this one gives, to the same identities and maybe more",
        other.name
    );
    Finding::of(Lint::Shadowed, PERMISSIONS, explanation)
}

#[cfg(test)]
mod tests;
