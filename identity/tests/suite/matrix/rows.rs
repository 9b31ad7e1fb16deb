//! The rows: every way to show a certificate that must not be believed, and the ways that must.

use super::der::{element, names};
use super::forge::{Ca, GOOD, OddKey, World, hours, p256, seconds};
use crate::credulous::Show;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use spike_identity::authority::TestAuthority;

type Make = Box<dyn Fn(&World) -> Option<Show>>;

/// A certificate that must be refused, and for which reason.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// `Refusal::label`, and a part of its text.
    pub(crate) refused: (&'static str, &'static str),
    /// In which part the forger appears.
    pub(crate) as_client: bool,
    pub(crate) as_server: bool,
    pub(crate) make: Make,
}

impl Row {
    fn new(name: &'static str, refused: (&'static str, &'static str), make: impl Fn(&World) -> Show + 'static) -> Self {
        Self {
            name,
            refused,
            as_client: true,
            as_server: true,
            make: Box::new(move |world| Some(make(world))),
        }
    }

    /// A leaf of the right root, with one thing spoilt.
    fn leaf(
        name: &'static str,
        refused: (&'static str, &'static str),
        spoil: impl Fn(&mut CertificateParams) + 'static,
    ) -> Self {
        Self::new(name, refused, move |world| world.root.leaf(GOOD, &spoil))
    }

    /// A leaf of the right root with this as its only URI, byte by byte.
    fn uri(name: &'static str, refused: (&'static str, &'static str), uri: &[u8]) -> Self {
        let value = names(&[(6, uri)]);
        Self::new(name, refused, move |world| world.root.leaf_named(value.clone()))
    }

    /// A leaf of the right root with these names.
    fn named(name: &'static str, refused: (&'static str, &'static str), value: Vec<u8>) -> Self {
        Self::new(name, refused, move |world| world.root.leaf_named(value.clone()))
    }

    fn only_as_client(mut self) -> Self {
        self.as_server = false;
        self
    }

    fn only_as_server(mut self) -> Self {
        self.as_client = false;
        self
    }
}

/// Every refusal.
pub(crate) fn refused() -> Vec<Row> {
    [
        nothing_to_believe(),
        wrong_time(),
        wrong_powers(),
        wrong_names(),
        wrong_ids(),
        wrong_path(),
        wrong_key(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn nothing_to_believe() -> Vec<Row> {
    let no_root = ("untrusted", "no root of the bundle signed it");
    vec![
        Row {
            name: "no certificate",
            refused: ("no_certificate", "no certificate"),
            as_client: true,
            as_server: false,
            make: Box::new(|_| None),
        },
        Row::new("self-signed, with the right ID", no_root, |_| {
            let key = p256();
            let params = TestAuthority::leaf(GOOD).unwrap();
            Show {
                chain: vec![params.self_signed(&key).unwrap().der().to_vec()],
                key: key.serialize_der(),
            }
        }),
        Row::new("our trust domain's name, signed by a federated one", no_root, |w| {
            w.partner.leaf(GOOD, |_| {})
        }),
        Row::new("a federated trust domain's name, signed by ours", no_root, |w| {
            w.root.leaf("spiffe://partner.org/web", |_| {})
        }),
        Row::new(
            "signed by a root that only has the right name",
            ("untrusted", "signature on the path is wrong"),
            |w| w.impostor.leaf(GOOD, |_| {}),
        ),
        Row::new(
            "signed by a root that only has the right name, which is sent along",
            ("untrusted", ""),
            |w| w.impostor.leaf(GOOD, |_| {}).with(&[&w.impostor]),
        ),
        Row::new("signed by a stranger, which is sent along", no_root, |w| {
            w.stranger.leaf(GOOD, |_| {}).with(&[&w.stranger])
        }),
        Row::new(
            "a trust domain without a bundle",
            ("unknown_trust_domain", "`stranger.org`"),
            |w| w.stranger.leaf("spiffe://stranger.org/web", |_| {}),
        ),
        Row::new(
            "a subdomain of our trust domain",
            ("unknown_trust_domain", "`sub.example.org`"),
            |w| w.root.leaf("spiffe://sub.example.org/web", |_| {}),
        ),
        Row::new(
            "somebody else's certificate, without its key",
            ("key_not_proven", ""),
            |w| Show {
                key: p256().serialize_der(),
                ..w.root.leaf(GOOD, |_| {})
            },
        ),
        Row::new(
            "one bit of the certificate flipped",
            ("untrusted", "signature on the path is wrong"),
            |w| {
                let mut show = w.root.leaf(GOOD, |_| {});
                let at = find(&show.chain[0], b"example.org/web") + b"example.org/".len();
                show.chain[0][at] ^= 1;
                show
            },
        ),
        Row::new("bytes after the certificate", ("malformed", "bytes follow"), |w| {
            let mut show = w.root.leaf(GOOD, |_| {});
            show.chain[0].push(0);
            show
        }),
        Row::new("no certificate at all, but bytes", ("malformed", "not an X.509"), |w| {
            Show {
                chain: vec![b"not a certificate".to_vec()],
                ..w.root.leaf(GOOD, |_| {})
            }
        }),
        Row::new(
            "an identity that is not wanted here",
            ("unwanted", "`spiffe://example.org/unwanted`"),
            |w| w.root.leaf("spiffe://example.org/unwanted", |_| {}),
        ),
    ]
}

fn wrong_time() -> Vec<Row> {
    vec![
        Row::leaf("expired an hour ago", ("expired", ""), |p| p.not_after = hours(-1)),
        Row::leaf("expired two seconds ago", ("expired", ""), |p| {
            p.not_after = seconds(-2);
        }),
        Row::leaf("valid in 11 seconds", ("not_yet_valid", ""), |p| {
            p.not_before = seconds(11);
        }),
        Row::leaf("valid in an hour", ("not_yet_valid", ""), |p| p.not_before = hours(1)),
        Row::new(
            "an intermediate has expired",
            ("untrusted", "an intermediate has expired"),
            |w| {
                let ca = w.root.under("late", |p| p.not_after = seconds(-2));
                ca.leaf(GOOD, |_| {}).with(&[&ca])
            },
        ),
        Row::new(
            "an intermediate is not valid yet",
            ("untrusted", "an intermediate is not valid yet"),
            |w| {
                let ca = w.root.under("early", |p| p.not_before = hours(1));
                ca.leaf(GOOD, |_| {}).with(&[&ca])
            },
        ),
        Row::new(
            "the root has expired",
            ("untrusted", "no root of the bundle signed it"),
            |w| w.old.leaf("spiffe://old.org/web", |_| {}),
        ),
    ]
}

fn wrong_powers() -> Vec<Row> {
    let with = |usage: KeyUsagePurpose| {
        move |p: &mut CertificateParams| p.key_usages = vec![KeyUsagePurpose::DigitalSignature, usage]
    };
    let raw = |oid: &'static [u64], value: &'static [u8]| {
        move |p: &mut CertificateParams| {
            p.custom_extensions
                .push(CustomExtension::from_oid_content(oid, value.to_vec()));
        }
    };
    vec![
        Row::new("the root itself", ("authority", ""), |w| Show {
            chain: vec![w.root.der()],
            key: w.root.0.key().serialize_der(),
        }),
        Row::leaf("an authority with a workload's ID", ("authority", ""), |p| {
            p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }),
        Row::leaf("keyCertSign", ("may_sign", ""), with(KeyUsagePurpose::KeyCertSign)),
        Row::leaf("cRLSign", ("may_sign", ""), with(KeyUsagePurpose::CrlSign)),
        Row::leaf("no digitalSignature", ("no_digital_signature", ""), |p| {
            p.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        }),
        Row::leaf("no key usage", ("no_digital_signature", ""), |p| p.key_usages.clear()),
        Row::leaf("unreadable key usage", ("malformed", "cannot be read"), move |p| {
            p.key_usages.clear();
            raw(&[2, 5, 29, 15], &[0x04, 0x01, 0x80])(p);
        }),
        Row::leaf(
            "unreadable basic constraints",
            ("malformed", "cannot be read"),
            move |p| {
                p.is_ca = IsCa::NoCa;
                raw(&[2, 5, 29, 19], &[0x02, 0x01, 0x00])(p);
            },
        ),
        Row::leaf(
            "key usage twice",
            ("malformed", "repeated"),
            raw(&[2, 5, 29, 15], &[0x03, 0x02, 0x07, 0x80]),
        ),
        Row::leaf(
            "a critical extension nobody knows",
            ("untrusted", "critical extension"),
            |p| {
                let mut odd = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![0x05, 0x00]);
                odd.set_criticality(true);
                p.custom_extensions.push(odd);
            },
        ),
        Row::leaf("for signing code", ("untrusted", "extended key usage"), |p| {
            p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }),
        Row::leaf(
            "a client that may only be a server",
            ("untrusted", "extended key usage"),
            |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            },
        )
        .only_as_client(),
        Row::leaf(
            "a server that may only be a client",
            ("untrusted", "extended key usage"),
            |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            },
        )
        .only_as_server(),
    ]
}

fn wrong_names() -> Vec<Row> {
    let good = GOOD.as_bytes();
    let (no_uri, several) = (("no_uri", ""), ("several_uris", ""));
    let unreadable = ("malformed", "names cannot be read");
    let many: Vec<(u8, &[u8])> = std::iter::once((6, good))
        .chain((0..32).map(|_| (2, b"host.example".as_slice())))
        .collect();
    vec![
        Row::leaf("no names", no_uri, |p| p.subject_alt_names.clear()),
        Row::named("an empty list of names", no_uri, names(&[])),
        Row::named("only a DNS name", no_uri, names(&[(2, b"example.org")])),
        Row::named("the ID as a DNS name", no_uri, names(&[(2, good)])),
        Row::leaf("the ID as the common name", no_uri, |p| {
            p.subject_alt_names.clear();
            p.distinguished_name.push(rcgen::DnType::CommonName, GOOD);
        }),
        Row::named(
            "two SPIFFE IDs",
            several,
            names(&[(6, good), (6, b"spiffe://example.org/admin")]),
        ),
        Row::named("the same SPIFFE ID twice", several, names(&[(6, good), (6, good)])),
        Row::named(
            "a SPIFFE ID and an https URI",
            several,
            names(&[(6, good), (6, b"https://example.org/")]),
        ),
        Row::named(
            "an https URI and a SPIFFE ID",
            several,
            names(&[(6, b"https://example.org/"), (6, good)]),
        ),
        Row::named("33 names", ("many_names", ""), names(&many)),
        Row::leaf("the names twice", ("malformed", "repeated"), |p| {
            let other = names(&[(6, b"spiffe://example.org/admin")]);
            p.custom_extensions
                .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], other));
        }),
        Row::named("a name after the end of the names", unreadable, {
            [names(&[(6, good)]), element(0x82, b"host.example")].concat()
        }),
        Row::named("a second list after the names", unreadable, {
            [names(&[(6, good)]), names(&[(6, b"spiffe://example.org/admin")])].concat()
        }),
        Row::named(
            "names that end too early",
            unreadable,
            names(&[(6, good)])[..20].to_vec(),
        ),
        Row::named("names of indefinite length", unreadable, {
            [&[0x30, 0x80][..], &element(0x86, good), &[0, 0]].concat()
        }),
        Row::named(
            "a name in Latin-1",
            ("malformed", ""),
            names(&[(6, b"spiffe://example.org/caf\xe9")]),
        ),
        Row::leaf("a URI and an e-mail address with the ID", ("several_uris", ""), |p| {
            p.subject_alt_names.push(SanType::Rfc822Name(GOOD.try_into().unwrap()));
            p.subject_alt_names
                .push(SanType::URI("spiffe://example.org/admin".try_into().unwrap()));
        }),
    ]
}

fn wrong_ids() -> Vec<Row> {
    let bad = ("invalid_id", "not a SPIFFE ID");
    let mut long = b"spiffe://example.org/".to_vec();
    long.resize(2049, b'a');
    vec![
        Row::uri("an https URI", bad, b"https://example.org/web"),
        Row::uri("a URN", bad, b"urn:spiffe:example.org:web"),
        Row::uri("an empty URI", bad, b""),
        Row::uri("no trust domain", bad, b"spiffe:///web"),
        Row::uri(
            "a trust domain without a path",
            ("no_path", ""),
            b"spiffe://example.org",
        ),
        Row::uri("a trust domain and a slash", bad, b"spiffe://example.org/"),
        Row::uri("upper-case scheme", bad, b"SPIFFE://example.org/web"),
        Row::uri("upper-case trust domain", bad, b"spiffe://EXAMPLE.org/web"),
        Row::uri("percent encoding", bad, b"spiffe://example.org/w%65b"),
        Row::uri("percent-encoded slash", bad, b"spiffe://example.org/a%2fweb"),
        Row::uri("a dot segment", bad, b"spiffe://example.org/./web"),
        Row::uri("a double-dot segment", bad, b"spiffe://example.org/a/../web"),
        Row::uri("an empty segment", bad, b"spiffe://example.org//web"),
        Row::uri("a trailing slash", bad, b"spiffe://example.org/web/"),
        Row::uri("a query", bad, b"spiffe://example.org/web?admin"),
        Row::uri("a fragment", bad, b"spiffe://example.org/web#admin"),
        Row::uri("a comma", bad, b"spiffe://example.org/web,By=x"),
        Row::uri(
            "a semicolon",
            bad,
            b"spiffe://example.org/web;URI=spiffe://example.org/admin",
        ),
        Row::uri("a quote", bad, b"spiffe://example.org/web\""),
        Row::uri("a NUL at the end", bad, b"spiffe://example.org/web\0"),
        Row::uri("a NUL inside", bad, b"spiffe://example.org/web\0.evil.example"),
        Row::uri("a line break", bad, b"spiffe://example.org/web\r\nx"),
        Row::uri("a blank", bad, b"spiffe://example.org/web admin"),
        Row::uri("a backslash", bad, b"spiffe://example.org\\web"),
        Row::uri("user information", bad, b"spiffe://admin@example.org/web"),
        Row::uri("a port", bad, b"spiffe://example.org:443/web"),
        Row::uri("DEL", bad, b"spiffe://example.org/web\x7f"),
        Row::uri("2049 bytes", bad, &long),
    ]
}

fn wrong_path() -> Vec<Row> {
    vec![
        Row::new(
            "the intermediate is missing",
            ("untrusted", "no root of the bundle signed it"),
            |w| w.below.leaf(GOOD, |_| {}),
        ),
        Row::new(
            "an intermediate that is no authority",
            ("untrusted", "not a certificate authority"),
            |w| {
                let ca = w.root.under("plain", |p| {
                    p.is_ca = IsCa::ExplicitNoCa;
                });
                ca.leaf(GOOD, |_| {}).with(&[&ca])
            },
        ),
        Row::new("signed by another workload's key", ("untrusted", ""), |w| {
            let ca = w.root.under("workload", |p| {
                *p = TestAuthority::leaf(GOOD).unwrap();
            });
            ca.leaf("spiffe://example.org/admin", |_| {}).with(&[&ca])
        }),
        Row::new(
            "an intermediate without keyCertSign",
            ("untrusted", "no root of the bundle signed it"),
            |w| {
                let ca = w
                    .root
                    .under("unable", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
                ca.leaf(GOOD, |_| {}).with(&[&ca])
            },
        ),
        Row::new(
            "path length exceeded",
            ("untrusted", "does not allow so many below it"),
            |w| {
                let short = w
                    .root
                    .under("short", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
                let deeper = short.under("deeper", |_| {});
                deeper.leaf(GOOD, |_| {}).with(&[&deeper, &short])
            },
        ),
        Row::new("a path of eight intermediates", ("untrusted", "too long"), |w| {
            let line = descent(&w.root, 8);
            line[7].leaf(GOOD, |_| {}).with(&line.iter().rev().collect::<Vec<_>>())
        }),
        Row::new("a chain of 17", ("long_chain", "17 certificates"), |w| {
            let above: Vec<&Ca> = std::iter::repeat_n(&w.below, 16).collect();
            w.below.leaf(GOOD, |_| {}).with(&above)
        }),
        Row::new("outside a name constraint", ("untrusted", "name constraint"), |w| {
            w.narrow.leaf("spiffe://narrow.org/web", |p| {
                p.subject_alt_names
                    .push(SanType::DnsName("outside.example".try_into().unwrap()));
            })
        }),
    ]
}

fn wrong_key() -> Vec<Row> {
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P192: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01];
    const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
    const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];
    const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
    const MD5_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04];
    let weak_hash = ("untrusted", "of a kind that is not accepted");
    vec![
        Row::new("RSA of 1024 bits", ("weak_key", "1024 bits"), |w| {
            w.root.leaf_of(&short_rsa())
        }),
        Row::new("a key on P-192", ("weak_key", "curve"), |w| {
            w.root.resigned(w.root.leaf(GOOD, |_| {}), P256, P192, false)
        }),
        Row::new("a key that cannot sign", ("weak_key", "neither RSA nor ECDSA"), |w| {
            let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
            w.root
                .resigned(w.root.leaf_with(GOOD, &key, |_| {}), ED25519, X25519, false)
        }),
        Row::new("signed with SHA-1", weak_hash, |w| {
            w.rsa
                .resigned(w.rsa.leaf("spiffe://rsa.org/web", |_| {}), SHA256_RSA, SHA1_RSA, true)
        }),
        Row::new("signed with MD5", weak_hash, |w| {
            w.rsa
                .resigned(w.rsa.leaf("spiffe://rsa.org/web", |_| {}), SHA256_RSA, MD5_RSA, true)
        }),
        Row::new("another algorithm inside than outside", ("untrusted", ""), |w| {
            w.rsa
                .resigned(w.rsa.leaf("spiffe://rsa.org/web", |_| {}), SHA256_RSA, SHA1_RSA, false)
        }),
    ]
}

/// Everything that must be believed: name, what is shown, and the ID that comes out.
pub(crate) fn believed(w: &World) -> Vec<(&'static str, Show, String)> {
    let mut long = "spiffe://example.org/".to_owned();
    long.extend(std::iter::repeat_n('a', 2048 - long.len()));
    let key = |algorithm| KeyPair::generate_for(algorithm).unwrap();
    let padding: Vec<&Ca> = std::iter::repeat_n(&w.below, 15).collect();
    let line = descent(&w.root, 3);
    let plain = |show| (show, GOOD.to_owned());
    let table = [
        ("a leaf by the root", plain(w.root.leaf(GOOD, |_| {}))),
        (
            "a leaf by an intermediate",
            plain(w.below.leaf(GOOD, |_| {}).with(&[&w.below])),
        ),
        (
            "the root sent along",
            plain(w.below.leaf(GOOD, |_| {}).with(&[&w.below, &w.root])),
        ),
        (
            "three intermediates",
            plain(line[2].leaf(GOOD, |_| {}).with(&[&line[2], &line[1], &line[0]])),
        ),
        (
            "three intermediates, out of order",
            plain(line[2].leaf(GOOD, |_| {}).with(&[&line[0], &line[2], &line[1]])),
        ),
        ("a chain of 16", plain(w.below.leaf(GOOD, |_| {}).with(&padding))),
        (
            "a federated trust domain",
            (
                w.partner.leaf("spiffe://partner.org/web", |_| {}),
                "spiffe://partner.org/web".to_owned(),
            ),
        ),
        (
            "ECDSA P-384",
            plain(w.root.leaf_with(GOOD, &key(&rcgen::PKCS_ECDSA_P384_SHA384), |_| {})),
        ),
        (
            "ECDSA P-521",
            plain(w.root.leaf_with(GOOD, &key(&rcgen::PKCS_ECDSA_P521_SHA512), |_| {})),
        ),
        (
            "Ed25519",
            plain(w.root.leaf_with(GOOD, &key(&rcgen::PKCS_ED25519), |_| {})),
        ),
        (
            "RSA-2048",
            plain(w.root.leaf_with(GOOD, &key(&rcgen::PKCS_RSA_SHA256), |_| {})),
        ),
        (
            "an RSA root",
            (
                w.rsa.leaf("spiffe://rsa.org/web", |_| {}),
                "spiffe://rsa.org/web".to_owned(),
            ),
        ),
        (
            "no extended key usage",
            plain(w.root.leaf(GOOD, |p| p.extended_key_usages.clear())),
        ),
        (
            "no basic constraints",
            plain(w.root.leaf(GOOD, |p| p.is_ca = IsCa::NoCa)),
        ),
        (
            "32 names, one of them the ID",
            plain(w.root.leaf(GOOD, |p| {
                let dns = SanType::DnsName("host.example".try_into().unwrap());
                p.subject_alt_names.extend(std::iter::repeat_n(dns, 31));
            })),
        ),
        ("an ID of 2048 bytes", (w.root.leaf(&long, |_| {}), long.clone())),
        (
            "inside a name constraint",
            (
                w.narrow.leaf("spiffe://narrow.org/web", |p| {
                    p.subject_alt_names
                        .push(SanType::DnsName("a.inside.example".try_into().unwrap()));
                }),
                "spiffe://narrow.org/web".to_owned(),
            ),
        ),
        (
            "every character an ID may have",
            (
                w.root.leaf("spiffe://example.org/AZaz09._-/...", |_| {}),
                "spiffe://example.org/AZaz09._-/...".to_owned(),
            ),
        ),
    ];
    table.into_iter().map(|(name, (show, id))| (name, show, id)).collect()
}

impl Ca {
    fn leaf_of(&self, key: &OddKey) -> Show {
        let params = TestAuthority::leaf(GOOD).unwrap();
        let leaf = params.signed_by(key, &self.0).unwrap();
        Show {
            chain: vec![leaf.der().to_vec()],
            key: p256().serialize_der(),
        }
    }
}

/// An RSA public key whose modulus has 1024 bits.
fn short_rsa() -> OddKey {
    let mut modulus = vec![0x00];
    modulus.extend([0xc3; 128]);
    let bytes = element(0x30, &[element(0x02, &modulus), element(0x02, &[1, 0, 1])].concat());
    OddKey {
        bytes,
        algorithm: &rcgen::PKCS_RSA_SHA256,
    }
}

/// Authorities, each signed by the one before.
fn descent(root: &Ca, count: usize) -> Vec<Ca> {
    const NAMES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let mut line: Vec<Ca> = Vec::new();
    for name in &NAMES[..count] {
        let next = line.last().unwrap_or(root).under(name, |_| {});
        line.push(next);
    }
    line
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}
