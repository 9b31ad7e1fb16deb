#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn refused(text: &str) -> String {
    text.parse::<PolicyName>().unwrap_err().to_string()
}

#[test]
fn names_are_spikes_alphabet_up_to_250_bytes() {
    let longest = "n".repeat(250);
    for name in [
        "a",
        "web-service",
        "Web Service 2",
        "a_b",
        " a",
        "a ",
        "-",
        " ",
        longest.as_str(),
    ] {
        assert_eq!(name.parse::<PolicyName>().unwrap().as_str(), name);
    }
    for name in ["a.b", "a/b", "é", "a\n", "a\tb", "a:b", "a@b", "a+b", "\u{1b}[31m"] {
        assert!(
            refused(name).contains("only letters, digits, hyphen, underscore and space"),
            "{name:?}"
        );
    }
}

#[test]
fn an_empty_name_and_a_long_one_have_their_texts() {
    assert_eq!(refused(""), "Policy name cannot be empty");
    assert_eq!(
        refused(&"n".repeat(251)),
        "Invalid policy name: 251 bytes are too many, 250 are the most"
    );
}

#[test]
fn a_name_that_reads_as_an_id_is_refused() {
    let id = PolicyId::from_random_bytes([7; 16]);
    let simple: String = id.to_string().replace('-', "");
    for name in [
        id.to_string(),
        id.to_string().to_uppercase(),
        simple,
        "00000000-0000-0000-0000-000000000000".into(),
    ] {
        assert!(
            refused(&name).ends_with("it reads as a UUID, which is kept for policy ids"),
            "{name}"
        );
    }
    assert!("deadbeef".parse::<PolicyName>().is_ok());
}

#[test]
fn blanks_are_kept_so_that_names_differ() {
    assert_ne!("a".parse::<PolicyName>().unwrap(), "a ".parse().unwrap());
    assert_ne!("a".parse::<PolicyName>().unwrap(), "A".parse().unwrap());
}

#[test]
fn ids_are_uuids_of_version_4() {
    let id = PolicyId::from_random_bytes([0xff; 16]);
    assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(id.to_string().parse::<PolicyId>().unwrap(), id);
    assert_eq!(id.text().as_slice(), id.to_string().as_bytes());
    assert_eq!(PolicyId::from_bytes(*id.as_bytes()), id);
    for wrong in [
        "",
        "x",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "ffffffff-ffff-4fff-bfff-fffffffffff",
    ] {
        assert!(wrong.parse::<PolicyId>().is_err(), "{wrong}");
    }
}
