//! Who asks: the principal, the certificate, XFCC; and checks with pieces missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use spike_policy::Permission;
use spike_policy::request::{Connection, Facts, Hints, IdentitySource, Refusal, Rules, read};

const WEB: &[u8] = b"spiffe://example.org/web";

fn rules() -> Rules {
    let trust_domains = vec!["example.org".parse().unwrap(), "partner.test".parse().unwrap()];
    Rules {
        trust_domains,
        ..Rules::default()
    }
}

fn facts() -> Facts<'static> {
    Facts {
        principal: WEB,
        method: b"GET",
        path: b"/a",
        ..Facts::default()
    }
}

fn who(rules: &Rules, facts: &Facts<'_>) -> Result<String, Refusal> {
    read(rules, facts).map(|access| access.who.to_string())
}

#[test]
fn only_a_strict_spiffe_id_of_an_allowed_trust_domain_is_a_principal() {
    let at_limit = format!("spiffe://example.org/{}", "a".repeat(2048 - 21));
    let over = format!("{at_limit}a");
    let long_domain = format!("spiffe://{}/a", "d".repeat(256));
    let table: [(&[u8], Result<(), Refusal>); 47] = [
        (WEB, Ok(())),
        (b"spiffe://partner.test/x", Ok(())),
        (b"spiffe://example.org/ns/shop/sa/web", Ok(())),
        (b"spiffe://example.org/A.b-c_9", Ok(())),
        (b"spiffe://example.org/...", Ok(())),
        (at_limit.as_bytes(), Ok(())),
        (b"", Err(Refusal::PrincipalMissing)),
        (over.as_bytes(), Err(Refusal::PrincipalInvalid)),
        (long_domain.as_bytes(), Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org", Err(Refusal::PrincipalWithoutPath)),
        (b"spiffe://example.org/", Err(Refusal::PrincipalInvalid)),
        (b"spiffe:///web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://", Err(Refusal::PrincipalInvalid)),
        (b"spiffe:", Err(Refusal::PrincipalInvalid)),
        (b"web", Err(Refusal::PrincipalInvalid)),
        (b"https://other.example/x", Err(Refusal::PrincipalInvalid)),
        (b"O=SPIRE,C=US", Err(Refusal::PrincipalInvalid)),
        (b"web.example.org", Err(Refusal::PrincipalInvalid)),
        (b"SPIFFE://example.org/web", Err(Refusal::PrincipalInvalid)),
        (b"Spiffe://example.org/web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://Example.org/web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org:8443/web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://user@example.org/web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/web/", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org//web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a//b", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/./web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a/../web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/..", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/%61dmin", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/web?x=1", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/web#x", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a,b", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a;b", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a=b", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a b", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a\nb", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/a\0", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/web!", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/caf\xc3\xa9", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/caf\xe9", Err(Refusal::PrincipalInvalid)),
        (b" spiffe://example.org/web", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://example.org/web ", Err(Refusal::PrincipalInvalid)),
        (b"spiffe://evil.test/web", Err(Refusal::TrustDomainNotAllowed)),
        (
            b"spiffe://example.org.evil.test/web",
            Err(Refusal::TrustDomainNotAllowed),
        ),
        (b"spiffe://examplexorg/web", Err(Refusal::TrustDomainNotAllowed)),
        (
            b"spiffe://evil.test/example.org/web",
            Err(Refusal::TrustDomainNotAllowed),
        ),
    ];
    for (principal, expected) in table {
        let shown = String::from_utf8_lossy(principal).into_owned();
        let expected = expected.map(|()| shown.clone());
        assert_eq!(who(&rules(), &Facts { principal, ..facts() }), expected, "{shown}");
    }
}

#[test]
fn without_allowed_trust_domains_nobody_is_allowed_anything() {
    assert_eq!(who(&Rules::default(), &facts()), Err(Refusal::TrustDomainNotAllowed));
}

#[test]
fn the_certificate_holds_the_principal_and_no_other_uri() {
    let with = |uris| Facts {
        certificate_uris: Some(uris),
        ..facts()
    };
    let strict = Rules {
        require_peer_certificate: true,
        ..rules()
    };
    assert!(who(&strict, &with(&[WEB])).is_ok());
    assert_eq!(who(&strict, &facts()), Err(Refusal::PeerCertificateMissing));
    let mismatches: [&[&[u8]]; 6] = [
        &[],
        &[b"spiffe://example.org/other"],
        &[WEB, WEB],
        &[WEB, b"https://example.org"],
        &[b"https://example.org", WEB],
        &[b"spiffe://example.org/web\0"],
    ];
    for uris in mismatches {
        assert_eq!(who(&rules(), &with(uris)), Err(Refusal::PeerCertificateMismatch));
    }
    let no_principal = Facts {
        principal: b"",
        ..with(&[WEB])
    };
    assert_eq!(who(&rules(), &no_principal), Err(Refusal::PeerCertificateMismatch));
}

/// What is expected of a header value.
type Xfcc<'a> = (&'a [u8], Result<&'a str, Refusal>);

const URI: &str = "spiffe://example.org/web";

const TEXT: &[Xfcc<'static>] = &[
    (b"URI=spiffe://example.org/web", Ok(URI)),
    (
        b"By=spiffe://example.org/envoy;Hash=ab12;URI=spiffe://example.org/web",
        Ok(URI),
    ),
    (b"By=a;By=b;Hash=ab12;URI=spiffe://example.org/web", Ok(URI)),
    (b"Hash=ab12;Subject=\"\";URI=spiffe://example.org/web", Ok(URI)),
    (
        b"Hash=ab12;Subject=\"CN=a, O=b; c\";URI=spiffe://example.org/web",
        Ok(URI),
    ),
    (
        b"Hash=ab12;Subject=\"CN=\\\"a\\\",O=b\";URI=spiffe://example.org/web",
        Ok(URI),
    ),
    (b"Hash=ab12;Subject=\"CN=\\\\\";URI=spiffe://example.org/web", Ok(URI)),
    (
        b"Hash=a;Cert=\"-----BEGIN%20\";Chain=\"x\";URI=spiffe://example.org/web",
        Ok(URI),
    ),
    (b"URI=\"spiffe://example.org/web\"", Ok(URI)),
    (b"Hash=ab12;DNS=a.test;DNS=b.test;URI=spiffe://example.org/web", Ok(URI)),
    // Two elements, in whatever way they came.
    (
        b"URI=spiffe://example.org/web,URI=spiffe://example.org/admin",
        Err(Refusal::XfccElements),
    ),
    (
        b"Hash=a;URI=spiffe://example.org/web,Hash=b;URI=spiffe://example.org/web",
        Err(Refusal::XfccElements),
    ),
    (
        b"URI=spiffe://example.org/x,By=a;Hash=b;URI=spiffe://example.org/admin",
        Err(Refusal::XfccElements),
    ),
    (b"URI=spiffe://example.org/web,", Err(Refusal::XfccElements)),
    (b",URI=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (
        b"Subject=\"a\",URI=spiffe://example.org/web",
        Err(Refusal::XfccElements),
    ),
    // Not exactly one URI.
    (b"By=spiffe://example.org/envoy;Hash=ab12", Err(Refusal::XfccUris)),
    (
        b"URI=spiffe://example.org/web;URI=spiffe://example.org/admin",
        Err(Refusal::XfccUris),
    ),
    (
        b"URI=spiffe://example.org/web;URI=spiffe://example.org/web",
        Err(Refusal::XfccUris),
    ),
    (b"Hash=a", Err(Refusal::XfccUris)),
    // What follows the URI may be the tail of a longer one.
    (b"URI=spiffe://example.org/admin;DNS=x", Err(Refusal::XfccUriNotLast)),
    (b"URI=spiffe://example.org/admin;Hash=x", Err(Refusal::XfccUriNotLast)),
    (
        b"URI=spiffe://example.org/admin;Subject=\"x\"",
        Err(Refusal::XfccUriNotLast),
    ),
    (b"URI=spiffe://example.org/admin;By=x", Err(Refusal::XfccUriNotLast)),
    (
        b"URI=spiffe://example.org/admin;Issuer=\"CN=x\"",
        Err(Refusal::XfccUriNotLast),
    ),
    // Values that are no identity.
    (b"URI=", Err(Refusal::PrincipalInvalid)),
    (b"URI=\"\"", Err(Refusal::PrincipalInvalid)),
    (b"URI=https://example.org/web", Err(Refusal::PrincipalInvalid)),
    (b"URI=spiffe://example.org/a/../admin", Err(Refusal::PrincipalInvalid)),
    (b"URI=spiffe://example.org/%61dmin", Err(Refusal::PrincipalInvalid)),
    (b"URI=spiffe://example.org/web=x", Err(Refusal::PrincipalInvalid)),
    (
        b"URI=\"spiffe://example.org/x,By=a;URI=spiffe://example.org/admin\"",
        Err(Refusal::PrincipalInvalid),
    ),
    (b"URI=SPIFFE://example.org/web", Err(Refusal::PrincipalInvalid)),
    (b"URI=spiffe://example.org", Err(Refusal::PrincipalWithoutPath)),
    (b"URI=spiffe://evil.test/web", Err(Refusal::TrustDomainNotAllowed)),
    // What does not parse.
    (b"", Err(Refusal::XfccInvalid)),
    (b" ", Err(Refusal::XfccInvalid)),
    (b";", Err(Refusal::XfccInvalid)),
    (b"=", Err(Refusal::XfccInvalid)),
    (b"URI", Err(Refusal::XfccInvalid)),
    (b"spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b"URI=spiffe://example.org/web;", Err(Refusal::XfccInvalid)),
    (b"uri=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b"Uri=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b" URI=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b"URI =spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b"URI=spiffe://example.org/web ", Err(Refusal::XfccInvalid)),
    (b"Role=admin;URI=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (b"Hash=a;Hash=b;URI=spiffe://example.org/web", Err(Refusal::XfccInvalid)),
    (
        b"Subject=\"CN=a;URI=spiffe://example.org/web",
        Err(Refusal::XfccInvalid),
    ),
    (
        b"Subject=\"CN=a\\\";URI=spiffe://example.org/web",
        Err(Refusal::XfccInvalid),
    ),
    (
        b"Subject=\"CN=a\"x;URI=spiffe://example.org/web",
        Err(Refusal::XfccInvalid),
    ),
    (
        b"Subject=CN=\"a\";URI=spiffe://example.org/web",
        Err(Refusal::XfccInvalid),
    ),
    (b"URI=spiffe://example.org/web\0", Err(Refusal::XfccInvalid)),
    (b"URI=spiffe://example.org/web\n", Err(Refusal::XfccInvalid)),
    (b"URI=spiffe://example.org/caf\xc3\xa9", Err(Refusal::XfccInvalid)),
    (b"URI=spiffe://example.org/\xff", Err(Refusal::XfccInvalid)),
];

const JSON: &[Xfcc<'static>] = &[
    (br#"[{"uri":["spiffe://example.org/web"]}]"#, Ok(URI)),
    (
        br#"[{"by":["a"],"hash":"b","subject":"CN=x","uri":["spiffe://example.org/web"],"dns":["d"],"issuer":"i"}]"#,
        Ok(URI),
    ),
    (
        br#"[{"uri":["spiffe://example.org/web"],"cert":"c","chain":"d"}]"#,
        Ok(URI),
    ),
    (br"[]", Err(Refusal::XfccInvalid)),
    (br"[", Err(Refusal::XfccInvalid)),
    (br"[{}]", Err(Refusal::XfccUris)),
    (br#"[{"uri":[]}]"#, Err(Refusal::XfccUris)),
    (
        br#"[{"uri":["spiffe://example.org/web","spiffe://example.org/web"]}]"#,
        Err(Refusal::XfccUris),
    ),
    (
        br#"[{"uri":["spiffe://example.org/web"]},{"uri":["spiffe://example.org/admin"]}]"#,
        Err(Refusal::XfccElements),
    ),
    (br#"[{"uri":"spiffe://example.org/web"}]"#, Err(Refusal::XfccInvalid)),
    (
        br#"[{"uri":["spiffe://example.org/web"],"uri":["spiffe://example.org/admin"]}]"#,
        Err(Refusal::XfccInvalid),
    ),
    (
        br#"[{"uri":["spiffe://example.org/web"],"URI":["spiffe://example.org/admin"]}]"#,
        Err(Refusal::XfccInvalid),
    ),
    (br#"[{"uri":["spiffe://example.org/web"]}] "#, Ok(URI)),
    (
        br#"[{"uri":["spiffe://example.org/web"]}],URI=x"#,
        Err(Refusal::XfccInvalid),
    ),
    (
        br#"[{"uri":["spiffe://example.org/x,By=a;URI=spiffe://example.org/admin"]}]"#,
        Err(Refusal::PrincipalInvalid),
    ),
    (
        br#"[{"uri":["spiffe://example.org/\u0061dmin"]}]"#,
        Ok("spiffe://example.org/admin"),
    ),
    (
        br#"[{"uri":["spiffe://example.org/web\u0000"]}]"#,
        Err(Refusal::PrincipalInvalid),
    ),
    (br#"{"uri":["spiffe://example.org/web"]}"#, Err(Refusal::XfccInvalid)),
];

#[test]
fn xfcc_gives_an_identity_only_when_it_can_mean_nothing_else() {
    let rules = Rules {
        identity: IdentitySource::Xfcc,
        ..rules()
    };
    let rows: Vec<_> = TEXT.iter().chain(JSON).copied().collect();
    for (value, expected) in &rows {
        let values = [*value];
        let facts = Facts {
            principal: b"",
            xfcc: &values,
            ..facts()
        };
        assert_eq!(
            who(&rules, &facts),
            expected.map(str::to_owned),
            "{}",
            String::from_utf8_lossy(value)
        );
    }
    let long = format!("Subject=\"{}\";URI={URI}", "x".repeat(100_000));
    let facts = Facts {
        principal: b"",
        xfcc: &[long.as_bytes()],
        ..facts()
    };
    assert_eq!(who(&rules, &facts), Err(Refusal::XfccInvalid));
    assert!(rows.len() >= 60, "{}", rows.len());
}

#[test]
fn xfcc_comes_in_one_header_and_agrees_with_the_peer() {
    let xfcc = Rules {
        identity: IdentitySource::Xfcc,
        ..rules()
    };
    let one: &[&[u8]] = &[b"URI=spiffe://example.org/web"];
    assert_eq!(who(&xfcc, &Facts { xfcc: &[], ..facts() }), Err(Refusal::XfccMissing));
    assert_eq!(
        who(
            &xfcc,
            &Facts {
                xfcc: &[b"URI=spiffe://example.org/web", b"URI=spiffe://example.org/web"],
                ..facts()
            }
        ),
        Err(Refusal::XfccElements)
    );
    assert_eq!(who(&xfcc, &Facts { xfcc: one, ..facts() }), Ok(URI.to_owned()));
    let gateway = Facts {
        principal: b"spiffe://example.org/gateway",
        xfcc: one,
        ..facts()
    };
    assert_eq!(who(&xfcc, &gateway), Err(Refusal::XfccDisagrees));
    let named = Rules {
        xfcc_proxies: vec!["spiffe://example.org/gateway".parse().unwrap()],
        ..xfcc.clone()
    };
    assert_eq!(who(&named, &gateway), Ok(URI.to_owned()));
    let other = Facts {
        principal: b"spiffe://example.org/gateway2",
        ..gateway
    };
    assert_eq!(who(&named, &other), Err(Refusal::XfccDisagrees));
    let illegal = Facts {
        principal: b"spiffe://example.org/web;DNS=x",
        ..gateway
    };
    assert_eq!(who(&named, &illegal), Err(Refusal::PrincipalInvalid));
    // Without that setting the header does not count at all.
    let forged = Facts {
        xfcc: &[b"URI=spiffe://example.org/admin"],
        ..facts()
    };
    assert_eq!(who(&rules(), &forged), Ok(URI.to_owned()));
}

/// What the table expects of facts that lack a piece.
fn refused(expected: Refusal, rows: &[Facts<'_>]) -> usize {
    for facts in rows {
        assert_eq!(read(&rules(), facts), Err(expected), "{facts:?}");
    }
    rows.len()
}

#[test]
fn a_check_with_a_piece_missing_is_refused_with_the_name_of_the_piece() {
    let nothing = Facts {
        principal: WEB,
        ..Facts::default()
    };
    let from = |principal| Facts { principal, ..facts() };
    let to = |path| Facts { path, ..facts() };
    let by = |method, path| Facts {
        method,
        path,
        ..facts()
    };
    let raw = |method, path, raw| Facts {
        raw_path: Some(raw),
        ..by(method, path)
    };
    let sni = |sni| Facts {
        connection: Some(Connection {
            listener: None,
            sni: Some(sni),
        }),
        ..nothing
    };
    let hinted = |path_prefix, permission| Facts {
        hints: Hints {
            path_prefix,
            permission,
        },
        ..facts()
    };
    let tried = [
        refused(Refusal::RequestMissing, &[Facts::default(), nothing]),
        refused(
            Refusal::PrincipalMissing,
            &[
                from(b""),
                Facts {
                    principal: b"",
                    ..sni(b"db.test")
                },
            ],
        ),
        refused(
            Refusal::PrincipalInvalid,
            &[Facts {
                principal: b"DNS",
                ..sni(b"db.test")
            }],
        ),
        refused(Refusal::MethodMissing, &[by(b"", b"/a"), raw(b"", b"", b"/a")]),
        refused(
            Refusal::MethodMissing,
            &[Facts {
                grpc: true,
                ..by(b"", b"/a")
            }],
        ),
        refused(
            Refusal::MethodUnknown,
            &[by(b"CONNECT", b"/a"), by(b" ", b"/a"), by(b"*", b"/a")],
        ),
        refused(
            Refusal::PathMissing,
            &[to(b""), to(b"?"), by(b"CONNECT", b""), raw(b"GET", b"", b"")],
        ),
        refused(
            Refusal::PathNotAbsolute,
            &[by(b"CONNECT", b"example.org:443"), by(b"OPTIONS", b"*")],
        ),
        refused(Refusal::PathRoot, &[to(b"/")]),
        refused(Refusal::PathDisagrees, &[raw(b"GET", b"/a", b"")]),
        refused(Refusal::GrpcShape, &[Facts { grpc: true, ..facts() }]),
        refused(Refusal::HintPathPrefix, &[hinted(Some(b""), None)]),
        refused(Refusal::HintPermission, &[hinted(None, Some(b""))]),
        refused(
            Refusal::PeerCertificateMismatch,
            &[Facts {
                certificate_uris: Some(&[]),
                ..facts()
            }],
        ),
        refused(Refusal::ConnectionUnnamed, &[sni(b"")]),
        refused(
            Refusal::ConnectionUnnamed,
            &[Facts {
                connection: Some(Connection::default()),
                ..nothing
            }],
        ),
        refused(
            Refusal::ConnectionNameInvalid,
            &[sni(b"a/b"), sni(b"a b"), sni(b".."), sni(b"\xff"), sni(b"db.test\0")],
        ),
    ];
    assert_eq!(tried.iter().sum::<usize>(), 30);
}

#[test]
fn a_connection_asks_to_execute_on_its_name() {
    let connection = |listener, sni| Facts {
        principal: WEB,
        connection: Some(Connection { listener, sni }),
        ..Facts::default()
    };
    let asked = |facts: &Facts<'_>| {
        read(&rules(), facts)
            .map(|a| (a.path.to_string(), a.permission))
            .unwrap()
    };
    let execute = |path: &str| (path.to_owned(), Permission::Execute);
    assert_eq!(asked(&connection(None, Some(b"db.test"))), execute("tcp/db.test"));
    assert_eq!(asked(&connection(Some(b"postgres"), None)), execute("tcp/postgres"));
    // The client chooses the SNI, the operator the listener's name.
    assert_eq!(
        asked(&connection(Some(b"postgres"), Some(b"redis"))),
        execute("tcp/postgres")
    );
    let hints = Hints {
        path_prefix: Some(b"services/data"),
        permission: Some(b"read"),
    };
    let hinted = Facts {
        hints,
        ..connection(None, Some(b"db.test"))
    };
    assert_eq!(
        asked(&hinted),
        ("services/data/tcp/db.test".to_owned(), Permission::Read)
    );
}
