//! Whatever an upstream makes of a path that we allow, the same policy allows it, too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a random test prints its seed and what it tried")]

use std::sync::Arc;

use spike_policy::request::{Facts, PathRule, PathRules, Rules, read};
use spike_policy::{
    Access, AccessPath, Generation, Policy, PolicyDocument, PolicyId, PolicySet, Roles, UnixMillis, Verdict, decide,
};

mod random;
mod upstreams;
use random::Random;
use upstreams::{MODELS, decoded, merged, without_dots, without_parameters};

/// What a path is made of: ordinary names, and every piece that once fooled an upstream.
const PIECES: [&str; 44] = [
    "/", "/", "/", "/", "a", "b", "admin", "public", "orders", "7", ".", "..", "...", "/./", "/../", "//", ";", ";x=1",
    "..;", "%2f", "%2F", "%5c", "%2e", "%2E%2e", "%25", "%252f", "%3b", "%3f", "%23", "%00", "%0a", "%61", "%41",
    "%20", "%c3%a9", "%e9", "%c0%af", "%", "%zz", "\\", "?x=/../", "#", "-", "~",
];

/// Patterns of which `public/…` is the kind that an attacker starts from and `admin` the one to reach.
const PATTERNS: [&str; 10] = [
    "^public/.*$",
    "^public/",
    "^public/[^/]+$",
    "^public/[^/]+/[^/]+$",
    "^public/orders/.*$",
    "^(public|orders)/[^.;]*$",
    "^public$",
    "^orders/7$",
    "^public/[a-z]+/orders$",
    "^public/[^a].*$",
];

fn generated(random: &mut Random) -> String {
    let mut path = String::from(if random.chance(97) { "/" } else { "" });
    if random.chance(60) {
        path.push_str(["public/", "public", "orders/7", "public/orders/"][random.below(4)]);
    }
    for _ in 0..random.below(7) {
        // Mostly harmless, or hardly a path would pass.
        let piece = if random.chance(70) {
            PIECES[random.below(10)]
        } else {
            random.pick(&PIECES)
        };
        path.push_str(piece);
    }
    path
}

#[test]
fn the_models_do_what_their_upstreams_do() {
    assert_eq!(without_dots("/a/b/../c/./d"), "/a/c/d");
    assert_eq!(without_dots("/../a/.."), "/");
    assert_eq!(decoded("/a%2fb%zz%2"), "/a/b%zz%2");
    assert_eq!(merged("//a///b/"), "/a/b/");
    assert_eq!(without_parameters("/a;x=1/..;/b"), "/a/../b");
    assert_eq!((MODELS[4].1)("/public/..;/admin"), "/admin");
}

/// What a run of generated paths found.
#[derive(Default)]
struct Found {
    read: usize,
    allowed: usize,
    violations: Vec<String>,
}

fn run(paths: PathRules, seed: u64, cases: usize) -> Found {
    let mut random = Random::new(seed);
    let rules = Rules {
        trust_domains: vec!["example.org".parse().unwrap()],
        paths,
        ..Rules::default()
    };
    let sets = PATTERNS.map(set_of);
    let mut found = Found::default();
    for case in 0..cases {
        let path = generated(&mut random);
        let facts = Facts {
            principal: b"spiffe://example.org/web",
            method: b"GET",
            path: path.as_bytes(),
            raw_path: Some(path.as_bytes()),
            ..Facts::default()
        };
        let Ok(access) = read(&rules, &facts) else { continue };
        found.read += 1;
        let set = &sets[case % sets.len()];
        if !allows(set, access.clone()) {
            continue;
        }
        found.allowed += 1;
        let before_query = path.split('?').next().unwrap();
        for (name, model) in MODELS {
            let understood = model(before_query);
            // Blanks and letters beyond ASCII stand for themselves in a decoded path; policies see `_` for them.
            let graphic = |c: char| if c.is_ascii_graphic() { c } else { '_' };
            let text: String = understood.strip_prefix('/').unwrap().chars().map(graphic).collect();
            let same = text
                .parse::<AccessPath>()
                .is_ok_and(|path| allows(set, Access { path, ..access.clone() }));
            if !same {
                let pattern = PATTERNS[case % sets.len()];
                found.violations.push(format!(
                    "{before_query:?} is allowed by {pattern:?}, but {name} reads {text:?}"
                ));
            }
        }
    }
    found
}

fn set_of(pattern: &str) -> PolicySet {
    let document = PolicyDocument {
        name: "p".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: pattern.to_owned(),
        permissions: vec!["read".to_owned()],
    };
    let (id, at) = (PolicyId::from_random_bytes([7; 16]), UnixMillis(0));
    let policy = Policy {
        id,
        rule: (&document).try_into().unwrap(),
        created_at: at,
        updated_at: at,
    };
    PolicySet::new(Generation(1), [Arc::new(policy)])
}

fn allows(set: &PolicySet, access: Access) -> bool {
    matches!(decide(set, &Roles::default(), access), Verdict::Allow(_))
}

#[test]
fn every_path_that_is_allowed_is_allowed_under_every_reading_of_it() {
    let cases = random::cases(100_000);
    let found = run(PathRules::strict(), random::seed(), cases);
    println!(
        "{cases} paths: {} read, {} allowed, each read in {} ways",
        found.read,
        found.allowed,
        MODELS.len()
    );
    assert!(found.violations.is_empty(), "{:#?}", found.violations);
    assert!(
        found.read > cases / 5 && found.allowed > cases / 50,
        "{} read, {} allowed",
        found.read,
        found.allowed
    );
}

#[test]
fn without_its_rules_the_same_run_finds_violations() {
    for rule in [
        PathRule::DotSegment,
        PathRule::DoubleSlash,
        PathRule::EncodedSlash,
        PathRule::EncodedDot,
        PathRule::Semicolon,
        PathRule::EncodedUnreserved,
    ] {
        let found = run(PathRules::strict().without(rule), random::seed(), 100_000);
        assert!(
            !found.violations.is_empty(),
            "{rule} off, and {} allowed paths read alike",
            found.allowed
        );
    }
}
