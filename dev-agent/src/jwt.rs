//! JWT-SVIDs: ES256 only.
//!
//! **Owns** signing, checking and the key set. **Refuses** every other algorithm, `none` first of all. **Invariant**: a
//! token that [`validate`] accepts was signed by a key of the bundle of its subject's own trust domain, names one of
//! the expected audiences, and has not expired.
//!
//! **Source**: <https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md>

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use spike_policy::SpiffeId;
use zeroize::Zeroizing;

use crate::authority::IssueError;
use crate::text;

/// A private key for JWT-SVIDs.
pub(crate) struct JwtKey {
    key: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: JwtPublic,
}

/// Its public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JwtPublic {
    kid: String,
    /// Uncompressed point: `04 | x | y`.
    point: Vec<u8>,
}

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidToken {
    #[error("not a compact JWS of three parts")]
    Shape,
    #[error("its algorithm is not ES256")]
    Algorithm,
    #[error("its subject is not a SPIFFE ID")]
    Subject,
    #[error("its key is not in the bundle of its trust domain")]
    UnknownKey,
    #[error("its signature does not verify")]
    Signature,
    #[error("it has expired or has no expiry")]
    Expired,
    #[error("it is for another audience")]
    Audience,
}

impl JwtKey {
    pub(crate) fn generate() -> Result<Self, IssueError> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        Self::from_pkcs8(Zeroizing::new(pkcs8.map_err(|_| IssueError::Key)?.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, IssueError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map_err(|_| IssueError::Key)?;
        let point = key.public_key().as_ref().to_vec();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &point);
        let kid = digest.as_ref().get(..16).map(text::hex).unwrap_or_default();
        Ok(Self {
            key,
            pkcs8,
            public: JwtPublic { kid, point },
        })
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(crate) fn public(&self) -> &JwtPublic {
        &self.public
    }

    /// A token for a subject and its audiences.
    pub(crate) fn sign(
        &self,
        id: &SpiffeId,
        audience: &[String],
        (now, ttl): (SystemTime, Duration),
    ) -> Result<String, IssueError> {
        let issued = unix(now);
        let header = json!({"alg": "ES256", "kid": self.public.kid, "typ": "JWT"});
        let expires = issued + ttl.as_secs().max(1);
        let claims = json!({"sub": id.as_str(), "aud": audience, "iat": issued, "exp": expires});
        let signed = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| IssueError::Key)?;
        Ok(format!("{signed}.{}", BASE64.encode(signature.as_ref())))
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("kid", &self.public.kid)
            .finish_non_exhaustive()
    }
}

impl JwtPublic {
    /// As a JSON Web Key.
    fn jwk(&self) -> Value {
        let coordinates = self.point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        json!({
            "kty": "EC", "use": "jwt-svid", "kid": self.kid, "alg": "ES256", "crv": "P-256",
            "x": BASE64.encode(x), "y": BASE64.encode(y),
        })
    }
}

/// A JWKS document.
pub(crate) fn key_set(keys: &[JwtPublic]) -> String {
    json!({"keys": keys.iter().map(JwtPublic::jwk).collect::<Vec<_>>()}).to_string()
}

/// Checks a token; `bundle` gives the keys of a trust domain.
pub(crate) fn validate<'b>(
    token: &str,
    audience: &str,
    now: SystemTime,
    bundle: impl Fn(&str) -> &'b [JwtPublic],
) -> Result<(SpiffeId, Map<String, Value>), InvalidToken> {
    let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Shape)?;
    let (header, claims) = signed.split_once('.').ok_or(InvalidToken::Shape)?;
    let (header, claims) = (object(header)?, object(claims)?);
    let text = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    if text(&header, "alg").as_deref() != Some("ES256") {
        return Err(InvalidToken::Algorithm);
    }
    let subject = text(&claims, "sub").and_then(|subject| subject.parse::<SpiffeId>().ok());
    let subject = subject.ok_or(InvalidToken::Subject)?;
    let kid = text(&header, "kid").ok_or(InvalidToken::UnknownKey)?;
    let keys = bundle(subject.trust_domain());
    let key = keys.iter().find(|key| key.kid == kid).ok_or(InvalidToken::UnknownKey)?;
    let signature = BASE64.decode(signature).map_err(|_| InvalidToken::Shape)?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point);
    public
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| InvalidToken::Signature)?;
    if claims
        .get("exp")
        .and_then(Value::as_u64)
        .is_none_or(|expires| expires <= unix(now))
    {
        return Err(InvalidToken::Expired);
    }
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    };
    if named {
        Ok((subject, claims))
    } else {
        Err(InvalidToken::Audience)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, InvalidToken> {
    let bytes = BASE64.decode(part).map_err(|_| InvalidToken::Shape)?;
    serde_json::from_slice(&bytes).map_err(|_| InvalidToken::Shape)
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests;
