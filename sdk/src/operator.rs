//! Calls of operators about the root key.
use std::collections::BTreeMap;

use spike_wire::go_json::Shard;
use spike_wire::operator::{
    BackupRequest, ConfirmResponse, RecoverRequest, RecoverResponse, RekeyRequest, RekeyResponse, RestoreRequest,
    RestoreResponse, RotateRequest, RotateResponse, StatusRequest, StatusResponse,
};
use spike_wire::routes::{
    Action, OPERATOR_BACKUP, OPERATOR_RECOVER, OPERATOR_REKEY, OPERATOR_RESTORE, OPERATOR_ROTATE, OPERATOR_STATUS,
};
use spike_wire::secrets::VersionKey;

use crate::transport::{Call, Transport};
use crate::{Backup, Error};

/// The root key's shards. From [`Client::operator`](crate::Client::operator).
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    transport: &'a Transport,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// A backup of everything that is committed now. For the role `spike/pilot/role/superuser` only.
    ///
    /// # Errors
    /// [`Error::NotReady`] while another one is taken, [`Error::BadRequest`] from a Nexus that keeps nothing or knows no
    /// backups; see [`Error`].
    pub async fn backup(&self) -> Result<Backup, Error> {
        let call = Call::read(OPERATOR_BACKUP, Action::Default, &BackupRequest {})?;
        let body = self.transport.open(call).await?;
        Ok(Backup::new(body, self.transport.silence_limit()))
    }

    /// All shards of the root key by number: whoever has enough of them has the key. For the role
    /// `spike/pilot/role/recover` only.
    ///
    /// # Errors
    /// [`Error::BadRequest`] from a Nexus that keeps nothing; see [`Error`].
    pub async fn recover(&self) -> Result<BTreeMap<i64, Shard>, Error> {
        let call = Call::read(OPERATOR_RECOVER, Action::Default, &RecoverRequest {})?;
        let answer: RecoverResponse = self.transport.ask(call).await?;
        numbered(answer.shards.unwrap_or_default())
    }

    /// Hands in one shard of the root key that a Nexus waits for. For the role `spike/pilot/role/restore` only.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when the shard can be none, or when enough shards give a key that does not fit: then all of
    /// them are forgotten. See [`Error`].
    pub async fn restore(&self, id: i64, shard: &Shard) -> Result<RestoreResponse, Error> {
        let call = Call::write(OPERATOR_RESTORE, Action::Default, &shard_of(id, shard))?;
        self.transport.ask(call).await
    }

    /// How the keys are; also of a Nexus that waits for its root key. For SPIKE Pilot, and its roles `recover` and
    /// `restore`. An extension.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        let call = Call::read(OPERATOR_STATUS, Action::Default, &StatusRequest {})?;
        self.transport.ask(call).await
    }

    /// Starts a new data key; gives its term. For SPIKE Pilot only. An extension.
    ///
    /// # Errors
    /// [`Error::BadRequest`] while a change of the root key waits for its confirmation; see [`Error`].
    pub async fn rotate(&self) -> Result<u32, Error> {
        let call = Call::write(OPERATOR_ROTATE, Action::Default, &RotateRequest {})?;
        let answer: RotateResponse = self.transport.ask(call).await?;
        Ok(answer.term)
    }

    /// Changes the root key, or begins to. For the role `spike/pilot/role/recover`, and for SPIKE Pilot where nothing
    /// of the key is given away. An extension.
    ///
    /// # Errors
    /// [`Error::BadRequest`] from a Nexus that keeps nothing, or whose root key is being changed; see [`Error`].
    pub async fn rekey(&self) -> Result<Rekeyed, Error> {
        let call = Call::write(OPERATOR_REKEY, Action::Default, &RekeyRequest {})?;
        let answer: RekeyResponse = self.transport.ask(call).await?;
        match (answer.phase.as_str(), answer.shards, answer.key) {
            ("done", None, None) => Ok(Rekeyed::Done),
            ("pending", Some(shards), None) => Ok(Rekeyed::Shards(numbered(shards)?)),
            ("pending", None, Some(key)) => Ok(Rekeyed::Key(key)),
            _ => Err(Error::Unreadable {
                reason: "an answer to rekey that makes no sense".to_owned(),
            }),
        }
    }

    /// Hands in one shard of the new root key, which shows that it has arrived. For the roles `recover` and `restore`.
    /// An extension.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when there is nothing to confirm, or when enough shards do not give the new key: then all
    /// of them are forgotten. See [`Error`].
    pub async fn confirm_rekey(&self, id: i64, shard: &Shard) -> Result<ConfirmResponse, Error> {
        let call = Call::write(OPERATOR_REKEY, Action::Confirm, &shard_of(id, shard))?;
        self.transport.ask(call).await
    }

    /// Keeps the old root key; the new one opens nothing any more. For SPIKE Pilot and the role `recover`. An extension.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when the root key is not being changed; see [`Error`].
    pub async fn cancel_rekey(&self) -> Result<(), Error> {
        let call = Call::write(OPERATOR_REKEY, Action::Cancel, &RekeyRequest {})?;
        self.transport.ask::<RekeyResponse>(call).await.map(drop)
    }
}

/// What became of a change of the root key.
#[derive(Debug)]
pub enum Rekeyed {
    /// The new root key is in force, and where the old one was kept.
    Done,
    /// The shards of the new root key, by number. The old one stays until enough of these are handed in
    /// ([`Operator::confirm_rekey`]).
    Shards(BTreeMap<i64, Shard>),
    /// The new root key itself, for systemd's credentials. The old one stays until a Nexus has started with this one.
    Key(Shard),
}

fn shard_of(id: i64, shard: &Shard) -> RestoreRequest {
    RestoreRequest {
        id,
        shard: Some(Shard::new(*shard.as_bytes())),
    }
}

fn numbered(shards: BTreeMap<VersionKey, Shard>) -> Result<BTreeMap<i64, Shard>, Error> {
    let numbered = shards.into_iter().map(|(id, shard)| Some((id.number()?, shard)));
    numbered.collect::<Option<_>>().ok_or_else(|| Error::Unreadable {
        reason: "a shard without a number".to_owned(),
    })
}
