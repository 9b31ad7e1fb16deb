//! Every field of every request with values of every other kind, and its key written in other ways.
use super::routes::*;
use crate::compare::Step;

/// A route's fields: name, and the route's request without it.
struct Request {
    route: &'static str,
    target: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const FIELDS: &[Request] = &[
    Request {
        route: "secret-put",
        target: SECRETS,
        fields: &[("path", r#""fields/a""#), ("values", r#"{"k":"v"}"#)],
    },
    Request {
        route: "secret-get",
        target: GET,
        fields: &[("path", r#""fields/a""#), ("version", "0")],
    },
    Request {
        route: "secret-delete",
        target: DELETE,
        fields: &[("path", r#""fields/none""#), ("versions", "[1]")],
    },
    Request {
        route: "secret-undelete",
        target: UNDELETE,
        fields: &[("path", r#""fields/none""#), ("versions", "[1]")],
    },
    Request {
        route: "secret-metadata",
        target: METADATA,
        fields: &[("path", r#""fields/none""#), ("version", "0")],
    },
    Request {
        route: "policy-put",
        target: POLICY,
        fields: &[
            ("name", r#""fields""#),
            ("spiffeidPattern", r#""^spiffe://example\\.org/nobody$""#),
            ("pathPattern", r#""^fields/none$""#),
            ("permissions", r#"["read"]"#),
        ],
    },
    Request {
        route: "policy-get",
        target: POLICY_GET,
        fields: &[("id", r#""none""#)],
    },
    Request {
        route: "policy-delete",
        target: POLICY_DELETE,
        fields: &[("id", r#""none""#)],
    },
    Request {
        route: "policy-list",
        target: POLICY_LIST,
        fields: &[("pathPattern", r#""^none$""#)],
    },
    Request {
        route: "encrypt",
        target: ENCRYPT,
        fields: &[("plaintext", r#""aGk=""#), ("algorithm", r#""AES""#)],
    },
    Request {
        route: "decrypt",
        target: DECRYPT,
        fields: &[
            ("version", "1"),
            ("nonce", r#""AAAAAAAAAAAAAAAA""#),
            ("ciphertext", r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAA""#),
        ],
    },
    Request {
        route: "restore",
        target: RESTORE,
        fields: &[("id", "0"), ("shard", "[1,2,3]")],
    },
];

/// Values of every kind.
const VALUES: &[(&str, &str)] = &[
    ("null", "null"),
    ("true", "true"),
    ("number", "3"),
    ("negative", "-1"),
    ("fraction", "1.0"),
    ("exponent", "1e0"),
    ("beyond-64-bits", "9223372036854775808"),
    ("text", r#""7""#),
    ("no-text", r#""""#),
    ("array", "[]"),
    ("array-of-null", "[null]"),
    ("array-of-texts", r#"["a"]"#),
    ("array-of-numbers", "[104,105]"),
    ("array-of-fractions", "[1.5]"),
    ("array-of-256", "[256]"),
    ("object", "{}"),
    ("object-of-number", r#"{"a":1}"#),
    ("object-of-null", r#"{"a":null}"#),
];

pub(crate) fn steps() -> Vec<Step> {
    FIELDS.iter().flat_map(of_route).collect()
}

fn of_route(of: &Request) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, (field, value)) in of.fields.iter().enumerate() {
        let named = |class: &str| format!("{}.{field}.{class}", of.route);
        let with = |pairs: &[(&str, &str)]| {
            let mut all: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let others = of.fields.iter().enumerate().filter(|(other, _)| *other != at);
            all.extend(others.map(|(_, (key, value))| format!("\"{key}\":{value}")));
            format!("{{{}}}", all.join(","))
        };
        for (class, other) in VALUES {
            steps.push(Step::post(named(class), of.target, with(&[(field, other)])));
        }
        let upper = field.to_uppercase();
        steps.push(Step::post(named("missing"), of.target, with(&[])));
        steps.push(Step::post(
            named("key-in-upper-case"),
            of.target,
            with(&[(&upper, value)]),
        ));
        // U+017F folds to `s`: Go takes it for one.
        let folded = field.replace('s', "\u{17f}");
        steps.push(Step::post(
            named("key-with-long-s"),
            of.target,
            with(&[(&folded, value)]),
        ));
        steps.push(Step::post(
            named("twice-the-last-is-good"),
            of.target,
            with(&[(field, "null"), (field, value)]),
        ));
        steps.push(Step::post(
            named("twice-the-last-is-bad"),
            of.target,
            with(&[(field, value), (field, "true")]),
        ));
        steps.push(Step::post(
            named("key-escaped"),
            of.target,
            with(&[(
                &format!("\\u{:04x}{}", u32::from(field.as_bytes()[0]), &field[1..]),
                value,
            )]),
        ));
    }
    steps
}
