#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use spike_runtime::clock::{Clock, FakeClock};

use spike_policy::SpiffeId;

use crate::config::Entry;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

fn now() -> SystemTime {
    FakeClock::at_unix(1_800_000_000).now()
}

fn parse(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).unwrap().1
}

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = &certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => (*uri).to_owned(),
        other => panic!("no other kind of name belongs in an SVID: {other:?}"),
    };
    names.iter().map(uri).collect()
}

#[test]
fn an_svid_has_the_profile_of_the_specification() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let id: SpiffeId = "spiffe://example.org/workload/web".parse().unwrap();
    let svid = authority
        .sign(&Entry::behind_socket(id.clone(), "x"), now(), Duration::from_secs(60))
        .unwrap();
    let leaf = parse(svid.chain.first().unwrap());
    assert_eq!(uris(&leaf), [id.as_str()]);
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature());
    assert!(!usage.value.key_cert_sign() && !usage.value.crl_sign());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth);
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    assert_eq!(leaf.validity().not_before.timestamp(), 1_800_000_000 - 10);
    assert_eq!(leaf.validity().not_after.timestamp(), 1_800_000_060);
    assert_eq!(svid.rotate_at, now() + Duration::from_secs(30));
    let issuer = parse(&authority.anchor().certificate);
    leaf.verify_signature(Some(issuer.public_key())).unwrap();
    assert_eq!(leaf.issuer(), issuer.subject());
}

#[test]
fn an_authority_has_the_profile_of_the_specification() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let certificate = parse(&authority.anchor().certificate);
    assert_eq!(uris(&certificate), ["spiffe://example.org"]);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign() && !usage.value.digital_signature());
    assert!(certificate.basic_constraints().unwrap().unwrap().value.ca);
    certificate.verify_signature(None).unwrap();
}

#[test]
fn two_authorities_and_two_svids_never_share_a_name_serial_or_key() {
    let authorities = [0, 1].map(|_| Authority::generate(&domain(), now(), DAY).unwrap());
    let [first, second] = authorities
        .each_ref()
        .map(|authority| parse(&authority.anchor().certificate));
    assert_ne!(first.subject(), second.subject());
    assert_ne!(first.raw_serial(), second.raw_serial());
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let [one, two] = [0, 1].map(|_| {
        authorities
            .first()
            .unwrap()
            .sign(&Entry::behind_socket(id.clone(), "x"), now(), DAY)
            .unwrap()
    });
    assert_ne!(one.key, two.key);
    assert_ne!(
        parse(one.chain.first().unwrap()).raw_serial(),
        parse(two.chain.first().unwrap()).raw_serial()
    );
}

#[test]
fn an_svid_never_outlives_its_authority() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let svid = authority
        .sign(&Entry::behind_socket(id.clone(), "x"), now() + DAY / 2, DAY)
        .unwrap();
    assert_eq!(svid.not_after, now() + DAY);
    assert_eq!(svid.rotate_at, now() + DAY / 4 * 3);
}

#[test]
fn a_short_life_is_rounded_up_to_whole_seconds() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let start = now() + Duration::from_millis(300);
    let svid = authority
        .sign(&Entry::behind_socket(id.clone(), "x"), start, Duration::from_secs(2))
        .unwrap();
    assert_eq!(svid.not_after, now() + Duration::from_secs(3));
}

#[test]
fn a_stored_authority_signs_as_before_and_belongs_to_its_trust_domain_only() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let again = Authority::load(&domain(), authority.stored()).unwrap();
    assert_eq!(again.anchor().certificate, authority.anchor().certificate);
    assert_eq!(again.anchor().jwt, authority.anchor().jwt);
    assert_eq!(again.anchor().not_after, now() + DAY);
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let svid = again.sign(&Entry::behind_socket(id.clone(), "x"), now(), DAY).unwrap();
    let issuer = parse(&authority.anchor().certificate);
    let leaf = parse(svid.chain.first().unwrap());
    leaf.verify_signature(Some(issuer.public_key())).unwrap();
    assert_eq!(leaf.issuer(), issuer.subject());

    let other = Authority::load(&"other.org".parse().unwrap(), authority.stored());
    assert!(matches!(other, Err(IssueError::Stored { .. })));
}

#[test]
fn no_debug_form_shows_a_key() {
    let authority = Authority::generate(&domain(), now(), DAY).unwrap();
    let id: SpiffeId = "spiffe://example.org/a".parse().unwrap();
    let svid = authority
        .sign(&Entry::behind_socket(id.clone(), "x"), now(), DAY)
        .unwrap();
    let text = format!("{authority:?} {svid:?} {:?}", authority.jwt());
    assert!(text.len() < 400 && !text.contains("[48, "), "{text}");
}
