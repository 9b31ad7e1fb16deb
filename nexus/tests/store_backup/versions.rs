//! Archives of every format that was ever released.
use std::fs;
use std::path::{Path, PathBuf};

use super::place::{Place, contents, secret};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/backup-v1")
        .join(name)
}

/// Written by the first version of the format (see `fixtures/backup-v1/README.md`). It must restore for ever.
#[test]
fn the_golden_backup_of_format_1_stays_readable() {
    let place = Place::new();
    let key = fs::read(fixture("root.key")).unwrap();
    fs::write(place.file("root.key"), key).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(place.file("root.key"), private).unwrap();
    let restored = place.restore(&fixture("nexus.backup")).unwrap();
    assert_eq!(
        restored.store.to_string(),
        fs::read_to_string(fixture("store-id")).unwrap().trim()
    );
    assert_eq!((restored.from.0, restored.damaged), (5, 0));
    let store = place.open().unwrap();
    assert_eq!(contents(&store).len(), 4);
    let policy = store.policy("database readers").unwrap().unwrap();
    assert_eq!(policy.rule.path.as_str(), "^tenants/acme/db/.*$");
    assert_eq!(
        secret(&store, "tenants/acme/db/creds").as_deref(),
        Some("s3cr3t-2"),
        "the third version is deleted"
    );
}
