//! The shapes, byte by byte as the official `spike` prints them (checked against it).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use std::cell::RefCell;
use std::rc::Rc;

use spike_sdk::SecretData;
use spike_wire::policies::{Applied, GetResponse, ListItem, Outcome};
use spike_wire::secrets::MetadataResponse;

#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is printed by this, into a file or on a terminal.
fn printed(terminal: bool, print: impl FnOnce(&mut Output) -> io::Result<()>) -> String {
    let paper = Paper::default();
    let mut output = Output {
        out: io::BufWriter::new(Box::new(paper.clone())),
        err: Box::new(Paper::default()),
        terminal,
    };
    print(&mut output).unwrap();
    output.flush().unwrap();
    let bytes = paper.0.borrow().clone();
    String::from_utf8(bytes).unwrap()
}

fn filed(print: impl FnOnce(&mut Output) -> io::Result<()>) -> String {
    printed(false, print)
}

#[test]
fn control_characters_are_spelled_out_and_all_else_is_kept() {
    for (text, shown) in [
        ("plain text\twith tab\nand line", "plain text\twith tab\nand line"),
        ("grün 秘密 🔑", "grün 秘密 🔑"),
        ("\u{1b}[2J", "\\u{1b}[2J"),
        ("a\rb\u{7}\u{7f}\u{9b}", "a\\u{d}b\\u{7}\\u{7f}\\u{9b}"),
        ("user\u{202e}gnp.exe", "user\\u{202e}gnp.exe"),
    ] {
        assert_eq!(harmless(text), shown);
    }
}

#[test]
fn a_secret_is_exact_in_a_file_and_harmless_on_a_terminal() {
    let value = "\u{1b}[31mred\r\n";
    let print = |output: &mut Output| output.secret_value(value, Format::Human);
    assert_eq!(printed(false, print), "\u{1b}[31mred\r\n\n");
    assert_eq!(printed(true, print), "\\u{1b}[31mred\\u{d}\n\n");
}

#[test]
fn secrets_look_as_spike_prints_them() {
    let data: SecretData = [("user", "app"), ("pass", "<&>\"1\""), ("pem", "a\nb\n")]
        .into_iter()
        .collect();
    let print = |format| filed(|output| output.secret_data(&data, format));
    assert_eq!(print(Format::Human), "pass: <&>\"1\"\npem: a\nb\n\nuser: app\n");
    assert_eq!(
        print(Format::Json),
        "{\n    \"pass\": \"\\u003c\\u0026\\u003e\\\"1\\\"\",\n    \"pem\": \"a\\nb\\n\",\n    \"user\": \"app\"\n}\n"
    );
    assert_eq!(
        print(Format::Yaml),
        "pass: <&>\"1\"\npem: |\n    a\n    b\nuser: app\n\n"
    );
    let one = |format| filed(|output| output.secret_value("123", format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(one),
        ["123\n", "\"123\"\n", "\"123\"\n\n"]
    );
    let none = SecretData::default();
    let empty = |format| filed(|output| output.secret_data(&none, format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(empty),
        ["", "{}\n", "{}\n\n"]
    );
}

#[test]
fn lists_look_as_spike_prints_them() {
    let paths = ["a/b".to_owned(), "c".to_owned()];
    let secrets = |format| filed(|output| output.secret_list(&paths, format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(secrets),
        ["- a/b\n- c\n", "[\n  \"a/b\",\n  \"c\"\n]\n", "- a/b\n- c\n"]
    );
    let items = [ListItem {
        id: String::new(),
        name: "web".to_owned(),
    }];
    let policies = |format| filed(|output| output.policy_list(&items, format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(policies),
        [
            "POLICIES\n========\n\nName: web\n--------\n\n\n",
            "[\n  {\n    \"id\": \"\",\n    \"name\": \"web\"\n  }\n]\n",
            "- id: \"\"\n  name: web\n\n",
        ]
    );
    let no_secrets = |format| filed(|output| output.secret_list(&[], format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(no_secrets),
        ["No secrets found.\n", "[]\n", "[]\n"]
    );
    let no_policies = |format| filed(|output| output.policy_list(&[], format));
    assert_eq!(
        [Format::Human, Format::Json, Format::Yaml].map(no_policies),
        ["No policies found.\n", "[]\n", "[]\n"]
    );
}

#[test]
fn a_policy_looks_as_spike_prints_it() {
    let policy: GetResponse = serde_json::from_str(concat!(
        r#"{"id":"","name":"web","spiffiedPattern":"^spiffe://example\\.org/web$","pathPattern":"^secrets/web$","#,
        r#""permissions":["read","write"],"createdAt":"2026-11-22T06:31:29.5Z","updatedAt":"2026-11-22T01:31:29-05:00"}"#
    ))
    .unwrap();
    let print = |format| filed(|output| output.policy(&policy, format));
    assert_eq!(
        print(Format::Human),
        "POLICY DETAILS\n=============\n\nName: web\nSPIFFE ID Pattern: ^spiffe://example\\.org/web$\n\
         Path Pattern: ^secrets/web$\nPermissions: read, write\nCreated At: 2026-11-22T06:31:29Z\n\
         Updated At: 2026-11-22T01:31:29-05:00\n\n"
    );
    assert_eq!(
        print(Format::Json),
        "{\n  \"id\": \"\",\n  \"name\": \"web\",\n  \"spiffiedPattern\": \"^spiffe://example\\\\.org/web$\",\n  \
         \"pathPattern\": \"^secrets/web$\",\n  \"permissions\": [\n    \"read\",\n    \"write\"\n  ],\n  \
         \"createdAt\": \"2026-11-22T06:31:29.5Z\",\n  \"updatedAt\": \"2026-11-22T01:31:29-05:00\"\n}\n"
    );
    assert_eq!(
        print(Format::Yaml),
        "id: \"\"\nname: web\nspiffeidpattern: ^spiffe://example\\.org/web$\npathpattern: ^secrets/web$\n\
         permissions:\n    - read\n    - write\ncreatedat: 2026-11-22T06:31:29.5Z\n\
         updatedat: 2026-11-22T01:31:29-05:00\nidregex: null\npathregex: null\n\n"
    );
}

#[test]
fn metadata_looks_as_spike_prints_it_with_versions_in_order_of_number() {
    let metadata: MetadataResponse = serde_json::from_str(concat!(
        r#"{"versions":{"10":{"createdTime":"2026-11-22T06:31:29Z","version":10,"deletedTime":null},"#,
        r#""9":{"createdTime":"2026-11-21T21:26:53-05:00","version":9,"deletedTime":"2026-11-22T06:31:30Z"}},"#,
        r#""metadata":{"currentVersion":10,"oldestVersion":9,"createdTime":"2026-11-22T06:31:29Z","#,
        r#""updatedTime":"2026-11-22T06:31:29Z","maxVersions":10}}"#
    ))
    .unwrap();
    let print = |format| filed(|output| output.secret_metadata(&metadata, format));
    let rule = "-".repeat(50);
    assert_eq!(
        print(Format::Human),
        format!(
            "\nMetadata:\n{rule}\nCurrent Version : 10\nOldest Version  : 9\n\
             Created Time    : 2026-11-22 06:31:29 UTC\nLast Updated    : 2026-11-22 06:31:29 UTC\n\
             Max Versions    : 10\n{rule}\n\nSecret Versions:\n{rule}\n\
             Version 9:\n  Created: 2026-11-21 21:26:53 -0500\n  Deleted: 2026-11-22 06:31:30 UTC\n{rule}\n\
             Version 10:\n  Created: 2026-11-22 06:31:29 UTC\n{rule}\n"
        )
    );
    assert_eq!(
        print(Format::Yaml),
        "versions:\n    9:\n        createdtime: 2026-11-21T21:26:53-05:00\n        version: 9\n        \
         deletedtime: 2026-11-22T06:31:30Z\n    10:\n        createdtime: 2026-11-22T06:31:29Z\n        \
         version: 10\n        deletedtime: null\nmetadata:\n    currentversion: 10\n    oldestversion: 9\n    \
         createdtime: 2026-11-22T06:31:29Z\n    updatedtime: 2026-11-22T06:31:29Z\n    maxversions: 10\n"
    );
    let json: serde_json::Value = serde_json::from_str(&print(Format::Json)).unwrap();
    assert_eq!(json, serde_json::to_value(&metadata).unwrap());
}

#[test]
fn several_applied_policies_say_what_became_of_each() {
    let applied = [
        ("a", Outcome::Created),
        ("b", Outcome::Updated),
        ("c", Outcome::Unchanged),
    ]
    .map(|(name, outcome)| Applied {
        name: name.to_owned(),
        id: String::new(),
        outcome,
    });
    assert_eq!(
        filed(|output| output.applied(&applied)),
        "Policy 'a' applied successfully (created)\nPolicy 'b' applied successfully (updated)\n\
         Policy 'c' applied successfully (unchanged)\n"
    );
}
