//! Encryption as a service over HTTP, in SPIKE's two modes (`spike.md` §1.5). What one seals, the other opens.
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use spike_wire::cipher::{DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, STREAM, VERSION};
use spike_wire::go_json::Base64Bytes;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::call::Call;
use crate::service::{Guard, MOST_SEALED, Refused};
use crate::vault::MESSAGE_NONCE;

/// How a caller sends and wants its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Fields of JSON objects.
    Json,
    /// Raw bytes: `0x01 | nonce 12 | ciphertext and tag`.
    Stream,
}

impl Mode {
    /// The first `Content-Type` decides, to the letter.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(http::header::CONTENT_TYPE) {
            Some(media_type) if media_type.as_bytes() == STREAM.as_bytes() => Self::Stream,
            Some(_) | None => Self::Json,
        }
    }
}

pub(super) async fn encrypt(call: &mut Call<'_>) -> Answer {
    match call.mode {
        Mode::Json => Answer::of(encrypt_json(call).await),
        Mode::Stream => match encrypt_stream(call).await {
            Ok(message) => Answer::octets(message),
            Err(refused) => Answer::refusal::<EncryptResponse>(refused),
        },
    }
}

pub(super) fn decrypt(call: &mut Call<'_>) -> Answer {
    match call.mode {
        Mode::Json => Answer::of(decrypt_json(call)),
        Mode::Stream => match decrypt_stream(call) {
            Ok(text) => Answer::octets(Bytes::from_owner(text)),
            Err(StreamFault::Json(refused)) => Answer::refusal::<DecryptResponse>(refused),
            Err(StreamFault::Text(word)) => Answer::text(StatusCode::BAD_REQUEST, word, Refused::invalid(word)),
        },
    }
}

async fn encrypt_json(call: &mut Call<'_>) -> Result<EncryptResponse, Refused> {
    let request: EncryptRequest = call.decode()?;
    let permit = call.permit(Guard::use_cipher)?;
    let message = call.service.encrypt(&permit, request.plaintext.as_slice()).await?;
    Ok(EncryptResponse {
        version: VERSION,
        nonce: Some(Base64Bytes::new(message.nonce.to_vec())),
        ciphertext: Some(Base64Bytes::new(message.sealed)),
        err: None,
    })
}

async fn encrypt_stream(call: &mut Call<'_>) -> Result<Bytes, Refused> {
    let body = call.take_body();
    let text = body.bytes()?;
    let permit = call.permit(Guard::use_cipher)?;
    let message = call.service.encrypt(&permit, text).await?;
    Ok([&[VERSION][..], &message.nonce, &message.sealed].concat().into())
}

/// Unlike everywhere else, the caller is judged before its body is.
fn decrypt_json(call: &mut Call<'_>) -> Result<DecryptResponse, Refused> {
    let permit = call.permit(Guard::use_cipher)?;
    let request: DecryptRequest = call.decode()?;
    if request.version != VERSION {
        return Err(Refused::invalid(format!("the version must be {VERSION}")));
    }
    let sealed = (request.nonce.as_slice(), request.ciphertext.as_slice());
    let mut text = call.service.decrypt(&permit, sealed)?;
    Ok(DecryptResponse {
        // Go writes an empty slice of its own making as `null`.
        plaintext: (!text.is_empty()).then(|| Base64Bytes::new(std::mem::take(&mut text))),
        err: None,
    })
}

/// How a stream cannot be opened: SPIKE answers some of it in JSON, some in plain text.
enum StreamFault {
    Json(Refused),
    Text(&'static str),
}

impl From<Refused> for StreamFault {
    fn from(refused: Refused) -> Self {
        Self::Json(refused)
    }
}

fn decrypt_stream(call: &mut Call<'_>) -> Result<Zeroizing<Vec<u8>>, StreamFault> {
    let permit = call.permit(Guard::use_cipher)?;
    let body = call.take_body();
    let (version, rest) = body
        .bytes()?
        .split_first()
        .ok_or(StreamFault::Text("crypto_failed_to_read_version"))?;
    if *version != VERSION {
        return Err(StreamFault::Text("crypto_unsupported_version"));
    }
    let (nonce, sealed) = rest
        .split_at_checked(MESSAGE_NONCE)
        .ok_or(StreamFault::Text("crypto_failed_to_read_nonce"))?;
    match call.service.decrypt(&permit, (nonce, sealed)) {
        Err(Refused::Invalid(_)) if sealed.len() <= MOST_SEALED => Err(StreamFault::Text("decryption failed")),
        result => Ok(result?),
    }
}
