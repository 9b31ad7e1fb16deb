//! Texts kept in files, so that a reviewer reads what users read.
use std::fs;
use std::path::Path;

/// Compares with `tests/golden/<name>.txt`. With `SPIKE_UPDATE_GOLDEN=1` the file is written instead.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"));
    if std::env::var_os("SPIKE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        golden,
        "{} differs; SPIKE_UPDATE_GOLDEN=1 writes it anew",
        path.display()
    );
}
