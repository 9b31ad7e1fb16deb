//! Where things lie: the repository, the programs that cargo built, the Envoy of the project's own environment.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program of this workspace, from the same build as the running test.
///
/// # Errors
/// When it was not built: the text says how.
pub fn built(program: &str) -> Result<PathBuf> {
    let me = std::env::current_exe().context("the path of the running program")?;
    let directory = me
        .ancestors()
        .skip(1)
        .find(|directory| directory.join(program).is_file())
        .with_context(|| format!("`{program}` was not built: run `cargo build --workspace --bins` first"))?;
    Ok(directory.join(program))
}

/// The real Envoy: `ENVOY_BIN`, or the one in the project's own Python environment.
///
/// # Errors
/// When there is none: the text says how to get it.
pub fn envoy() -> Result<PathBuf> {
    let path = std::env::var_os("ENVOY_BIN").map_or_else(|| root().join(".venv/bin/envoy"), PathBuf::from);
    ensure!(
        path.is_file(),
        "no Envoy at {}: run `make envoy`, or set ENVOY_BIN",
        path.display()
    );
    Ok(path)
}
