//! What the audit is told about the Keepers: each change once, and not each round in which nothing is new.
use std::collections::BTreeMap;

use spike_audit::{Journal, Outcome};

/// What the audit was told last: what is so again at the next round is not told again.
#[derive(Debug, Default)]
pub(super) struct Diary {
    audit: Journal,
    told: BTreeMap<&'static str, (String, Option<String>)>,
}

impl Diary {
    pub(super) fn of(audit: Journal) -> Self {
        Self {
            audit,
            told: BTreeMap::new(),
        }
    }

    /// Notes how something ended that concerns these Keepers.
    pub(super) fn note(&mut self, what: &'static str, subject: String, refused: Option<String>) {
        let outcome = refused.as_deref().map_or(Outcome::Ok, Outcome::Refused);
        if self
            .told
            .get(what)
            .is_none_or(|(before, why)| (before, why) != (&subject, &refused))
        {
            self.audit.happened(what, &subject, outcome);
            self.told.insert(what, (subject, refused));
        }
    }
}
