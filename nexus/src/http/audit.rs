//! The audit: one event for each call.
use std::time::Duration;

use http::StatusCode;
use spike_policy::{Grounds, SpiffeId};
use spike_runtime::logging::AUDIT;
use uuid::Uuid;

use super::routes::Route;
use crate::service::Refused;

/// Characters of a path or name that an event repeats.
const MOST: usize = 512;

/// What one call was about. Never a value of a secret.
#[derive(Debug)]
pub(super) struct Record {
    id: String,
    secret: Option<String>,
    policy: Option<String>,
    grounds: Option<String>,
    question: Option<String>,
    verdict: Option<&'static str>,
}

impl Record {
    /// A new call.
    pub(super) fn new() -> Self {
        Self {
            id: Uuid::new_v4().simple().to_string(),
            secret: None,
            policy: None,
            grounds: None,
            question: None,
            verdict: None,
        }
    }

    /// The request's id, which the client is told, too.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// It is about this secret.
    pub(super) fn secret(&mut self, path: &str) {
        self.secret = Some(excerpt(path));
    }

    /// It is about these policies.
    pub(super) fn policies<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let names: Vec<&str> = names.into_iter().collect();
        self.policy = Some(excerpt(&names.join(", ")));
    }

    /// It asks about an access: `read on a/b for spiffe://…`.
    pub(super) fn question(&mut self, question: &str) {
        self.question = Some(excerpt(question));
    }

    /// What it was told about that access.
    pub(super) fn verdict(&mut self, reason: &'static str) {
        self.verdict = Some(reason);
    }

    /// It is allowed because of this.
    pub(super) fn grounds(&mut self, grounds: &Grounds) {
        self.grounds = Some(match grounds {
            Grounds::Policy(policy) => format!("policy {}", policy.rule.name),
            Grounds::Role(role) => format!("role {}", role.as_str()),
        });
    }

    /// Writes the event.
    pub(super) fn write(&self, who: &SpiffeId, route: Option<Route>, ended: &Ended<'_>) {
        let reason = ended.refused.map(|refused| match refused {
            Refused::Denied(reason) => reason.as_str().to_owned(),
            other => excerpt(&other.to_string()),
        });
        tracing::info!(
            target: AUDIT,
            request_id = self.id,
            peer = %who,
            action = route.map_or("none", Route::as_str),
            secret = self.secret,
            policy = self.policy,
            question = self.question,
            verdict = self.verdict,
            status = ended.status.as_u16(),
            outcome = ended.refused.map_or("ok", Refused::as_str),
            reason,
            grounds = self.grounds,
            micros = u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
            "api call"
        );
    }
}

/// How a call ended.
pub(super) struct Ended<'a> {
    pub(super) status: StatusCode,
    pub(super) refused: Option<&'a Refused>,
    pub(super) took: Duration,
}

/// Attackers choose these texts: they are cut, and nothing in them can end a line or colour a terminal.
fn excerpt(text: &str) -> String {
    let plain = |c: char| c == ' ' || c.is_ascii_graphic() || (c.is_alphanumeric() && !c.is_ascii());
    let mut excerpt = String::new();
    for c in text.chars().take(MOST) {
        if plain(c) {
            excerpt.push(c);
        } else {
            excerpt.extend(c.escape_default());
        }
    }
    if text.chars().nth(MOST).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_cannot_be_broken_by_its_texts() {
        assert_eq!(excerpt("a/b c"), "a/b c");
        assert_eq!(excerpt("a\n\u{1b}[31m\u{202e}"), "a\\n\\u{1b}[31m\\u{202e}");
        assert_eq!(excerpt(&"x".repeat(600)).chars().count(), MOST + 1);
    }
}
