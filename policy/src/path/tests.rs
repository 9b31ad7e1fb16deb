#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

#[test]
fn a_secret_path_is_an_opaque_name() {
    for path in [
        "a",
        "tenants/acme/db/creds",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        r"a\b",
        "()?+*|[]{}",
        "a.b-c_d",
    ] {
        assert_eq!(path.parse::<SecretPath>().unwrap().as_str(), path);
        assert_eq!(AccessPath::from(&path.parse::<SecretPath>().unwrap()).as_str(), path);
    }
    for path in [
        "", "a b", "a:b", "a^b", "a$b", "é", "a\n", "a,b", "a%20b", "a@b", "a~b", "a'b",
    ] {
        assert!(path.parse::<SecretPath>().is_err(), "{path:?}");
    }
    assert!("p".repeat(500).parse::<SecretPath>().is_ok());
    assert_eq!(
        "p".repeat(501).parse::<SecretPath>().unwrap_err().to_string(),
        "secret path must not be longer than 500 bytes, this one has 501"
    );
    assert_eq!(
        "".parse::<SecretPath>().unwrap_err().to_string(),
        "secret path must not be empty"
    );
}

#[test]
fn a_key_is_a_name_without_dots() {
    for key in ["password", "tls crt", "A-b_9", "k"] {
        assert_eq!(key.parse::<KeyName>().unwrap().to_string(), key);
    }
    for key in ["", "tls.crt", "a/b", "é", "a\0"] {
        assert!(key.parse::<KeyName>().is_err(), "{key:?}");
    }
    assert!("k".repeat(250).parse::<KeyName>().is_ok());
    assert!("k".repeat(251).parse::<KeyName>().is_err());
    // A key is no policy name: it may read as a UUID.
    assert!("6ba7b810-9dad-41d1-80b4-00c04fd430c8".parse::<KeyName>().is_ok());
}

#[test]
fn an_access_path_is_printable_ascii_without_blanks() {
    let longest = "p".repeat(AccessPath::MAX_BYTES);
    for path in ["a", "/", "a%20b", "!\"#$~", longest.as_str()] {
        assert_eq!(path.parse::<AccessPath>().unwrap().as_str(), path);
    }
    let over = format!("{longest}p");
    for path in ["", " ", "a b", "a\n", "é", "a\x7f", "a\0", over.as_str()] {
        assert!(path.parse::<AccessPath>().is_err(), "{path:?}");
    }
}

#[test]
fn the_reserved_paths_are_access_paths() {
    for (path, text) in [
        (AccessPath::acl(), "spike/system/acl"),
        (AccessPath::secret(), "spike/system/secret"),
        (AccessPath::cipher(), "spike/system/cipher/exec"),
    ] {
        assert_eq!(path.as_str(), text);
        assert_eq!(text.parse::<AccessPath>().unwrap(), path);
    }
}
