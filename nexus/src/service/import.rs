//! Use cases of moving in.
use spike_policy::{PolicyDocument, UnixMillis};

use super::policies::rule_of;
use super::{Import, Permitted, Refused, Service};
use crate::store::{ImportMode, Imported, PolicyImport, SecretImport};

/// A policy that was to be brought in.
#[derive(Clone, Debug)]
pub struct TimedDocument {
    /// What its author wrote.
    pub document: PolicyDocument,
    /// First put, if known.
    pub created_at: Option<UnixMillis>,
    /// Last put, if known.
    pub updated_at: Option<UnixMillis>,
}

impl Service {
    /// Brings in a secret with all its versions, or leaves everything as it is.
    pub async fn import_secret(&self, _permit: &Permitted<Import>, import: SecretImport) -> Result<Imported, Refused> {
        Ok(self.store.import_secret(import, self.now()).await?)
    }

    /// Brings in policies: for each what became of it, or why this Nexus does not take it.
    pub async fn import_policies(
        &self,
        _permit: &Permitted<Import>,
        documents: Vec<TimedDocument>,
        mode: ImportMode,
    ) -> Result<Vec<Result<Imported, Vec<String>>>, Refused> {
        let strict = self.rules.require_anchors;
        let judged = self
            .off_the_workers(move |_| {
                let judge = |timed: TimedDocument| {
                    Ok(PolicyImport {
                        rule: rule_of(&timed.document, strict)?,
                        created_at: timed.created_at,
                        updated_at: timed.updated_at,
                    })
                };
                Ok(documents.into_iter().map(judge).collect::<Vec<_>>())
            })
            .await?;
        let accepted = judged
            .iter()
            .filter_map(|judged| judged.as_ref().ok())
            .cloned()
            .collect();
        let mut imported = self
            .store
            .import_policies(accepted, mode, self.now())
            .await?
            .into_iter()
            .map(|(_, outcome)| outcome);
        let outcomes = judged.into_iter().map(|judged| match judged {
            Ok(_) => Ok(imported.next()),
            Err(faults) => Err(faults),
        });
        outcomes
            .map(|outcome| match outcome {
                Ok(Some(outcome)) => Ok(Ok(outcome)),
                Ok(None) => Err(Refused::Internal("one policy, one outcome")),
                Err(faults) => Ok(Err(faults)),
            })
            .collect()
    }
}
