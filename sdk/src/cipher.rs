//! Calls about texts that Nexus seals and opens for its callers.
use spike_wire::cipher::{DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse};
use spike_wire::go_json::Base64Bytes;
use spike_wire::routes::{Action, CIPHER_DECRYPT, CIPHER_ENCRYPT};
use zeroize::Zeroizing;

use crate::Error;
use crate::transport::{Call, Transport};

/// Encryption as a service. From [`Client::cipher`](crate::Client::cipher).
///
/// A text has at most 65,520 bytes. What [`Cipher::seal`] gives, [`Cipher::decrypt`] opens in parts, and the reverse.
#[derive(Clone, Copy)]
pub struct Cipher<'a> {
    transport: &'a Transport,
}

/// A sealed text in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ciphertext {
    /// The format: 1.
    pub version: u8,
    /// 12 bytes.
    pub nonce: Vec<u8>,
    /// The sealed text and its tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

impl<'a> Cipher<'a> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Self { transport }
    }

    /// Seals a text; the answer is one piece: `0x01 | nonce 12 | ciphertext and tag`.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when the text is too large; see [`Error`].
    pub async fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let sealed = self.transport.call(Call::octets(CIPHER_ENCRYPT, plaintext)).await?;
        Ok(sealed.as_slice().to_vec())
    }

    /// Opens what [`Cipher::seal`] gave.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when it was not sealed by this Nexus, or altered; see [`Error`].
    pub async fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let opened = self.transport.call(Call::octets(CIPHER_DECRYPT, sealed)).await?;
        Ok(opened.into_zeroizing())
    }

    /// Seals a text; the answer is in parts.
    ///
    /// # Errors
    /// As [`Cipher::seal`].
    pub async fn encrypt(&self, plaintext: &[u8], algorithm: &str) -> Result<Ciphertext, Error> {
        let request = EncryptRequest {
            plaintext: Base64Bytes::new(plaintext.to_vec()),
            algorithm: algorithm.to_owned(),
        };
        let call = Call::read(CIPHER_ENCRYPT, Action::Default, &request)?;
        let answer: EncryptResponse = self.transport.ask(call).await?;
        let bytes = |part: Option<Base64Bytes>| part.map(|bytes| bytes.as_slice().to_vec()).unwrap_or_default();
        Ok(Ciphertext {
            version: answer.version,
            nonce: bytes(answer.nonce),
            ciphertext: bytes(answer.ciphertext),
        })
    }

    /// Opens what [`Cipher::encrypt`] gave.
    ///
    /// # Errors
    /// As [`Cipher::open`].
    pub async fn decrypt(&self, sealed: &Ciphertext, algorithm: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let request = DecryptRequest {
            version: sealed.version,
            nonce: Base64Bytes::new(sealed.nonce.clone()),
            ciphertext: Base64Bytes::new(sealed.ciphertext.clone()),
            algorithm: algorithm.to_owned(),
        };
        let call = Call::read(CIPHER_DECRYPT, Action::Default, &request)?;
        let answer: DecryptResponse = self.transport.ask(call).await?;
        let opened = answer.plaintext.unwrap_or_default();
        Ok(Zeroizing::new(opened.as_slice().to_vec()))
    }
}
