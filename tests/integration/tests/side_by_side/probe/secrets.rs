//! Secrets: paths, key names, versions, deletion and its undoing, metadata.
use super::routes::{DELETE, GET, LIST, METADATA, POLICY, SECRETS, UNDELETE};
use crate::compare::Step;

/// Paths and key names at the edges of what is allowed.
const PATHS: &[(&str, &str)] = &[
    ("plain", "secrets/plain"),
    ("leading-slash", "/secrets/a"),
    ("trailing-slash", "secrets/a/"),
    ("double-slash", "secrets//a"),
    ("dots", "secrets/../a"),
    ("pattern-characters", r"secrets/(a)?+*|[b]{c}\\"),
    ("blank", "secrets/a b"),
    ("colon", "secrets/a:b"),
    ("at", "secrets/a@b"),
    ("percent", "secrets/%41"),
    ("caret", "secrets/^a"),
    ("dollar", "secrets/a$"),
    ("non-ascii", "secrets/ä"),
    ("nul", r"secrets/\u0000"),
    ("line-break", r"secrets/a\n"),
    ("empty", ""),
    ("one-letter", "s"),
    ("reserved", "spike/system/acl"),
];
const KEYS: &[(&str, &str)] = &[
    ("plain", "user_name-1"),
    ("blank", "user name"),
    ("dot", "tls.crt"),
    ("slash", "a/b"),
    ("empty", ""),
    ("non-ascii", "schlüssel"),
    ("colon", "a:b"),
];
const VALUES: &[(&str, &str)] = &[
    ("empty", r#""""#),
    ("null", "null"),
    ("escapes", r#""<a href='x'>&amp;\u2028\u2029 \" \\ \/ \b\f\n\r\t""#),
    ("controls", r#""\u0000\u0001\u001f\u007f""#),
    ("non-ascii", r#""ä € 𝄞 \ud834\udd1e""#),
    ("lone-surrogates", r#""\ud800 \udc00 \ud800a""#),
    ("json", r#""{\"a\":[1,2]}""#),
];

fn put(name: &str, path: &str, values: &str) -> Step {
    Step::post(name, SECRETS, format!(r#"{{"path":"{path}","values":{values}}}"#))
}

fn at(name: &str, target: &str, path: &str, rest: &str) -> Step {
    Step::post(name, target, format!(r#"{{"path":"{path}"{rest}}}"#))
}

pub(crate) fn steps() -> Vec<Step> {
    [edges(), life(), many_versions(), by_policy()].concat()
}

fn edges() -> Vec<Step> {
    let mut steps = Vec::new();
    for (class, path) in PATHS {
        steps.push(put(&format!("path.{class}.put"), path, r#"{"k":"v"}"#));
        steps.push(at(&format!("path.{class}.get"), GET, path, ""));
        steps.push(at(&format!("path.{class}.metadata"), METADATA, path, ""));
        steps.push(at(&format!("path.{class}.delete"), DELETE, path, ""));
        steps.push(at(
            &format!("path.{class}.undelete"),
            UNDELETE,
            path,
            r#","versions":[1]"#,
        ));
        steps.push(at(&format!("path.{class}.get-by-web"), GET, path, "").by("web"));
    }
    for (class, length) in [("500", 500), ("501", 501)] {
        let path = "p".repeat(length);
        steps.push(put(&format!("path.{class}.put"), &path, r#"{"k":"v"}"#));
        steps.push(at(&format!("path.{class}.get"), GET, &path, ""));
    }
    for (class, key) in KEYS {
        steps.push(put(
            &format!("key.{class}"),
            "secrets/keys",
            &format!(r#"{{"{key}":"v"}}"#),
        ));
    }
    for (class, length) in [("250", 250), ("251", 251)] {
        let key = "k".repeat(length);
        steps.push(put(
            &format!("key.{class}"),
            "secrets/keys",
            &format!(r#"{{"{key}":"v"}}"#),
        ));
    }
    for (class, value) in VALUES {
        let name = format!("value.{class}");
        steps.push(put(
            &name,
            &format!("secrets/values/{class}"),
            &format!(r#"{{"b":{value},"a":"x"}}"#),
        ));
        steps.push(at(&format!("{name}.read"), GET, &format!("secrets/values/{class}"), ""));
    }
    for (class, values) in [
        ("none", "{}"),
        ("null", "null"),
        ("twice-the-same-key", r#"{"k":"1","k":"2"}"#),
    ] {
        steps.push(put(&format!("values.{class}"), "secrets/empty", values));
        steps.push(at(&format!("values.{class}.read"), GET, "secrets/empty", ""));
    }
    let merged = r#"{"path":"secrets/merged","values":{"a":"1","b":"1"},"values":{"b":"2","c":"2"}}"#;
    steps.push(Step::post("values.field-twice", SECRETS, merged));
    steps.push(at("values.field-twice.read", GET, "secrets/merged", ""));
    steps.push(Step::post("list.all", LIST, "{}"));
    steps.push(Step::post("list.with-fields", LIST, r#"{"path":"x","versions":"y"}"#));
    steps
}

/// One secret from its first version to its last.
fn life() -> Vec<Step> {
    let path = "secrets/life";
    let mut steps: Vec<Step> = Vec::new();
    let mut count = 0_u32;
    let mut then = |target: &str, rest: &str| {
        count += 1;
        steps.push(at(&format!("life.{count:02}"), target, path, rest));
    };
    let version = |number: i64| format!(r#","version":{number}"#);
    let versions = |list: &str| format!(r#","versions":[{list}]"#);
    then(GET, "");
    then(METADATA, "");
    then(DELETE, "");
    then(UNDELETE, "");
    for value in ["one", "two", "three"] {
        then(SECRETS, &format!(r#","values":{{"k":"{value}"}}"#));
    }
    for number in [0, 1, 2, 3, 4, -1, i64::MAX] {
        then(GET, &version(number));
        then(METADATA, &version(number));
    }
    // What is deleted is gone for readers, and the version before it is current.
    then(DELETE, &versions("3"));
    then(GET, "");
    then(GET, &version(3));
    then(METADATA, "");
    then(METADATA, &version(3));
    then(DELETE, &versions("3"));
    then(DELETE, &versions("9,-1"));
    then(UNDELETE, &versions("9"));
    then(UNDELETE, &versions("2"));
    then(UNDELETE, &versions("3"));
    then(GET, "");
    // An older one: the current one stays.
    then(DELETE, &versions("1"));
    then(GET, "");
    then(METADATA, "");
    then(GET, &version(1));
    then(UNDELETE, &versions("1"));
    then(METADATA, "");
    // All of them.
    then(DELETE, &versions("1,2,3"));
    then(GET, "");
    then(METADATA, "");
    then(UNDELETE, &versions("0"));
    then(GET, "");
    then(UNDELETE, "");
    then(GET, "");
    then(METADATA, "");
    then(DELETE, &versions("0"));
    then(DELETE, &versions("1,2,3"));
    then(UNDELETE, &versions("1,2,3"));
    then(GET, "");
    then(METADATA, "");
    // The default deletion and the default undoing.
    then(DELETE, "");
    then(GET, "");
    then(UNDELETE, &versions("0"));
    then(GET, "");
    then(UNDELETE, &versions("3"));
    then(DELETE, &versions("null"));
    then(GET, "");
    then(METADATA, "");
    then(SECRETS, r#","values":{"k":"after deletion"}"#);
    then(GET, "");
    then(GET, &version(3));
    then(GET, &version(4));
    then(METADATA, "");
    steps
}

/// More versions than are kept.
fn many_versions() -> Vec<Step> {
    let path = "secrets/many";
    let mut steps: Vec<Step> = (1..=12)
        .map(|number| {
            put(
                &format!("many.put-{number:02}"),
                path,
                &format!(r#"{{"k":"{number}"}}"#),
            )
        })
        .collect();
    for number in [0, 1, 2, 3, 10, 12, 13] {
        let rest = format!(r#","version":{number}"#);
        steps.push(at(&format!("many.get-{number:02}"), GET, path, &rest));
    }
    steps.push(at("many.metadata", METADATA, path, ""));
    steps.push(at("many.delete-05", DELETE, path, r#","versions":[5]"#));
    steps.push(at("many.metadata-after", METADATA, path, ""));
    steps.push(at(
        "many.delete-all",
        DELETE,
        path,
        r#","versions":[3,4,5,6,7,8,9,10,11,12]"#,
    ));
    steps.push(at("many.get-after-all", GET, path, ""));
    steps.push(put("many.put-after-all", path, r#"{"k":"new"}"#));
    steps.push(at("many.get-new", GET, path, ""));
    steps.push(at("many.metadata-new", METADATA, path, ""));
    steps
}

/// A workload with a policy for each permission on a path of its own.
fn by_policy() -> Vec<Step> {
    let mut steps = Vec::new();
    for permission in ["read", "write", "list", "execute", "super"] {
        let path = format!("tenants/{permission}");
        let policy = format!(
            r#"{{"name":"secrets {permission}","spiffeidPattern":"^spiffe://example\\.org/workload/web$","pathPattern":"^{path}$","permissions":["{permission}"]}}"#
        );
        let name = |what: &str| format!("with-{permission}.{what}");
        steps.push(put(&name("prepared"), &path, r#"{"k":"v"}"#));
        steps.push(Step::post(name("policy"), POLICY, policy));
        steps.push(at(&name("get"), GET, &path, "").by("web"));
        steps.push(at(&name("metadata"), METADATA, &path, "").by("web"));
        steps.push(put(&name("put"), &path, r#"{"k":"w"}"#).by("web"));
        steps.push(at(&name("delete"), DELETE, &path, "").by("web"));
        steps.push(at(&name("undelete"), UNDELETE, &path, r#","versions":[2]"#).by("web"));
        steps.push(at(&name("get-elsewhere"), GET, &format!("{path}/below"), "").by("web"));
        steps.push(at(&name("get-by-batch"), GET, &path, "").by("batch"));
        steps.push(at(&name("get-by-lite"), GET, &path, "").by("lite"));
        steps.push(at(&name("get-invalid"), GET, &format!("{path} x"), "").by("web"));
    }
    steps
}
