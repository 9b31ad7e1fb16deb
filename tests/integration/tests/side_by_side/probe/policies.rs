//! Policies: what is accepted as one, how they are found again, and what they open.
use super::routes::{ENCRYPT, GET, LIST, POLICY, POLICY_DELETE, POLICY_GET, POLICY_LIST, SECRETS};
use crate::compare::Step;

const WEB: &str = r"^spiffe://example\\.org/workload/web$";

fn policy(name: &str, [id, who, path, permissions]: [&str; 4]) -> Step {
    let body =
        format!(r#"{{"name":"{id}","spiffeidPattern":"{who}","pathPattern":"{path}","permissions":[{permissions}]}}"#);
    Step::post(name, POLICY, body)
}

pub(crate) fn steps() -> Vec<Step> {
    [
        names(),
        identities(),
        paths(),
        permissions(),
        life(),
        filters(),
        reserved(),
        matching(),
    ]
    .concat()
}

fn names() -> Vec<Step> {
    let (longest, longer) = ("n".repeat(250), "n".repeat(251));
    let names = [
        ("plain", "plain"),
        ("blanks", " a b "),
        ("dashes", "a-b_c"),
        ("digits", "0"),
        ("empty", ""),
        ("dot", "a.b"),
        ("slash", "a/b"),
        ("quote", r#"a\"b"#),
        ("non-ascii", "ä"),
        ("line-break", r"a\nb"),
        ("250", &longest),
        ("251", &longer),
        ("uuid", "11111111-2222-4333-8444-555555555555"),
    ];
    let mut steps = Vec::new();
    for (class, name) in names {
        let who = r"^spiffe://example\\.org/nobody$";
        steps.push(policy(
            &format!("policy-name.{class}.put"),
            [name, who, "^names/none$", r#""read""#],
        ));
        let id = format!(r#"{{"id":"{name}"}}"#);
        steps.push(Step::post(format!("policy-name.{class}.get"), POLICY_GET, &id));
        steps.push(Step::post(format!("policy-name.{class}.delete"), POLICY_DELETE, &id));
        steps.push(Step::post(format!("policy-name.{class}.gone"), POLICY_GET, &id));
    }
    steps
}

/// The patterns of `spike.md` §3.3 and §3.8.
const IDENTITIES: &[&str] = &[
    r"^spiffe://example\\.org/web/.*$",
    "spiffe://.*",
    "^spiffe://.*$",
    r"^spiffe://example\\.org/ns/[a-z0-9-]+/sa/x$",
    r"^spiffe://example\\.org/\\d+$",
    r"^spiffe://example\\.org$",
    r"^spiffe://example\\.org/web/",
    r"^spiffe://example\\.org//a$",
    r"^spiffe://example\\.org/web-service/$",
    "spiffe://example.org/acme/*",
    "^spiffe://example.org/*",
    ".*",
    r"^spiffe://example\\.org/",
    r"^spiffe://example\\.org/[^/]+/web$",
    r"^spiffe://example\\.org/(a|b)$",
    r"^spiffe://example\\.org/a{2}$",
    "^spiffe://a/b$|^spiffe://c/d$",
    r"^spiffe://example_org/a$",
    r"(^spiffe://a/b$)",
    r"SPIFFE://example\\.org/a",
    r"^^spiffe://example\\.org/a$",
    r"^spiffe://example\\.org/a$$",
    r"^spiffe:\\/\\/example\\.org/a$",
    "^.*$",
    r"^spiffe://example\\.org/a b$",
    r"^spiffe://example\\.org/a(b$",
    r"^spiffe://example\\.org/a**$",
    r"^spiffe://example\\.org/[z-a]$",
    r"^spiffe://example\\.org/\\Qa.b\\E$",
    r"^spiffe://example\\.org/\\pL+$",
    "",
];

fn identities() -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, pattern) in IDENTITIES.iter().enumerate() {
        let name = format!("identity-{number:02}");
        steps.push(policy(&name, [&name, pattern, "^identities/none$", r#""read""#]));
    }
    let long = format!(r"^spiffe://example\\.org/{}$", "a".repeat(4_000));
    steps.push(policy(
        "identity-long",
        ["identity-long", &long, "^identities/none$", r#""read""#],
    ));
    steps
}

const PATHS: &[&str] = &[
    "^tenants/acme/.*$",
    "^secrets$",
    "secrets/*",
    "e/*",
    "/paths/none",
    "^/paths/none$",
    "^$",
    "^",
    "$",
    "",
    "^paths/(a|b)$",
    "^paths/a{2}$",
    "^paths/a{2,3}$",
    "^paths/[^/]+$",
    "^paths/(?i)a$",
    "^paths/(?:a)$",
    "^paths/[[:alpha:]]$",
    r"^paths/\\Qa.b\\E$",
    r"^paths/\\d+$",
    r"^paths/\\1$",
    r"^paths/\\x41$",
    "^paths/a**$",
    "^paths/a{1001}$",
    "^paths/(a$",
    "^paths/a)$",
    "^paths/[a$",
    "^paths/a]$",
    "^paths/{x}$",
    "^paths/a b$",
    "^paths/a:b$",
    "^paths/a=b$",
    "^paths/ä$",
    "^paths/(?P<n>a)$",
    r"^paths/\\C$",
    r"^paths/[\\b]$",
    "^paths/(a|)$",
    // The reserved namespace, described and merely brushed.
    "^spike/system/acl$",
    "^spike/system/.*$",
    ".*",
    "^.*$",
    "acl",
    "s",
    "/",
    "secret",
    "system",
    "[a-z]+",
    "^spike/",
    ".",
    "secrets",
    "^tenants/",
    "^spike/app/.*$",
    "^[^x]*$",
    "^a$|^spike/system/acl",
    "^spike/system/acl$|secret",
    "(?i)SPIKE/SYSTEM/ACL",
];

fn paths() -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, pattern) in PATHS.iter().enumerate() {
        let name = format!("path-{number:02}");
        let who = r"^spiffe://example\\.org/nobody$";
        steps.push(policy(&name, [&name, who, pattern, r#""read""#]));
    }
    for length in [500, 501] {
        let name = format!("path-{length}");
        let pattern = format!("^paths/{}$", "a".repeat(length - 8));
        steps.push(policy(
            &name,
            [&name, r"^spiffe://example\\.org/nobody$", &pattern, r#""read""#],
        ));
    }
    // Reserved paths only for precise identities.
    for (class, who) in [
        ("not-anchored", r"spiffe://example\\.org/admin"),
        ("half-anchored", r"^spiffe://example\\.org/admin"),
        ("anchored-for-all", r"^spiffe://example\\.org/.*$"),
        ("escaped-dollar", r"^spiffe://example\\.org/admin\\$"),
    ] {
        let name = format!("reserved-{class}");
        steps.push(policy(&name, [&name, who, "^spike/system/acl$", r#""read""#]));
    }
    steps
}

fn permissions() -> Vec<Step> {
    let lists = [
        ("none", ""),
        ("each", r#""read","write","list","execute","super""#),
        ("twice", r#""read","read""#),
        ("upper-case", r#""Read""#),
        ("blank", r#"" read""#),
        ("empty", r#""""#),
        ("unknown", r#""read","admin""#),
        ("null", "null"),
    ];
    let mut steps = Vec::new();
    for (class, list) in lists {
        let name = format!("permissions-{class}");
        steps.push(policy(
            &name,
            [&name, r"^spiffe://example\\.org/nobody$", "^permissions/none$", list],
        ));
        steps.push(Step::post(
            format!("{name}.get"),
            POLICY_GET,
            format!(r#"{{"id":"{name}"}}"#),
        ));
    }
    steps
}

/// One policy: made, found, changed, refused a change, deleted.
fn life() -> Vec<Step> {
    let id = r#"{"id":"life"}"#;
    let other = r"^spiffe://example\\.org/workload/batch$";
    vec![
        Step::post("policy-life.unknown", POLICY_GET, id),
        Step::post("policy-life.delete-unknown", POLICY_DELETE, id),
        policy("policy-life.made", ["life", WEB, "^life/a$", r#""read","list""#]),
        Step::post("policy-life.found", POLICY_GET, id),
        Step::post("policy-life.field-name", POLICY_GET, r#"{"name":"life"}"#),
        Step::post("policy-life.other-case", POLICY_GET, r#"{"id":"LIFE"}"#),
        Step::post("policy-life.by-web", POLICY_GET, id).by("web"),
        policy("policy-life.changed", ["life", other, "^life/b$", r#""write""#]),
        Step::post("policy-life.found-changed", POLICY_GET, id),
        policy("policy-life.refused", ["life", other, "^life/($", r#""write""#]),
        policy(
            "policy-life.refused-permission",
            ["life", other, "^life/c$", r#""admin""#],
        ),
        Step::post("policy-life.found-unchanged", POLICY_GET, id),
        Step::post("policy-life.delete-by-web", POLICY_DELETE, id).by("web"),
        Step::post("policy-life.deleted", POLICY_DELETE, id),
        Step::post("policy-life.gone", POLICY_GET, id),
        Step::post("policy-life.deleted-again", POLICY_DELETE, id),
    ]
}

fn filters() -> Vec<Step> {
    let list = |name: &str, body: &str| Step::post(format!("policy-filter.{name}"), POLICY_LIST, body);
    vec![
        policy("policy-filter.one", ["filter one", WEB, "^filters/a$", r#""read""#]),
        policy("policy-filter.two", ["filter two", WEB, "^filters/b$", r#""read""#]),
        list("by-path", r#"{"pathPattern":"^filters/a$"}"#),
        list("by-path-part", r#"{"pathPattern":"filters"}"#),
        list(
            "by-identity",
            &format!(r#"{{"spiffeidPattern":"{WEB}","pathPattern":""}}"#),
        ),
        list("by-nothing-known", r#"{"spiffeidPattern":"^nobody$"}"#),
        list(
            "by-both",
            &format!(r#"{{"spiffeidPattern":"{WEB}","pathPattern":"^filters/b$"}}"#),
        ),
        list("by-bad-pattern", r#"{"pathPattern":"("}"#),
        list("all", "{}"),
        list("all-by-web", "{}").by("web"),
    ]
}

/// Reserved paths, by a workload that has a policy for each.
fn reserved() -> Vec<Step> {
    let mut steps = Vec::new();
    let batch = r"^spiffe://example\\.org/workload/batch$";
    for (class, path, permission) in [
        ("acl-read", "^spike/system/acl$", "read"),
        ("acl-list", "^spike/system/acl$", "list"),
        ("acl-write", "^spike/system/acl$", "write"),
        ("secret-list", "^spike/system/secret$", "list"),
        ("cipher", "^spike/system/cipher/exec$", "execute"),
        ("everything", ".*", "super"),
        ("acl-and-brushed", "^spike/system/acl$|secret", "super"),
    ] {
        let name = |what: &str| format!("reserved.{class}.{what}");
        let allowed = format!("\"{permission}\"");
        let granted = r#"{"name":"from batch","spiffeidPattern":"^spiffe://example\\.org/nobody$","pathPattern":"^none$","permissions":["read"]}"#;
        steps.push(policy(&name("made"), ["reserved", batch, path, &allowed]));
        steps.push(Step::post(name("policy-get"), POLICY_GET, r#"{"id":"reserved"}"#).by("batch"));
        steps.push(Step::post(name("policy-list"), POLICY_LIST, r#"{"pathPattern":"^x$"}"#).by("batch"));
        steps.push(Step::post(name("policy-put"), POLICY, granted).by("batch"));
        steps.push(Step::post(name("policy-delete"), POLICY_DELETE, r#"{"id":"from batch"}"#).by("batch"));
        steps.push(Step::post(name("secret-list"), LIST, "{}").by("batch"));
        steps.push(Step::post(name("secret-get"), GET, r#"{"path":"spike/system/acl"}"#).by("batch"));
        steps.push(Step::post(name("encrypt"), ENCRYPT, r#"{"plaintext":"aGk="}"#).by("batch"));
        steps.push(Step::post(name("deleted"), POLICY_DELETE, r#"{"id":"reserved"}"#));
    }
    steps
}

/// Patterns against paths: a grant or none.
const MATCHING: &[(&str, &str)] = &[
    ("^m/a$", "m/a"),
    ("^m/a$", "m/ab"),
    ("m/b", "x/m/b/c"),
    ("^m/b", "x/m/b"),
    ("m/c$", "x/m/c"),
    ("m/c$", "m/c/d"),
    ("^m/.$", "m/x"),
    ("^m/d*$", "m/"),
    ("^m/(e|f)$", "m/f"),
    ("^m/(e|f)$", "m/g"),
    ("^m/[g-i]+$", "m/hig"),
    ("^m/[^g-i]+$", "m/hig"),
    (r"^m/\\d+$", "m/123"),
    (r"^m/\\d+$", "m/12a"),
    ("^(?i)M/J$", "m/j"),
    ("^M/J$", "m/j"),
    (r"^m/\\Qa.b\\E$", "m/a.b"),
    (r"^m/\\Qa.b\\E$", "m/axb"),
    ("^m/k{2}$", "m/kk"),
    ("^m/k{2}$", "m/kkk"),
    ("^m/{x}$", "m/{x}"),
    (r"^m/\\bl\\b$", "m/l"),
    ("^m/(n|)$", "m/"),
    (r"^m/\\x6f$", "m/o"),
    (r"^m/\\157$", "m/o"),
    ("^m/[[]$", "m/["),
    (r"^m/[a\\-z]$", "m/-"),
    (r"^m/[a\\-z]$", "m/b"),
    ("^m/p+?$", "m/pp"),
    ("^/m/q$", "/m/q"),
    ("^/m/q$", "m/q"),
    ("^(?s)m/.$", "m/r"),
    (r"^m/\\pL$", "m/s"),
    ("^m/t$|^n/t$", "n/t"),
];

fn matching() -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, (pattern, path)) in MATCHING.iter().enumerate() {
        let name = |what: &str| format!("match-{number:02}.{what}");
        let secret = format!(r#"{{"path":"{path}","values":{{"k":"{number}"}}}}"#);
        steps.push(Step::post(name("secret"), SECRETS, secret));
        steps.push(policy(&name("policy"), ["match", WEB, pattern, r#""read""#]));
        steps.push(Step::post(name("get"), GET, format!(r#"{{"path":"{path}"}}"#)).by("web"));
        steps.push(Step::post(name("deleted"), POLICY_DELETE, r#"{"id":"match"}"#));
    }
    steps
}
