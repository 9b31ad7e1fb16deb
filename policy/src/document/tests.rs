#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
use super::*;

fn document() -> PolicyDocument {
    PolicyDocument {
        name: "web-service".to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: "^tenants/acme/.*$".to_owned(),
        permissions: vec!["read".to_owned(), "list".to_owned()],
    }
}

fn faults(document: &PolicyDocument) -> Vec<(Option<&'static str>, String)> {
    Rule::try_from(document)
        .unwrap_err()
        .into_iter()
        .map(|f| (f.field, f.text))
        .collect()
}

/// The faults of a text as `line:column: text`.
fn lines(text: &str) -> Vec<String> {
    parse_rules(text).unwrap_err().iter().map(Fault::to_string).collect()
}

fn one(text: &str) -> PolicyDocument {
    let documents = parse_yaml(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents[0].0.clone()
}

const YAML: &str = r"name: web-service
spiffeidPattern: ^spiffe://example\.org/web$
pathPattern: ^tenants/acme/.*$
permissions:
  - read
  - list
";

#[test]
fn a_good_document_becomes_a_rule_and_back() {
    let rule = Rule::try_from(&document()).unwrap();
    assert_eq!(PolicyDocument::from(&rule), document());
}

#[test]
fn every_fault_is_told_at_once() {
    let wrong = PolicyDocument {
        name: String::new(),
        spiffeid_pattern: "spiffe://example.org/workload/*".to_owned(),
        path_pattern: "/secrets/app/.*".to_owned(),
        permissions: vec!["read".to_owned(), "raed".to_owned(), "wrtie".to_owned()],
    };
    let told = faults(&wrong);
    assert_eq!(
        told,
        [
            (Some("name"), "Policy name cannot be empty".to_owned()),
            (
                Some("spiffeidPattern"),
                "Invalid SPIFFE ID pattern: \"spiffe://example.org/workload/*\"\n\
                 Use regex syntax: \"spiffe://example\\.org/workload/.*\""
                    .to_owned()
            ),
            (
                Some("pathPattern"),
                "Invalid path pattern: \"/secrets/app/.*\"\n\
                 Paths are namespaces, remove leading slash: \"secrets/app/.*\""
                    .to_owned()
            ),
            (
                Some("permissions"),
                "invalid permission: 'raed'. valid permissions: 'read, write, list, execute, super'".to_owned()
            ),
            (
                Some("permissions"),
                "invalid permission: 'wrtie'. valid permissions: 'read, write, list, execute, super'".to_owned()
            ),
        ]
    );
}

#[test]
fn no_permission_and_a_brush_with_the_reserved_namespace_are_faults() {
    let none = PolicyDocument {
        permissions: Vec::new(),
        ..document()
    };
    assert_eq!(faults(&none)[0].0, Some("permissions"));
    let brush = PolicyDocument {
        path_pattern: "^spike".to_owned(),
        ..document()
    };
    assert_eq!(faults(&brush)[0].0, Some("pathPattern"));
    let open = PolicyDocument {
        spiffeid_pattern: r"spiffe://example\.org/web".to_owned(),
        path_pattern: ".*".to_owned(),
        ..document()
    };
    assert_eq!(faults(&open)[0].0, Some("spiffeidPattern"));
}

#[test]
fn both_spellings_of_the_keys_are_read() {
    assert_eq!(one(YAML), document());
    let short = YAML
        .replace("spiffeidPattern", "spiffeid")
        .replace("pathPattern", "path");
    assert_eq!(one(&short), document());
    let json = r#"{"name": "web-service", "spiffeid": "^spiffe://example\\.org/web$",
                   "path": "^tenants/acme/.*$", "permissions": ["read", "list"]}"#;
    assert_eq!(one(json), document());
    assert_eq!(serde_json::from_str::<PolicyDocument>(json).unwrap(), document());
}

#[test]
fn the_json_form_refuses_unknown_and_repeated_keys() {
    let json = serde_json::to_string(&document()).unwrap();
    assert!(
        json.starts_with(r#"{"name":"web-service","spiffeidPattern":"#),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<PolicyDocument>(&json).unwrap(), document());
    for more in [r#""x":1"#, r#""path":"a""#, r#""name":"b""#, r#""Name":"b""#] {
        let wrong = json.replacen('{', &format!("{{{more},"), 1);
        assert!(serde_json::from_str::<PolicyDocument>(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_file_has_several_documents_or_a_list() {
    let second = YAML.replace("web-service", "second");
    for text in [
        format!("{YAML}---\n{second}"),
        format!("---\n{YAML}---\n{second}...\n"),
        format!("# a comment\n{YAML}---\n---\n{second}---\n"),
        format!("{YAML}---\n{second}").replace('\n', "\r\n"),
        "[{name: web-service, spiffeid: a, path: b, permissions: [read]}, {name: second, spiffeid: a, path: b, \
         permissions: [read]}]"
            .to_owned(),
    ] {
        let names: Vec<_> = parse_yaml(&text).unwrap().into_iter().map(|(d, _)| d.name).collect();
        assert_eq!(names, ["web-service", "second"], "{text}");
    }
    let positions: Vec<_> = parse_yaml(&format!("{YAML}---\n{second}"))
        .unwrap()
        .into_iter()
        .map(|(_, p)| p)
        .collect();
    assert_eq!(
        positions,
        [Position { line: 1, column: 1 }, Position { line: 8, column: 1 }]
    );
}

#[test]
fn a_file_without_a_policy_is_a_fault() {
    for text in ["", "\n", "# only a comment\n", "---\n---\n", "null", "[]"] {
        assert_eq!(lines(text), ["the file holds no policy"], "{text:?}");
    }
}

#[test]
fn faults_have_the_position_of_their_key() {
    let text = "name: \"\"\nspiffeid: http://x\npath: /a\npermissions: [raed]\n";
    let told = lines(text);
    let places: Vec<_> = told.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["1:7", "2:11", "3:7", "4:14"], "{told:#?}");
}

#[test]
fn keys_are_known_and_given_once() {
    let keys = "the keys are name, spiffeidPattern (or spiffeid), pathPattern (or path) and permissions";
    for (more, told) in [
        ("nmae: x\n", format!("7:1: unknown key \"nmae\"; {keys}")),
        ("Name: x\n", format!("7:1: unknown key \"Name\"; {keys}")),
        ("<<: {a: b}\n", format!("7:1: unknown key \"<<\"; {keys}")),
        ("1: x\n", format!("7:1: a key must be a text; {keys}")),
        ("[a]: x\n", format!("7:1: a key must be a text; {keys}")),
        ("name: b\n", "7:1: the key `name` is repeated".to_owned()),
        (
            "path: b\n",
            "7:1: the key `path` is another spelling of a key that is already given; keep one of them".to_owned(),
        ),
    ] {
        assert_eq!(lines(&format!("{YAML}{more}")), [told]);
    }
}

#[test]
fn keys_that_are_missing_have_spikes_texts() {
    assert_eq!(
        lines("{}"),
        [
            "1:1: policy name is required in YAML file",
            "1:1: spiffeidPattern is required in YAML file",
            "1:1: pathPattern is required in YAML file",
            "1:1: permissions are required in YAML file",
        ]
    );
}

#[test]
fn only_texts_are_texts() {
    for (name, kind) in [
        ("12345", "number"),
        ("1_000", "number"),
        ("-1.5e3", "number"),
        ("0x1f", "number"),
        (".inf", "number"),
        ("true", "boolean"),
        ("no", "boolean"),
        ("On", "boolean"),
    ] {
        let told = lines(&YAML.replace("name: web-service", &format!("name: {name}")));
        assert_eq!(
            told,
            [format!(
                "1:7: name must be a text, and YAML reads \"{name}\" as a {kind}; put it in quotes"
            )]
        );
        assert_eq!(
            one(&YAML.replace("name: web-service", &format!("name: '{name}'"))).name,
            name
        );
    }
    for name in ["", "~", "null"] {
        let told = lines(&YAML.replace("name: web-service", &format!("name: {name}")));
        assert!(
            told.len() == 1 && told[0].ends_with("name is empty; YAML reads it as null"),
            "{told:?}"
        );
    }
    assert_eq!(lines(&YAML.replace("web-service", "[a]")), ["1:7: name must be a text"]);
    assert_eq!(
        lines(&YAML.replace("- read", "- 1"))[0],
        "5:5: permissions must be a text, and YAML reads \"1\" as a number; put it in quotes"
    );
    let scalar = "name: a\nspiffeid: spiffe://a\npath: zz\npermissions: read\n";
    assert_eq!(
        lines(scalar),
        ["4:14: permissions must be a list, such as [read, list]"]
    );
}

#[test]
fn anchors_aliases_tags_and_directives_are_refused() {
    for (from, to, told) in [
        ("web-service", "&x web-service", "an anchor (`&`) is not allowed"),
        ("web-service", "*x", "an alias (`*`) is not allowed"),
        ("web-service", "!!str web-service", "a tag (`!`) is not allowed"),
        ("- read", "- !mine read", "a tag (`!`) is not allowed"),
    ] {
        let lines = lines(&YAML.replace(from, to));
        assert!(lines.len() == 1 && lines[0].contains(told), "{lines:?}");
    }
    assert!(lines(&format!("%YAML 1.2\n---\n{YAML}"))[0].contains("this is no YAML"));
}

#[test]
fn a_backslash_in_double_quotes_gets_a_helpful_answer() {
    let text = "name: a\nspiffeidPattern: \"^spiffe://example\\.org/web$\"\npathPattern: b\npermissions: [read]\n";
    let told = lines(text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("2:36: "), "{told:?}");
    assert!(
        told[0].contains(r"YAML reads `\.` as an escape of its own, and knows none"),
        "{told:?}"
    );
    assert!(told[0].contains(r#"single quotes ('example\.org') or double the backslash ("example\\.org")"#));
    assert_eq!(
        one(&text.replace(r"\.", r"\\.")).spiffeid_pattern,
        r"^spiffe://example\.org/web$"
    );
}

#[test]
fn after_a_syntax_error_reading_goes_on_with_the_next_document() {
    let text = "name: \"a\n---\nname: [\n---\nname: ''\nspiffeid: spiffe://a/b\npath: zz\npermissions: [read]\n";
    let told = lines(text);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[2].starts_with("5:7: Policy name cannot be empty"), "{told:#?}");
}

#[test]
fn size_depth_and_number_are_bounded() {
    let large = format!("{YAML}{}", "#".repeat(MAX_FILE_BYTES));
    assert_eq!(
        lines(&large),
        [format!("the file has {} bytes; 1048576 are the most", large.len())]
    );
    let deep = format!("name: {}{}\n", "[".repeat(50), "]".repeat(50));
    assert!(
        lines(&deep)[0].contains("nested deeper than 8 levels"),
        "{:?}",
        lines(&deep)
    );
    let many = "- {name: a, path: zz, spiffeid: spiffe://a/b, permissions: [read]}\n".repeat(10_001);
    assert_eq!(lines(&many), ["10001:3: the file has more than 10000 policies"]);
    let most = "- {name: a, path: zz, spiffeid: spiffe://a/b, permissions: [read]}\n".repeat(10_000);
    assert_eq!(parse_yaml(&most).unwrap().len(), 10_000);
    // Ten thousand broken documents are told up to a bound.
    assert_eq!(
        lines(&most.replace("read", "x")).last().unwrap(),
        "and 9900 more faults"
    );
    assert!(lines(&"}\n---\n".repeat(10_000)).len() <= 101);
}

#[test]
fn what_is_exported_reads_back_the_same() {
    let odd = [
        "a'b", "a\"b", r"a\.b", "#", "- x", "a: b", "&a", "*a", "!a", "%a", "@a", "`a", "{a}", "[a]", "~", "null",
        "yes", "1", " a", "a ", "", "a\nb", "a\tb", "é", "\u{1}", "\u{2028}", "? a", ": a", "---", "...", "'", "''",
        "\\",
    ];
    let mut documents = vec![document()];
    for text in odd {
        let mut document = document();
        (document.name, document.spiffeid_pattern, document.path_pattern) = (text.into(), text.into(), text.into());
        document.permissions = vec![text.into(), "read".into()];
        documents.push(document);
    }
    documents.push(PolicyDocument {
        permissions: Vec::new(),
        ..document()
    });
    let text = to_yaml(&documents);
    let back: Vec<_> = parse_yaml(&text).unwrap().into_iter().map(|(d, _)| d).collect();
    assert_eq!(back, documents);
    assert_eq!(
        to_yaml([&document()]),
        "name: 'web-service'\nspiffeidPattern: '^spiffe://example\\.org/web$'\npathPattern: '^tenants/acme/.*$'\n\
         permissions:\n  - read\n  - list\n"
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    let mut seed: u64 = 7;
    let mut tried = 0;
    let pieces = [
        "name: ",
        "path: ",
        "permissions: ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "---\n",
        "...\n",
        "\"",
        "'",
        "\\",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "#",
        ": ",
        "? ",
        "%",
        " ",
        "\t",
        "é",
        "a",
        "1",
        "~",
        ",",
        "<<: ",
        "\r\n",
        "\u{feff}",
        "\0",
    ];
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[usize::try_from(seed >> 33).unwrap() % pieces.len()]);
        }
        tried += usize::from(parse_rules(&text).is_err());
    }
    assert!(tried > 19_000, "{tried}");
}
