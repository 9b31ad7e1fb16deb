//! The peer's certificate as Envoy forwards it: percent-encoded PEM of the leaf.
//!
//! **Owns** unpacking it down to its URI SANs. **Refuses** more than one PEM block, trailing bytes and more SANs than a
//! workload's certificate ever has. **Invariant**: the result is exactly what the certificate says; whether there is one
//! and it equals the principal is judged where every ID is judged.
//!
//! Why at all: Envoy's `source.principal` is the *first* URI SAN, and both its plain and its SPIFFE validator let a
//! certificate with two of them through (measured on 1.40).
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The forwarded certificate is not percent-encoded PEM of one X.509 certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the forwarded peer certificate cannot be read")]
pub(crate) struct Unreadable;

/// More SANs than this make a certificate unreadable.
const MAX_NAMES: usize = 32;

/// Every URI SAN of the certificate, in its order.
pub(crate) fn uris(forwarded: &[u8]) -> Result<Vec<Vec<u8>>, Unreadable> {
    let pem = percent_decoded(forwarded).ok_or(Unreadable)?;
    let (after, block) = x509_parser::pem::parse_x509_pem(&pem).map_err(|_| Unreadable)?;
    if block.label != "CERTIFICATE" || !after.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable);
    }
    let (left, certificate) = X509Certificate::from_der(&block.contents).map_err(|_| Unreadable)?;
    let san = certificate.subject_alternative_name().map_err(|_| Unreadable)?;
    let names = san.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
    if !left.is_empty() || names.len() > MAX_NAMES {
        return Err(Unreadable);
    }
    Ok(names.iter().filter_map(uri).collect())
}

fn uri(name: &GeneralName<'_>) -> Option<Vec<u8>> {
    match name {
        GeneralName::URI(uri) => Some(uri.as_bytes().to_vec()),
        _ => None,
    }
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => 16 * hex(bytes.next()?)? + hex(bytes.next()?)?,
            plain => plain,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
