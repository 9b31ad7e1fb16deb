//! One request on its way through a handler.
use spike_policy::SpiffeId;
use spike_wire::go_json::FromGo;

use super::audit::Record;
use super::body::Received;
use crate::service::{Guard, Permitted, Refused, Service};

/// What a handler gets: who asks, what was sent, the use cases, and the audit record to fill in.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) who: &'a SpiffeId,
    pub(super) body: Received,
    pub(super) record: &'a mut Record,
}

impl Call<'_> {
    /// What the body says.
    pub(super) fn decode<T: FromGo + Default>(&self) -> Result<T, Refused> {
        self.body.decode()
    }

    /// Asks for a permit by the policies of now, and notes in the record why it was given.
    pub(super) fn permit<A>(
        &mut self,
        ask: impl FnOnce(&Guard, &SpiffeId) -> Result<Permitted<A>, Refused>,
    ) -> Result<Permitted<A>, Refused> {
        let permit = ask(&self.service.guard()?, self.who)?;
        self.record.grounds(permit.grounds());
        Ok(permit)
    }
}
