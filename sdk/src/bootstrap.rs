//! The proof that Nexus holds a root key.
use spike_wire::bootstrap::{VerifyRequest, VerifyResponse};
use spike_wire::go_json::Base64Bytes;
use spike_wire::routes::{Action, BOOTSTRAP_VERIFY};

use crate::transport::{Call, Transport};
use crate::{Ciphertext, Error};

/// What whoever made the root key asks. From [`Client::bootstrap`](crate::Client::bootstrap).
#[derive(Clone, Copy)]
pub struct Bootstrap<'a> {
    transport: &'a Transport,
}

impl<'a> Bootstrap<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// The SHA-256 of a text, in hex, that the caller sealed under the root key: only who has that key can tell. For
    /// the identity `spike/bootstrap` only. (The official SDK ends the process when it is another one than expected;
    /// comparing is up to the caller here.)
    ///
    /// # Errors
    /// [`Error::BadRequest`] when the proof has another shape; [`Error::Unexpected`] when Nexus has another key; see
    /// [`Error`].
    pub async fn verify(&self, sealed: &Ciphertext) -> Result<String, Error> {
        let request = VerifyRequest {
            nonce: Base64Bytes::new(sealed.nonce.clone()),
            ciphertext: Base64Bytes::new(sealed.ciphertext.clone()),
        };
        let call = Call::read(BOOTSTRAP_VERIFY, Action::Default, &request)?;
        let answer: VerifyResponse = self.transport.ask(call).await?;
        Ok(answer.hash)
    }
}
