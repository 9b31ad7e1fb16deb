#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

fn pem(uris: &[&str], dns: &[&str]) -> String {
    let mut params = CertificateParams::new(dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params
        .subject_alt_names
        .extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// As Envoy escapes it.
fn forwarded(pem: &str) -> Vec<u8> {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    pem.bytes().map(escape).collect::<String>().into_bytes()
}

#[test]
fn the_uris_are_read_in_order_and_other_names_are_not() {
    let web = "spiffe://example.org/web";
    let admin = "spiffe://example.org/admin";
    for (uris, dns) in [
        (&[web][..], &[][..]),
        (&[web, admin], &[]),
        (&[], &["web.example.org"]),
        (&[], &[]),
    ] {
        let seen = super::uris(&forwarded(&pem(uris, dns))).unwrap();
        let expected: Vec<_> = uris.iter().map(|uri| uri.as_bytes().to_vec()).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn plain_pem_with_newlines_is_read_as_well() {
    let web = "spiffe://example.org/web";
    assert_eq!(
        super::uris(pem(&[web], &[]).as_bytes()).unwrap(),
        [web.as_bytes().to_vec()]
    );
}

#[test]
fn everything_else_is_unreadable() {
    let one = pem(&["spiffe://example.org/web"], &[]);
    let many: Vec<_> = (0..40).map(|at| format!("spiffe://example.org/{at}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let cases = [
        b"%".to_vec(),
        b"%4".to_vec(),
        b"%zz".to_vec(),
        b"garbage".to_vec(),
        forwarded(&one.replace("CERTIFICATE", "PRIVATE KEY")),
        forwarded(&one.replacen("MII", "MIJ", 1)),
        forwarded(&format!("{one}{one}")),
        forwarded(&format!("{one}x")),
        forwarded(one.get(..one.len() / 2).unwrap()),
        forwarded(&pem(&many, &[])),
    ];
    for (at, case) in cases.iter().enumerate() {
        assert_eq!(super::uris(case), Err(Unreadable), "case {at}");
    }
}
