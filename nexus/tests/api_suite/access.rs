//! The questions of `?action=check`: who may ask, what is answered, and that it is what the policies really do.
use serde_json::{Value, json};

use crate::harness::{POLICY, Row, World, policy};

const CHECK: &str = "/v1/acl/policy?action=check";
const DENIED: &str = r#"{"allowed":false,"reason":"","matchingPolicies":null,"nearMisses":null,"text":"","generation":0,"err":"access_unauthorized"}"#;

/// A question about somebody of `example.org`.
fn about(who: &str, path: &str, action: &str) -> String {
    json!({"spiffeid": format!("spiffe://example.org{who}"), "path": path, "action": action}).to_string()
}

async fn ask(world: &World, body: &str) -> Value {
    let answer = world.post("pilot", CHECK, body).await;
    answer.assert_usual_headers();
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn an_allowed_access_names_its_policies_and_a_denied_one_its_near_misses() {
    let world = World::new();
    world.grant("web", "/web", "^app/.*$", "read,list").await;
    world.grant("web-too", "/web", "^app/db$", "read").await;
    let yes = ask(&world, &about("/web", "app/db", "read")).await;
    assert_eq!((&yes["allowed"], &yes["reason"]), (&json!(true), &json!("policy")));
    let mut names: Vec<_> = yes["matchingPolicies"].as_array().unwrap().clone();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [json!("web"), json!("web-too")]);
    assert_eq!(
        (&yes["nearMisses"], &yes["generation"], yes.get("err")),
        (&json!([]), &json!(2), None)
    );
    assert!(
        yes["text"]
            .as_str()
            .unwrap()
            .starts_with("allowed: read on app/db for spiffe://example.org/web\n")
    );

    let no = ask(&world, &about("/web", "app/cfg", "write")).await;
    assert_eq!(
        no["nearMisses"],
        json!([
            {"name": "web", "spiffeidPattern": r"^spiffe://example\.org/web$", "pathPattern": "^app/.*$",
             "permissions": ["read", "list"], "missing": ["permission"]},
            {"name": "web-too", "spiffeidPattern": r"^spiffe://example\.org/web$", "pathPattern": "^app/db$",
             "permissions": ["read"], "missing": ["path", "permission"],
             "pathDiffers": {"at": 5, "wanted": "db", "found": "cfg"}},
        ])
    );
    assert_eq!(
        (&no["allowed"], &no["reason"], &no["matchingPolicies"]),
        (&json!(false), &json!("permission_missing"), &json!([]))
    );
    let stranger = ask(&world, &about("/we", "app/db", "read")).await;
    assert_eq!(stranger["reason"], "identity_unmatched");
    assert_eq!(
        stranger["nearMisses"][0]["spiffeidDiffers"],
        json!({"at": 24, "wanted": "b", "found": ""})
    );
    let pilot = ask(&world, &about("/spike/pilot/role/superuser", "x", "super")).await;
    assert_eq!(
        (&pilot["allowed"], &pilot["reason"]),
        (&json!(true), &json!("superuser"))
    );
}

#[tokio::test]
async fn the_answer_is_what_the_next_read_of_the_secret_does() {
    let world = World::new();
    world.grant("web", "/web", "^app/[a-m]+$", "read").await;
    let mut seen = [0, 0];
    for path in ["app/db", "app/zz", "app/db/x", "apps/db", "app/m"] {
        let allowed = ask(&world, &about("/web", path, "read")).await["allowed"] == true;
        let get = world
            .post(
                "/web",
                "/v1/store/secrets?action=get",
                &json!({"path": path}).to_string(),
            )
            .await;
        assert_eq!(get.status, if allowed { 404 } else { 401 }, "{path}");
        seen[usize::from(allowed)] += 1;
    }
    assert_eq!(seen, [3, 2]);
    let put = policy("web", r"^spiffe://example\.org/web$", "^apps/", "read");
    assert_eq!(world.post("pilot", POLICY, &put).await.status, 200);
    assert_eq!(
        ask(&world, &about("/web", "apps/db", "read")).await["allowed"],
        true,
        "the change is seen at once"
    );
}

#[tokio::test]
async fn a_method_asks_for_its_permission() {
    let world = World::new();
    world.grant("web", "/web", "^app/", "read").await;
    let mut asked = 0;
    for (method, allowed) in [("GET", true), ("HEAD", true), ("POST", false), ("LIST", false)] {
        let body = json!({"spiffeid": "spiffe://example.org/web", "path": "app/x", "method": method}).to_string();
        assert_eq!(ask(&world, &body).await["allowed"], allowed, "{method}");
        asked += 1;
    }
    assert_eq!(asked, 4);
}

#[tokio::test]
async fn only_who_may_read_and_list_policies_may_ask() {
    let world = World::new();
    let body = about("/web", "app/db", "read");
    world.grant("reader", "/reader", "^spike/system/acl$", "read").await;
    world.grant("lister", "/lister", "^spike/system/acl$", "list").await;
    world.grant("writer", "/writer", "^spike/system/acl$", "write").await;
    world.grant("both", "/both", "^spike/system/acl$", "read,list").await;
    let mut rows: Vec<Row<'_>> = [
        "/web", "/reader", "/lister", "/writer", "authz", "lite", "recover", "nexus",
    ]
    .into_iter()
    .map(|who| Row(who, CHECK, &body, 401, DENIED))
    .collect();
    // A stranger is not even told that a question is none.
    rows.push(Row("/web", CHECK, r#"{"path":""}"#, 401, DENIED));
    assert_eq!(world.check(&rows).await, 9);
    for who in ["pilot", "ada", "/both"] {
        assert_eq!(world.post(who, CHECK, &body).await.status, 200, "{who}");
    }
}

#[tokio::test]
async fn a_question_that_is_none_is_refused_with_everything_that_is_wrong() {
    let world = World::new();
    let id = "spiffe://example.org/web";
    let mut count = 0;
    for (body, faults) in [
        (json!({}), 3),
        (json!({"spiffeid": id, "path": "a"}), 1),
        (json!({"spiffeid": id, "path": "a", "action": "reed"}), 1),
        (
            json!({"spiffeid": id, "path": "a", "action": "read", "method": "GET"}),
            1,
        ),
        (json!({"spiffeid": id, "path": "a", "method": "BREW"}), 1),
        (json!({"spiffeid": id, "path": "a", "method": "get"}), 1),
        (json!({"spiffeid": id, "path": "", "action": "read"}), 1),
        (json!({"spiffeid": id, "path": "a b", "action": "read"}), 1),
        (json!({"spiffeid": "web", "path": "a", "action": "read"}), 1),
        (json!({"spiffeid": "web", "path": "", "action": ""}), 3),
    ] {
        let answer = world.post("pilot", CHECK, &body.to_string()).await;
        let json = answer.json();
        assert_eq!(
            (answer.status, &json["err"]),
            (400, &json!("api_bad_request")),
            "{body}"
        );
        assert_eq!(json["detail"].as_array().unwrap().len(), faults, "{body}: {json}");
        assert_eq!(json["allowed"], false);
        count += 1;
    }
    assert_eq!(count, 10);
    for body in ["", "[]", r#"{"path":7}"#, "{"] {
        assert_eq!(world.post("pilot", CHECK, body).await.status, 400, "{body}");
    }
}
