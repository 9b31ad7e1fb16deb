#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn set(words: &[&str]) -> Permissions {
    Permissions::parse(words).unwrap()
}

#[test]
fn there_are_five_words_in_lower_case() {
    for permission in Permission::ALL {
        assert_eq!(permission.to_string().parse::<Permission>().unwrap(), permission);
    }
    for wrong in [
        "",
        "Read",
        "READ",
        " read",
        "read ",
        "exec",
        "admin",
        "read,write",
        "*",
        "é",
    ] {
        let text = wrong.parse::<Permission>().unwrap_err().to_string();
        let expected = format!("invalid permission: '{wrong}'. valid permissions: 'read, write, list, execute, super'");
        assert_eq!(text, expected);
    }
    assert!(!"\x1b".parse::<Permission>().unwrap_err().to_string().contains('\x1b'));
}

#[test]
fn the_empty_set_is_refused_and_repetition_is_not() {
    assert_eq!(Permissions::parse::<&str>([]), Err(InvalidPermissions::Empty));
    assert_eq!(set(&["read", "read", "list"]), set(&["list", "read"]));
    assert!(Permissions::parse(["read", "x"]).is_err());
}

#[test]
fn super_satisfies_all_and_nothing_else_implies_anything() {
    for have in Permission::ALL {
        for wanted in Permission::ALL {
            let expected = have == wanted || have == Permission::Super;
            assert_eq!(Permissions::from(have).satisfies(wanted), expected, "{have} {wanted}");
            assert_eq!(
                Permissions::from(have).satisfies_all(wanted.into()),
                expected,
                "{have} {wanted}"
            );
            assert_eq!(Permissions::from(have).contains(wanted), have == wanted);
        }
    }
    assert!(set(&["read", "write"]).satisfies_all(set(&["write", "read"])));
    assert!(!set(&["read", "write"]).satisfies_all(set(&["write", "list"])));
    assert!(set(&["super"]).satisfies_all(set(&["read", "write", "list", "execute", "super"])));
    assert!(!set(&["read", "write", "list", "execute"]).satisfies_all(set(&["super"])));
}

#[test]
fn members_come_in_spikes_order() {
    let words: Vec<_> = set(&["super", "list", "read"]).iter().map(Permission::as_str).collect();
    assert_eq!(words, ["read", "list", "super"]);
}
