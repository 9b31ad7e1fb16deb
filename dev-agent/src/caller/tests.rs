#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn entry(selectors: &[&str]) -> Entry {
    let selectors = selectors.iter().map(|selector| selector.parse().unwrap()).collect();
    Entry::selected("spiffe://example.org/a".parse().unwrap(), selectors)
}

fn caller() -> Caller {
    Caller {
        uid: Some(1000),
        gid: Some(100),
        program: Some(PathBuf::from("/bin/app")),
    }
}

#[test]
fn a_caller_of_the_common_socket_needs_every_selector() {
    let cases: &[(&[&str], bool)] = &[
        (&["unix:uid:1000"], true),
        (&["unix:uid:1001"], false),
        (&["unix:gid:100"], true),
        (&["unix:path:/bin/app"], true),
        (&["unix:path:/bin"], false),
        (&["unix:uid:1000", "unix:gid:100", "unix:path:/bin/app"], true),
        (&["unix:uid:1000", "unix:path:/bin/other"], false),
        (&[], false),
    ];
    for (selectors, gives) in cases {
        assert_eq!(
            Door::Common.gives(&entry(selectors), &caller()),
            *gives,
            "{selectors:?}"
        );
    }
}

#[test]
fn an_unknown_caller_has_no_selector() {
    for selector in ["unix:uid:0", "unix:gid:0", "unix:path:/"] {
        assert!(
            !Door::Common.gives(&entry(&[selector]), &Caller::default()),
            "{selector}"
        );
    }
}

#[test]
fn an_own_socket_gives_its_own_identity_to_anybody() {
    let own = Entry::behind_socket("spiffe://example.org/a".parse().unwrap(), "a.sock");
    assert!(Door::Own("a.sock".into()).gives(&own, &Caller::default()));
    assert!(!Door::Own("b.sock".into()).gives(&own, &caller()));
    assert!(!Door::Common.gives(&own, &caller()));
    assert!(!Door::Own("a.sock".into()).gives(&entry(&["unix:uid:1000"]), &caller()));
}
