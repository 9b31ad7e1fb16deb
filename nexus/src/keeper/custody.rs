//! Keepers as the place where the root key is kept (`vault::custody`).
use std::fmt;
use std::sync::Arc;

use super::call::KeeperError;
use super::keepers::{Answer, Keepers};
use crate::vault::{Custody, CustodyError, HandedOver, Handing, Keeping, RootKey, Share};

impl Keepers {
    /// Has every Keeper hold its shard of the new key, and asks each for it again.
    ///
    /// Every one, not only enough of them: after the old key is given up, a Keeper that still had its shard of it would
    /// be one fewer to start from. So none is sent anything while one is missing.
    async fn take(&self, new: &Arc<RootKey>) -> Result<(), CustodyError> {
        let missing =
            |answer: &Answer<Share>| !matches!(answer.said, Ok(_) | Err(KeeperError::Empty | KeeperError::NoShare));
        refuse(
            self.collect().await.iter().filter(|answer| missing(answer)),
            "nothing was sent",
        )?;
        let given = self
            .contribute(new)
            .await
            .map_err(|why| CustodyError::Keepers(why.to_string()))?;
        refuse(
            given.answers.iter().filter(|answer| answer.said.is_err()),
            "did not take its shard",
        )?;
        let held = self.collect().await;
        refuse(
            held.iter().filter(|answer| !self.is_of(new, answer)),
            "does not hold what it was given",
        )
    }

    /// Has Keepers hold their shards of the old key again: enough for it to come back, and so many that the others
    /// could not give any other.
    async fn give_back(&self, old: &Arc<RootKey>) -> Result<(), CustodyError> {
        if !self.has_sent_another_key().await {
            return Ok(());
        }
        // Whoever does not take it may hold it still: what counts is what they answer now.
        let given = self.contribute(old).await;
        given.map_err(|why| CustodyError::Keepers(why.to_string()))?;
        let answers = self.collect().await;
        let (held, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| self.is_of(old, answer));
        let enough = usize::from(self.sharing().threshold());
        if held.len() >= enough && others.len() < enough {
            Ok(())
        } else {
            refuse(others.into_iter(), "does not hold its shard of the old key")
        }
    }

    fn is_of(&self, key: &RootKey, answer: &Answer<Share>) -> bool {
        let of = |share: &Share| key.made(std::slice::from_ref(share), self.sharing());
        answer.said.as_ref().is_ok_and(of)
    }
}

/// An error that names these Keepers and what they said, unless there are none.
fn refuse<'a, T: 'a>(answers: impl Iterator<Item = &'a Answer<T>>, otherwise: &str) -> Result<(), CustodyError> {
    let name = |answer: &Answer<T>| {
        let said: &dyn fmt::Display = match &answer.said {
            Ok(_) => &otherwise,
            Err(error) => error,
        };
        format!("Keeper {} (`{}`): {said}", answer.id, answer.keeper)
    };
    let names: Vec<String> = answers.map(name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(CustodyError::Keepers(names.join("; ")))
}

impl Custody for Keepers {
    fn keeping(&self) -> Keeping {
        Keeping::Keepers
    }

    fn hand_over(&self, new: Arc<RootKey>) -> Handing<'_, HandedOver> {
        Box::pin(async move {
            self.take(&new).await?;
            Ok(HandedOver::Kept)
        })
    }

    fn take_back(&self, old: Arc<RootKey>) -> Handing<'_, ()> {
        Box::pin(async move { self.give_back(&old).await })
    }
}
