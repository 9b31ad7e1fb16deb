//! One request on its way through a handler.
use spike_policy::SpiffeId;
use spike_wire::go_json::FromGo;

use super::audit::Record;
use super::body::Received;
use super::cipher::Mode;
use crate::service::{Guard, Permitted, Refused, Service};

/// What a handler gets: who asks, what was sent, the use cases, and the audit record to fill in.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) who: &'a SpiffeId,
    pub(super) body: Received,
    pub(super) record: &'a mut Record,
    /// How a cipher call's texts are sent.
    pub(super) mode: Mode,
}

impl Call<'_> {
    /// What the body says.
    pub(super) fn decode<T: FromGo + Default>(&self) -> Result<T, Refused> {
        self.body.decode()
    }

    /// The body, to be looked at while the call goes on.
    pub(super) fn take_body(&mut self) -> Received {
        std::mem::replace(&mut self.body, Received::nothing())
    }

    /// Asks for a permit that depends on the caller's role alone.
    pub(super) fn role_permit<A>(
        &mut self,
        ask: impl FnOnce(&Guard, &SpiffeId) -> Result<Permitted<A>, Refused>,
    ) -> Result<Permitted<A>, Refused> {
        let permit = ask(&self.service.roles_guard(), self.who)?;
        self.record.grounds(permit.grounds());
        Ok(permit)
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
