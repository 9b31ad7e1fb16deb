//! What a proxy says about a request, every field chosen by the attacker: an access or a refusal; and a path that is
//! let through reads the same in every upstream.
//!
//! Input: lines. Each begins with a letter that says which fact the rest of it is.
#![no_main]
use libfuzzer_sys::fuzz_target;
use spike_policy::request::{Connection, Facts, IdentitySource, Rules, read};

#[path = "../../policy/tests/upstreams/mod.rs"]
mod upstreams;

fuzz_target!(|data: &[u8]| {
    let mut facts = Facts::default();
    let (mut uris, mut xfcc): (Option<Vec<&[u8]>>, Vec<&[u8]>) = (None, Vec::new());
    let mut rules = Rules {
        trust_domains: vec!["example.org".parse().unwrap()],
        xfcc_proxies: vec!["spiffe://example.org/proxy".parse().unwrap()],
        ..Rules::default()
    };
    for line in data.split(|b| *b == b'\n') {
        let [fact, rest @ ..] = line else { continue };
        match fact {
            b'i' => facts.principal = rest,
            b'c' => uris.get_or_insert_default().extend((!rest.is_empty()).then_some(rest)),
            b'x' => {
                xfcc.push(rest);
                rules.identity = IdentitySource::Xfcc;
            }
            b'm' => facts.method = rest,
            b'p' => facts.path = rest,
            b'r' => facts.raw_path = Some(rest),
            b'g' => facts.grpc = true,
            b'h' => facts.hints.path_prefix = Some(rest),
            b'w' => facts.hints.permission = Some(rest),
            b'l' => facts.connection.get_or_insert_default().listener = Some(rest),
            b's' => facts.connection.get_or_insert(Connection::default()).sni = Some(rest),
            b'R' => rules.require_peer_certificate = true,
            _ => {}
        }
    }
    facts.certificate_uris = uris.as_deref();
    facts.xfcc = &xfcc;
    let Ok(access) = read(&rules, &facts) else { return };
    assert_eq!(access.who.trust_domain(), "example.org");
    let path = access.path.as_str();
    assert!(!path.is_empty() && path.bytes().all(|b| b.is_ascii_graphic()));
    if facts.connection.is_some() {
        assert!(path.contains("tcp/"));
        return;
    }
    let whole = facts.raw_path.unwrap_or(facts.path);
    let sent = std::str::from_utf8(whole.split(|b| *b == b'?').next().unwrap()).unwrap();
    let prefix = facts.hints.path_prefix.unwrap_or_default();
    assert!(
        path.as_bytes().starts_with(prefix) && path.ends_with(&sent[1..]),
        "{path:?} of {sent:?}"
    );
    reads_the_same(sent);
});

/// Nothing that an upstream may do to a path changes it, but decoding what has to be encoded.
fn reads_the_same(sent: &str) {
    let decoded = upstreams::decoded(sent);
    for (name, model) in upstreams::MODELS {
        let understood = model(sent);
        assert!(
            understood == sent || understood == decoded,
            "{sent:?} is {understood:?} to {name}"
        );
    }
    assert_eq!(decoded.matches('/').count(), sent.matches('/').count());
    assert!(!decoded.contains(['?', '#', ';', '\\', '\0']), "{decoded:?}");
    assert_eq!(
        upstreams::decoded(&decoded),
        decoded,
        "decoding twice makes a difference"
    );
}
