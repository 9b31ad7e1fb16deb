//! Use cases over policies.
use std::sync::Arc;

use spike_policy::{Fault, Finding, Lint, Policy, PolicyDocument, PolicyId, PolicyName, Rule, lint};

use super::{ListPolicies, Permitted, ReadPolicies, Refused, Service, WritePolicies};
use crate::store::{Applied, Deleted, Mode, Put};

/// Which policies a list shows: those whose stored pattern is exactly this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFilter {
    /// All.
    All,
    /// By the text of the SPIFFE ID pattern.
    SpiffeIdPattern(String),
    /// By the text of the path pattern.
    PathPattern(String),
}

impl PolicyFilter {
    /// The filter of two texts, of which at most one may be given. SPIKE ignores the second one silently.
    pub fn of(spiffe_id_pattern: String, path_pattern: String) -> Result<Self, Refused> {
        match (spiffe_id_pattern.is_empty(), path_pattern.is_empty()) {
            (true, true) => Ok(Self::All),
            (false, true) => Ok(Self::SpiffeIdPattern(spiffe_id_pattern)),
            (true, false) => Ok(Self::PathPattern(path_pattern)),
            (false, false) => Err(Refused::invalid(
                "give one filter, spiffeidPattern or pathPattern, not both",
            )),
        }
    }

    fn shows(&self, policy: &Policy) -> bool {
        match self {
            Self::All => true,
            Self::SpiffeIdPattern(text) => policy.rule.spiffe_id.as_str() == text,
            Self::PathPattern(text) => policy.rule.path.as_str() == text,
        }
    }
}

impl Service {
    /// Creates or updates one policy.
    pub async fn put_policy(
        &self,
        _permit: &Permitted<WritePolicies>,
        document: PolicyDocument,
    ) -> Result<Put, Refused> {
        let rules = self.rules_of(vec![document], false).await?;
        let [rule] = <[Rule; 1]>::try_from(rules).map_err(|_| Refused::Internal("one document, one rule"))?;
        Ok(self.store.put_policy(rule, Mode::Upsert, self.now()).await?)
    }

    /// Creates or updates all of these policies, or none.
    pub async fn apply_policies(
        &self,
        _permit: &Permitted<WritePolicies>,
        documents: Vec<PolicyDocument>,
    ) -> Result<Applied, Refused> {
        let rules = self.rules_of(documents, true).await?;
        Ok(self.store.apply_policies(rules, self.now()).await?)
    }

    /// The policy of this name, or else of this id.
    pub fn get_policy(&self, _permit: &Permitted<ReadPolicies>, key: &str) -> Result<Arc<Policy>, Refused> {
        check_key(key)?;
        self.store.policy(key)?.ok_or(Refused::NotFound)
    }

    /// Deletes the policy of this name, or else of this id.
    pub async fn delete_policy(&self, _permit: &Permitted<WritePolicies>, key: &str) -> Result<Deleted, Refused> {
        check_key(key)?;
        Ok(self.store.delete_policy(key).await?)
    }

    /// The policies that the filter shows, by name.
    pub async fn list_policies(
        &self,
        _permit: &Permitted<ListPolicies>,
        filter: PolicyFilter,
    ) -> Result<Vec<Arc<Policy>>, Refused> {
        self.off_the_workers(move |store| {
            let set = store.policies()?;
            let mut shown: Vec<_> = set.iter().filter(|policy| filter.shows(policy)).cloned().collect();
            shown.sort_by(|a, b| a.rule.name.cmp(&b.rule.name));
            Ok(shown)
        })
        .await
    }

    /// The rules of these documents, or everything that is wrong with them.
    async fn rules_of(&self, documents: Vec<PolicyDocument>, numbered: bool) -> Result<Vec<Rule>, Refused> {
        let strict = self.rules.require_anchors;
        self.off_the_workers(move |_| {
            let mut rules = Vec::with_capacity(documents.len());
            let mut faults = Vec::new();
            for (index, document) in documents.iter().enumerate() {
                match rule_of(document, strict) {
                    Ok(rule) => rules.push(rule),
                    Err(texts) if numbered => {
                        let number = index + 1;
                        faults.extend(texts.into_iter().map(|text| format!("policy {number}: {text}")));
                    }
                    Err(texts) => faults.extend(texts),
                }
            }
            if faults.is_empty() {
                Ok(rules)
            } else {
                Err(Refused::Invalid(faults))
            }
        })
        .await
    }
}

/// A key is a name or an id; SPIKE answers 400 to anything else.
fn check_key(key: &str) -> Result<(), Refused> {
    if key.parse::<PolicyId>().is_ok() {
        return Ok(());
    }
    key.parse::<PolicyName>()
        .map(|_| ())
        .map_err(|fault| Refused::invalid(fault.to_string()))
}

pub(super) fn rule_of(document: &PolicyDocument, strict: bool) -> Result<Rule, Vec<String>> {
    let texts = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.text).collect::<Vec<_>>();
    let rule = Rule::try_from(document).map_err(texts)?;
    let findings = lint(&rule);
    let refused: Vec<String> = findings
        .iter()
        .filter(|_| strict)
        .filter(|found| is_loose(found))
        .map(loose)
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    for finding in findings {
        tracing::warn!(policy = %rule.name, "{finding}");
    }
    Ok(rule)
}

/// What a strict Nexus (`policy.require_anchors`) refuses: patterns that mean more than they seem to.
fn is_loose(finding: &Finding) -> bool {
    matches!(finding.lint, Lint::Unanchored | Lint::BareDot | Lint::GlobLike)
}

fn loose(finding: &Finding) -> String {
    format!("{finding} (this Nexus has policy.require_anchors)")
}
