//! The path table: every spelling that two programs could read differently, and the rule that refuses it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use spike_policy::Permission;
use spike_policy::request::{Facts, Hints, PathRule, PathRules, Refusal, Rules, read};

fn rules() -> Rules {
    Rules {
        trust_domains: vec!["example.org".parse().unwrap()],
        ..Rules::default()
    }
}

fn facts(path: &[u8]) -> Facts<'_> {
    Facts {
        principal: b"spiffe://example.org/web",
        method: b"GET",
        path,
        raw_path: Some(path),
        ..Facts::default()
    }
}

/// The path that policies see, or the word of the refusal.
fn reading(rules: &Rules, facts: &Facts<'_>) -> String {
    match read(rules, facts) {
        Ok(access) => access.path.as_str().to_owned(),
        Err(refusal) => format!("! {refusal:?}"),
    }
}

fn refused(rule: PathRule) -> String {
    format!("! {:?}", Refusal::Path(rule))
}

/// (request path, what policies see) of what is allowed.
const CANONICAL: [(&str, &str); 42] = [
    ("/a", "a"),
    ("/a/b", "a/b"),
    ("/a/b/", "a/b/"),
    ("/A/B", "A/B"),
    ("/a?x=1", "a"),
    ("/a?", "a"),
    ("/a/?x", "a/"),
    ("/a?x=../..", "a"),
    ("/a?x=%2e%2e", "a"),
    ("/a?x=/../b", "a"),
    ("/a?b?c", "a"),
    ("/a?x=//", "a"),
    ("/a?x=%zz", "a"),
    ("/a?#", "a"),
    ("/a-b_c.d~e", "a-b_c.d~e"),
    ("/a.b", "a.b"),
    ("/.well-known/x", ".well-known/x"),
    ("/a/..b", "a/..b"),
    ("/a/b..", "a/b.."),
    ("/a/...b", "a/...b"),
    ("/a/.b.", "a/.b."),
    ("/a:b", "a:b"),
    ("/a@b", "a@b"),
    ("/a!b", "a!b"),
    ("/a$b", "a$b"),
    ("/a&b", "a&b"),
    ("/a'b", "a'b"),
    ("/a(b)", "a(b)"),
    ("/a*b", "a*b"),
    ("/*", "*"),
    ("/a+b", "a+b"),
    ("/a,b", "a,b"),
    ("/a=b", "a=b"),
    ("/a[b]", "a[b]"),
    ("/a%20b", "a%20b"),
    ("/a%22b", "a%22b"),
    ("/a%3Ab", "a%3Ab"),
    ("/a%40b", "a%40b"),
    ("/caf%C3%A9", "caf%C3%A9"),
    ("/%E6%97%A5%E6%9C%AC", "%E6%97%A5%E6%9C%AC"),
    ("/pkg.Service/Method", "pkg.Service/Method"),
    ("/%F0%9F%8D%A3", "%F0%9F%8D%A3"),
];

/// (request path, rule) of what a switchable rule refuses.
const REFUSED: [(&str, PathRule); 84] = [
    ("/.", PathRule::DotSegment),
    ("/..", PathRule::DotSegment),
    ("/./", PathRule::DotSegment),
    ("/../", PathRule::DotSegment),
    ("/a/.", PathRule::DotSegment),
    ("/a/..", PathRule::DotSegment),
    ("/a/./b", PathRule::DotSegment),
    ("/a/../b", PathRule::DotSegment),
    ("/../a", PathRule::DotSegment),
    ("/./a", PathRule::DotSegment),
    ("/a/b/../../c", PathRule::DotSegment),
    ("/a/../../../etc/passwd", PathRule::DotSegment),
    ("/a/..?x", PathRule::DotSegment),
    ("/...", PathRule::DotsOnly),
    ("/a/.../b", PathRule::DotsOnly),
    ("/a/....", PathRule::DotsOnly),
    ("//", PathRule::DoubleSlash),
    ("//a", PathRule::DoubleSlash),
    ("//a/b", PathRule::DoubleSlash),
    ("/a//b", PathRule::DoubleSlash),
    ("/a///b", PathRule::DoubleSlash),
    ("/a//", PathRule::DoubleSlash),
    ("///", PathRule::DoubleSlash),
    ("//evil.example/a", PathRule::DoubleSlash),
    ("/a\\b", PathRule::Backslash),
    ("/\\", PathRule::Backslash),
    ("/a\\..\\b", PathRule::Backslash),
    ("/a/..\\b", PathRule::Backslash),
    ("/\\\\evil/a", PathRule::Backslash),
    ("/a#", PathRule::Fragment),
    ("/a#b", PathRule::Fragment),
    ("/#", PathRule::Fragment),
    ("/a#?x", PathRule::Fragment),
    ("/a;x=1/b", PathRule::Semicolon),
    ("/;", PathRule::Semicolon),
    ("/a;", PathRule::Semicolon),
    ("/..;/admin", PathRule::Semicolon),
    ("/a/..;x=1/b", PathRule::Semicolon),
    ("/a/.;/b", PathRule::Semicolon),
    ("/a\"b", PathRule::Unsafe),
    ("/a<b", PathRule::Unsafe),
    ("/a>b", PathRule::Unsafe),
    ("/a^b", PathRule::Unsafe),
    ("/a`b", PathRule::Unsafe),
    ("/a{b", PathRule::Unsafe),
    ("/a|b", PathRule::Unsafe),
    ("/a}b", PathRule::Unsafe),
    ("/a%", PathRule::BadEscape),
    ("/a%2", PathRule::BadEscape),
    ("/a%zz", PathRule::BadEscape),
    ("/a%2g", PathRule::BadEscape),
    ("/%", PathRule::BadEscape),
    ("/a%+1", PathRule::BadEscape),
    ("/a%2/b", PathRule::BadEscape),
    ("/a%%20", PathRule::BadEscape),
    ("/a%u002f", PathRule::BadEscape),
    ("/a%2Fb", PathRule::EncodedSlash),
    ("/a%2fb", PathRule::EncodedSlash),
    ("/%2f", PathRule::EncodedSlash),
    ("/a%2f..%2fadmin", PathRule::EncodedSlash),
    ("/a%5Cb", PathRule::EncodedBackslash),
    ("/a%5cb", PathRule::EncodedBackslash),
    ("/a/%2e%2e/b", PathRule::EncodedDot),
    ("/%2E/x", PathRule::EncodedDot),
    ("/a/.%2e/b", PathRule::EncodedDot),
    ("/a%2Eb", PathRule::EncodedDot),
    ("/a%252fb", PathRule::EncodedPercent),
    ("/a%25", PathRule::EncodedPercent),
    ("/a%23b", PathRule::EncodedDelimiter),
    ("/a%3Fb", PathRule::EncodedDelimiter),
    ("/a%3fb", PathRule::EncodedDelimiter),
    ("/a%3Bb", PathRule::EncodedSemicolon),
    ("/a/..%3b/b", PathRule::EncodedSemicolon),
    ("/a%00b", PathRule::EncodedControl),
    ("/a%0d%0ab", PathRule::EncodedControl),
    ("/a%1Fb", PathRule::EncodedControl),
    ("/a%7fb", PathRule::EncodedControl),
    ("/%61dmin", PathRule::EncodedUnreserved),
    ("/a%5Fb", PathRule::EncodedUnreserved),
    ("/a%7Eb", PathRule::EncodedUnreserved),
    ("/a%30", PathRule::EncodedUnreserved),
    ("/%c0%af", PathRule::EncodedNotUtf8),
    ("/caf%E9", PathRule::EncodedNotUtf8),
    ("/cafe%CC%81", PathRule::EncodedNotUtf8),
];

/// (request path, refusal) of what no switch allows.
const NEVER: [(&[u8], Refusal); 24] = [
    (b"", Refusal::PathMissing),
    (b"?x=1", Refusal::PathMissing),
    (b"?", Refusal::PathMissing),
    (b"/", Refusal::PathRoot),
    (b"/?x", Refusal::PathRoot),
    (b"*", Refusal::PathNotAbsolute),
    (b"a", Refusal::PathNotAbsolute),
    (b"a/b", Refusal::PathNotAbsolute),
    (b"http://evil/abs?x=1", Refusal::PathNotAbsolute),
    (b"example.org:443", Refusal::PathNotAbsolute),
    (b"Service/Method", Refusal::PathNotAbsolute),
    (b"/a b", Refusal::PathControl),
    (b"/a\tb", Refusal::PathControl),
    (b"/a\rb", Refusal::PathControl),
    (b"/a\nb", Refusal::PathControl),
    (b"/a\0b", Refusal::PathControl),
    (b"/a\x7fb", Refusal::PathControl),
    (b"/\x1b[31m", Refusal::PathControl),
    (b" /a", Refusal::PathControl),
    (b"/a\x0b", Refusal::PathControl),
    (b"/caf\xc3\xa9", Refusal::PathNotAscii),
    (b"/caf\xe9", Refusal::PathNotAscii),
    (b"/\xff", Refusal::PathNotAscii),
    (b"/\xc0\xaf", Refusal::PathNotAscii),
];

#[test]
fn the_path_table_has_150_rows_and_every_one_is_read_as_it_says() {
    let rules = rules();
    for (path, seen) in CANONICAL {
        assert_eq!(reading(&rules, &facts(path.as_bytes())), seen, "{path}");
    }
    for (path, rule) in REFUSED {
        assert_eq!(reading(&rules, &facts(path.as_bytes())), refused(rule), "{path}");
    }
    for (path, refusal) in NEVER {
        assert_eq!(
            read(&rules, &facts(path)),
            Err(refusal),
            "{:?}",
            String::from_utf8_lossy(path)
        );
    }
    assert_eq!(CANONICAL.len() + REFUSED.len() + NEVER.len(), 150);
}

#[test]
fn every_rule_refuses_something_and_has_a_switch_that_lets_it_pass() {
    let many = "/a".repeat(65);
    for rule in PathRule::ALL {
        let own = REFUSED
            .into_iter()
            .filter(|(_, refusing)| *refusing == rule)
            .map(|(path, _)| path);
        let own: Vec<&str> = own
            .chain((rule == PathRule::TooManySegments).then_some(many.as_str()))
            .collect();
        assert!(!own.is_empty(), "{rule} refuses nothing in the table");
        assert_eq!(rule.as_str().parse(), Ok(rule));
        let lax = Rules {
            paths: PathRules::strict().without(rule),
            ..rules()
        };
        let passes = own
            .iter()
            .any(|path| reading(&lax, &facts(path.as_bytes())) == path.trim_start_matches('/'));
        let others = own
            .iter()
            .all(|path| reading(&lax, &facts(path.as_bytes())) != refused(rule));
        // `//` passes, but nothing is left of it besides slashes.
        assert!(
            others && (passes || rule == PathRule::DoubleSlash),
            "{rule} cannot be switched off"
        );
    }
}

#[test]
fn a_switched_off_rule_matches_the_path_as_it_is_written() {
    let lax = |rule| Rules {
        paths: PathRules::strict().without(rule),
        ..rules()
    };
    for (rule, path, seen) in [
        (PathRule::DoubleSlash, "//a//b", "/a//b"),
        (PathRule::Semicolon, "/a;x=1/b", "a;x=1/b"),
        (PathRule::EncodedPercent, "/100%25", "100%25"),
        (PathRule::EncodedUnreserved, "/%61", "%61"),
        (PathRule::EncodedSlash, "/a%2fb", "a%2fb"),
    ] {
        assert_eq!(reading(&lax(rule), &facts(path.as_bytes())), seen);
    }
    // A parameter hides no dots.
    assert_eq!(
        reading(&lax(PathRule::Semicolon), &facts(b"/..;x/b")),
        refused(PathRule::DotSegment)
    );
    assert_eq!(
        reading(&lax(PathRule::Semicolon), &facts(b"/a/.;/b")),
        refused(PathRule::DotSegment)
    );
}

#[test]
fn lengths_and_segments_are_bounded() {
    let at_limit = format!("/{}", "a".repeat(8_191));
    assert_eq!(reading(&rules(), &facts(at_limit.as_bytes())).len(), 8_191);
    let over = format!("/{}", "a".repeat(8_192));
    assert_eq!(read(&rules(), &facts(over.as_bytes())), Err(Refusal::PathTooLong));
    let query = format!("/a?{}", "x".repeat(100_000));
    assert_eq!(reading(&rules(), &facts(query.as_bytes())), "a");
    assert_eq!(reading(&rules(), &facts("/a".repeat(64).as_bytes())).len(), 127);
    assert_eq!(
        reading(&rules(), &facts("/a".repeat(65).as_bytes())),
        refused(PathRule::TooManySegments)
    );
}

#[test]
fn the_cooked_path_counts_only_where_it_cannot_hide_bytes() {
    let cooked = |path| Facts {
        raw_path: None,
        ..facts(path)
    };
    assert_eq!(reading(&rules(), &cooked(b"/a/b?x=!")), "a/b");
    assert_eq!(read(&rules(), &cooked(b"/caf!")), Err(Refusal::PathLossy));
    let both = |path, raw| Facts {
        path,
        raw_path: Some(raw),
        ..facts(b"/a")
    };
    assert_eq!(reading(&rules(), &both(b"/caf!", b"/caf!")), "caf!");
    assert_eq!(read(&rules(), &both(b"/caf!", b"/caf\xe9")), Err(Refusal::PathNotAscii));
    assert_eq!(read(&rules(), &both(b"/a", b"/b")), Err(Refusal::PathDisagrees));
    assert_eq!(read(&rules(), &both(b"/a", b"/a/")), Err(Refusal::PathDisagrees));
    assert_eq!(reading(&rules(), &both(b"/x?q=!", b"/x?q=\xff")), "x");
    assert_eq!(
        read(&rules(), &both(b"/y?q=!", b"/x?q=\xff")),
        Err(Refusal::PathDisagrees)
    );
    assert_eq!(reading(&rules(), &both(b"", b"/a")), "a");
    assert_eq!(read(&rules(), &both(b"/a", b"")), Err(Refusal::PathDisagrees));
}

#[test]
fn a_prefix_puts_a_namespace_in_front() {
    let behind = |prefix, path| Facts {
        hints: Hints {
            path_prefix: Some(prefix),
            permission: None,
        },
        ..facts(path)
    };
    for (prefix, path, seen) in [
        (&b"services/shop"[..], &b"/orders/7"[..], "services/shop/orders/7"),
        (b"services/shop", b"/", "services/shop/"),
        (b"services/shop", b"/?x", "services/shop/"),
        (b"shop", b"/orders/", "shop/orders/"),
        (b"a.b-c_d~e", b"/x", "a.b-c_d~e/x"),
    ] {
        assert_eq!(reading(&rules(), &behind(prefix, path)), seen);
    }
    let long = "p".repeat(513);
    for prefix in [
        &b""[..],
        b"/services",
        b"services/",
        b"a//b",
        b"a/../b",
        b".",
        b"a/...",
        b"a b",
        b"a%2fb",
        b"caf\xe9",
        b"a\\b",
        b"a;b",
        b"a?b",
        b"a#b",
        b"a[b",
        long.as_bytes(),
    ] {
        let reading = read(&rules(), &behind(prefix, b"/orders/7"));
        assert_eq!(
            reading,
            Err(Refusal::HintPathPrefix),
            "{:?}",
            String::from_utf8_lossy(prefix)
        );
    }
    let longest = "p".repeat(512);
    let path = format!("/{}", "a".repeat(8_191));
    assert_eq!(
        reading(&rules(), &behind(longest.as_bytes(), path.as_bytes())).len(),
        512 + 8_192
    );
}

#[test]
fn every_refusal_has_one_word_and_one_sentence() {
    let all: Vec<Refusal> = Refusal::all().collect();
    let mut words: Vec<&str> = all.iter().map(|r| r.as_str()).collect();
    let mut sentences: Vec<&str> = all.iter().map(|r| r.explain()).collect();
    for (word, sentence) in words.iter().zip(&sentences) {
        assert!(
            word.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{word}"
        );
        assert!(!sentence.ends_with('.') && sentence.len() > 20, "{sentence}");
    }
    words.sort_unstable();
    words.dedup();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!((words.len(), sentences.len()), (all.len(), all.len()));
}

#[test]
fn methods_ask_for_their_permission_and_unknown_ones_are_refused() {
    let with = |method| Facts { method, ..facts(b"/a") };
    for (method, permission) in [
        (&b"GET"[..], Permission::Read),
        (b"HEAD", Permission::Read),
        (b"OPTIONS", Permission::Read),
        (b"POST", Permission::Write),
        (b"PUT", Permission::Write),
        (b"PATCH", Permission::Write),
        (b"DELETE", Permission::Write),
        (b"LIST", Permission::List),
    ] {
        assert_eq!(read(&rules(), &with(method)).unwrap().permission, permission);
    }
    for method in [
        &b"get"[..],
        b"CONNECT",
        b"TRACE",
        b"PRI",
        b"GET ",
        b"GE\xff",
        b"*",
        b"PROPFIND",
    ] {
        assert_eq!(read(&rules(), &with(method)), Err(Refusal::MethodUnknown));
    }
    assert_eq!(read(&rules(), &with(b"")), Err(Refusal::MethodMissing));
    let mut own = rules();
    own.methods.set("PROPFIND", Permission::List).unwrap();
    assert_eq!(read(&own, &with(b"PROPFIND")).unwrap().permission, Permission::List);
    for wrong in ["", "get", "A B", "É", "A\n"] {
        assert!(own.methods.set(wrong, Permission::Read).is_err());
    }
}

#[test]
fn the_route_may_say_what_is_asked_for() {
    let hinted = |method, permission| Facts {
        method,
        hints: Hints {
            path_prefix: None,
            permission: Some(permission),
        },
        ..facts(b"/a")
    };
    for permission in Permission::ALL {
        let facts = hinted(b"BREW", permission.as_str().as_bytes());
        assert_eq!(read(&rules(), &facts).unwrap().permission, permission);
    }
    for wrong in [&b""[..], b"Read", b"read ", b"admin", b"read,write", b"\xff"] {
        assert_eq!(read(&rules(), &hinted(b"GET", wrong)), Err(Refusal::HintPermission));
    }
}

#[test]
fn a_grpc_request_executes_and_looks_like_one() {
    let grpc = |method, path| Facts {
        method,
        grpc: true,
        ..facts(path)
    };
    let access = read(&rules(), &grpc(b"POST", b"/pkg.Service/Method")).unwrap();
    assert_eq!(
        (access.permission, access.path.as_str()),
        (Permission::Execute, "pkg.Service/Method")
    );
    for (method, path) in [
        (&b"GET"[..], &b"/pkg.Service/Method"[..]),
        (b"POST", b"/orders"),
        (b"POST", b"/a/b/c"),
        (b"POST", b"/a/"),
        (b"DELETE", b"/orders/7"),
    ] {
        assert_eq!(read(&rules(), &grpc(method, path)), Err(Refusal::GrpcShape));
    }
    let hinted = Facts {
        hints: Hints {
            path_prefix: None,
            permission: Some(b"read"),
        },
        ..grpc(b"POST", b"/a/b/c")
    };
    assert_eq!(read(&rules(), &hinted).unwrap().permission, Permission::Read);
}

#[test]
fn refusals_of_a_path_never_depend_on_bytes_after_the_query() {
    for (path, seen) in CANONICAL {
        if path.contains('?') {
            continue;
        }
        for query in ["?", "?/../", "?%00", "?\\", "?;", "?#"] {
            let whole = format!("{path}{query}");
            assert_eq!(reading(&rules(), &facts(whole.as_bytes())), seen, "{whole}");
        }
    }
}
