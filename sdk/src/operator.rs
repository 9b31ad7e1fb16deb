//! Calls of operators about the root key.
use std::collections::BTreeMap;

use spike_wire::go_json::Shard;
use spike_wire::operator::{RecoverRequest, RecoverResponse};
use spike_wire::routes::{Action, OPERATOR_RECOVER};

use crate::Error;
use crate::transport::{Call, Transport, checked, decode};

/// The root key's shards. From [`Client::operator`](crate::Client::operator).
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    transport: &'a Transport,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// All shards of the root key by number: whoever has enough of them has the key. For the role
    /// `spike/pilot/role/recover` only.
    ///
    /// # Errors
    /// [`Error::BadRequest`] from a Nexus that keeps nothing; see [`Error`].
    pub async fn recover(&self) -> Result<BTreeMap<i64, Shard>, Error> {
        let call = Call::read(OPERATOR_RECOVER, Action::Default, &RecoverRequest {})?;
        let answer: RecoverResponse = decode(&self.transport.call(call).await?)?;
        checked(answer.err)?;
        let shards = answer.shards.unwrap_or_default();
        let numbered = shards.into_iter().map(|(id, shard)| Some((id.number()?, shard)));
        numbered.collect::<Option<_>>().ok_or_else(|| Error::Unreadable {
            reason: "a shard without a number".to_owned(),
        })
    }
}
