//! The strict reading of a workload's certificate.
//!
//! **Owns** the rules of an X.509-SVID leaf: one URI name that is a SPIFFE ID with a path, no signing powers, a key
//! that is worth something, a time of life.
//! **Refuses** whatever two programs could read differently: repeated extensions, bytes after the end, names that are
//! not ASCII, more than 32 names.
//! **Invariant**: looks at the leaf alone; whether anybody vouches for it is asked in `verify`.

use crate::clock;
use crate::refusal::{Refusal, WeakKey};
use spike_policy::SpiffeId;
use std::time::SystemTime;
use x509_parser::asn1_rs::{FromDer, Header, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry as oid;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

/// How many names of a certificate are read at all.
pub(crate) const MAX_NAMES: usize = 32;
pub(crate) const MIN_RSA_BITS: usize = 2048;

/// What a well-formed leaf says about its holder.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) id: SpiffeId,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Leaf {
    /// Reads a leaf certificate (DER).
    pub(crate) fn read(der: &[u8]) -> Result<Self, Refusal> {
        let certificate = parse(der)?;
        refuse_signing_powers(&certificate)?;
        refuse_weak_key(&certificate)?;
        let id = read_id(&certificate)?;
        let (not_before, not_after) = lifetime(&certificate);
        Ok(Self {
            id,
            not_before,
            not_after,
        })
    }

    /// Whether `now` is within the certificate's life.
    pub(crate) fn check_time(&self, now: SystemTime) -> Result<(), Refusal> {
        if now < self.not_before {
            return Err(Refusal::NotYetValid);
        }
        if now > self.not_after {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

/// One certificate and nothing after it.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Refusal> {
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| Refusal::Malformed("it is not an X.509 certificate"))?;
    if !rest.is_empty() {
        return Err(Refusal::Malformed("bytes follow the certificate"));
    }
    Ok(certificate)
}

/// `notBefore` and `notAfter`; times before 1970 count as 1970.
pub(crate) fn lifetime(certificate: &X509Certificate<'_>) -> (SystemTime, SystemTime) {
    let validity = certificate.validity();
    (system_time(validity.not_before), system_time(validity.not_after))
}

/// The value of an extension, which may be absent but not be there twice or be unreadable.
pub(crate) fn extension<'a>(
    certificate: &'a X509Certificate<'_>,
    wanted: &oid::Oid<'static>,
) -> Result<Option<&'a ParsedExtension<'a>>, Refusal> {
    let found = certificate
        .get_extension_unique(wanted)
        .map_err(|_| Refusal::Malformed("an extension is repeated"))?;
    match found.map(X509Extension::parsed_extension) {
        Some(ParsedExtension::ParseError { .. } | ParsedExtension::Unparsed) => {
            Err(Refusal::Malformed("an extension cannot be read"))
        }
        other => Ok(other),
    }
}

fn refuse_signing_powers(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    if let Some(ParsedExtension::BasicConstraints(basic)) =
        extension(certificate, &oid::OID_X509_EXT_BASIC_CONSTRAINTS)?
        && basic.ca
    {
        return Err(Refusal::Authority);
    }
    let Some(ParsedExtension::KeyUsage(usage)) = extension(certificate, &oid::OID_X509_EXT_KEY_USAGE)? else {
        return Err(Refusal::NoDigitalSignature);
    };
    if usage.key_cert_sign() || usage.crl_sign() {
        return Err(Refusal::MaySign);
    }
    if !usage.digital_signature() {
        return Err(Refusal::NoDigitalSignature);
    }
    Ok(())
}

fn refuse_weak_key(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    let key = certificate.public_key();
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == oid::OID_PKCS1_RSAENCRYPTION {
        return match key.parsed() {
            Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= MIN_RSA_BITS => Ok(()),
            Ok(PublicKey::RSA(rsa)) => Err(Refusal::WeakKey(WeakKey::ShortRsa(rsa.key_size()))),
            _ => Err(Refusal::Malformed("its public key cannot be read")),
        };
    }
    if *algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key
            .algorithm
            .parameters
            .as_ref()
            .and_then(|parameters| parameters.as_oid().ok());
        return match curve {
            Some(curve)
                if curve == oid::OID_EC_P256 || curve == oid::OID_NIST_EC_P384 || curve == oid::OID_NIST_EC_P521 =>
            {
                Ok(())
            }
            Some(_) | None => Err(Refusal::WeakKey(WeakKey::Curve)),
        };
    }
    if *algorithm == oid::OID_SIG_ED25519 {
        return Ok(());
    }
    Err(Refusal::WeakKey(WeakKey::Kind))
}

fn read_id(certificate: &X509Certificate<'_>) -> Result<SpiffeId, Refusal> {
    let names = certificate
        .get_extension_unique(&oid::OID_X509_EXT_SUBJECT_ALT_NAME)
        .map_err(|_| Refusal::Malformed("an extension is repeated"))?
        .ok_or(Refusal::NoUri)?;
    let uri = only_uri(names.value)?.ok_or(Refusal::NoUri)?;
    let id: SpiffeId = uri.parse()?;
    if id.path().is_empty() {
        return Err(Refusal::NoPath);
    }
    Ok(id)
}

/// The names are read here, not by the parser's own convenience, which overlooks bytes after their end.
fn only_uri(value: &[u8]) -> Result<Option<&str>, Refusal> {
    const UNREADABLE: Refusal = Refusal::Malformed("its names cannot be read");
    let (body, header) = Header::from_der(value).map_err(|_| UNREADABLE)?;
    let fits = header.length().definite().is_ok_and(|length| length == body.len());
    if !fits || header.tag() != Tag::Sequence || !header.is_constructed() {
        return Err(UNREADABLE);
    }
    let (mut rest, mut count, mut uri) = (body, 0_usize, None);
    while !rest.is_empty() {
        count = count.saturating_add(1);
        if count > MAX_NAMES {
            return Err(Refusal::ManyNames);
        }
        let (after, name) = GeneralName::from_der(rest).map_err(|_| UNREADABLE)?;
        rest = after;
        match name {
            GeneralName::Invalid(..) => return Err(Refusal::Malformed("a name is not ASCII")),
            GeneralName::URI(_) if uri.is_some() => return Err(Refusal::SeveralUris),
            GeneralName::URI(text) => uri = Some(text),
            _ => {}
        }
    }
    Ok(uri)
}

fn system_time(time: ASN1Time) -> SystemTime {
    clock::from_epoch(u64::try_from(time.timestamp()).unwrap_or(0))
}
