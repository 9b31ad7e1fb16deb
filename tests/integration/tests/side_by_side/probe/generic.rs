//! What can be wrong with any request: its JSON, its sender, its method, its action.
use super::routes::{ROUTES, Route};
use crate::compare::Step;
use crate::field::CALLERS;

/// Bodies that are not, or not quite, an object of JSON.
const BODIES: &[(&str, &str)] = &[
    ("empty", ""),
    ("blank", " \r\n\t "),
    ("cut-off", "{"),
    ("half-a-key", r#"{"pa"#),
    ("null", "null"),
    ("no-fields", "{}"),
    ("array", "[]"),
    ("text", r#""text""#),
    ("number", "7"),
    ("true", "true"),
    ("more-behind", "{} {}"),
    ("garbage-behind", "{}x"),
    ("blanks-around", " \n {} \r\n"),
    ("trailing-comma", r#"{"x":1,}"#),
    ("comment", "{/* */}"),
    ("single-quotes", "{'x':1}"),
    ("bare-key", "{x:1}"),
    ("byte-order-mark", "\u{feff}{}"),
    ("control-character", "{\"x\":\"a\u{1}b\"}"),
    ("bad-escape", r#"{"x":"\q"}"#),
    ("lone-surrogate", r#"{"x":"\ud800"}"#),
    ("nan", r#"{"x":NaN}"#),
    ("leading-zero", r#"{"x":01}"#),
    ("big-number", r#"{"x":1e400}"#),
    ("unknown-field", r#"{"unheard-of":{"a":[1,2,{"b":null}]}}"#),
];

pub(crate) fn steps() -> Vec<Step> {
    ROUTES.iter().flat_map(of_route).collect()
}

fn of_route(route: &Route) -> Vec<Step> {
    let Route { name, target, body } = *route;
    let named = |class: &str| format!("{name}.{class}");
    let mut steps: Vec<Step> = BODIES
        .iter()
        .map(|(class, body)| Step::post(named(class), target, body))
        .collect();
    steps.push(Step::post(named("bad-utf8"), target, b"{\"x\":\"\xff\"}"));
    for (class, depth) in [("deep", 9_999), ("too-deep", 10_001)] {
        let nested = format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        steps.push(Step::post(named(class), target, nested));
    }
    for (who, _) in CALLERS {
        // An official Nexus that is asked to recover or restore does so: these come last, elsewhere.
        steps.push(Step::post(named(&format!("by-{who}")), target, body).by(who));
    }
    for who in ["web", "lite"] {
        steps.push(Step::post(named(&format!("malformed-by-{who}")), target, "{").by(who));
        steps.push(Step::post(named(&format!("empty-fields-by-{who}")), target, "{}").by(who));
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post", "LIST"] {
        let class = format!("method-{method}");
        steps.push(Step::post(named(&class), target, body).method(method));
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    for (class, target) in [
        ("trailing-slash", format!("{path}/")),
        ("upper-case", target.replace("/v1/", "/V1/")),
        ("unknown-action", format!("{path}?action=read")),
        ("action-in-upper-case", format!("{path}?action=GET")),
        ("other-parameters", format!("{path}?x=1&{}", query(target))),
        ("no-action-but-a-query", format!("{path}?Action=get")),
    ] {
        steps.push(Step::post(named(class), target, body));
    }
    steps.push(Step::post(named("h2"), target, body).h2());
    steps.push(Step::post(named("h2-malformed"), target, "{").h2());
    steps.push(Step::post(named("h2-by-web"), target, body).h2().by("web"));
    steps.push(Step::post(named("h2-method-GET"), target, body).h2().method("GET"));
    steps.push(Step::post(named("no-content-type"), target, body).headers(&[]));
    let odd = [("content-type", "text/plain"), ("accept", "application/xml")];
    steps.push(Step::post(named("odd-headers"), target, body).headers(&odd));
    steps.push(Step::bytes(named("chunked"), chunked(target, body)));
    steps
}

fn query(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

fn chunked(target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}
