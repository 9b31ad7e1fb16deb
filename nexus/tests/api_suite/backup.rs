//! Who may take a backup, and from what.
use crate::harness::{Row, World};

const BACKUP: &str = "/v1/operator/backup";

#[tokio::test(flavor = "multi_thread")]
async fn only_the_superuser_is_told_that_a_server_in_memory_has_no_backups() {
    let world = World::new();
    let denied = r#"{"err":"access_unauthorized"}"#;
    let rows = [
        Row("pilot", BACKUP, "{}", 400, r#"{"err":"api_bad_request"}"#),
        Row("ada", BACKUP, "{}", 400, r#"{"err":"api_bad_request"}"#),
        Row("recover", BACKUP, "{}", 401, denied),
        Row("authz", BACKUP, "{}", 401, denied),
        Row("nexus", BACKUP, "{}", 401, denied),
        Row("/workload/web", BACKUP, "{}", 401, denied),
        Row(
            "pilot",
            "/v1/operator/backup?action=get",
            "{}",
            400,
            r#"{"err":"api_bad_request"}"#,
        ),
        Row("pilot", BACKUP, "[", 400, r#"{"err":"api_bad_request"}"#),
    ];
    assert_eq!(world.check(&rows).await, rows.len());
}
