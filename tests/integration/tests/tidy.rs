//! The structure of the repository, held by a test: which room may depend on which, which word may stand where, and
//! that each room says what it owns. The tables below are the architecture; change them together with
//! `docs/decisions/`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may depend on whom (ordinary dependencies; tests may use more).
const ARROWS: &[(&str, &[&str])] = &[
    ("spike-policy", &[]),
    ("spike-wire", &["spike-policy"]),
    ("spike-identity", &["spike-policy"]),
    ("spike-runtime", &[]),
    ("spike-audit", &["spike-runtime"]),
    ("spike-program", &["spike-audit", "spike-identity", "spike-runtime"]),
    ("spike-sdk", &["spike-policy", "spike-wire", "spike-identity"]),
    (
        "spike-cli",
        &[
            "spike-audit",
            "spike-policy",
            "spike-wire",
            "spike-identity",
            "spike-sdk",
        ],
    ),
    (
        "spike-nexus",
        &[
            "spike-audit",
            "spike-policy",
            "spike-wire",
            "spike-identity",
            "spike-program",
            "spike-runtime",
        ],
    ),
    (
        "spike-ext-authz",
        &[
            "spike-audit",
            "spike-policy",
            "spike-wire",
            "spike-identity",
            "spike-program",
            "spike-runtime",
            "spike-sdk",
            "spike-nexus",
        ],
    ),
    ("spike-dev-agent", &["spike-policy", "spike-runtime"]),
];

/// A word and the only places (path prefixes) where code may say it.
const WORDS: &[(&str, &[&str])] = &[
    ("redb::", &["nexus/src/store"]),
    ("aes_gcm::", &["nexus/src/vault"]),
    ("axum::", &[]),
    (
        "tonic::",
        &["ext-authz/src/serve", "ext-authz/src/check", "dev-agent/src"],
    ),
    ("tonic_health::", &["ext-authz/src/serve"]),
    (
        "CheckResponse",
        &[
            "ext-authz/src/encode",
            "ext-authz/src/check.rs",
            "ext-authz/src/serve/service.rs",
        ],
    ),
    ("rustls::", &["identity/src"]),
    (
        "spike_nexus::",
        &[
            "ext-authz/src/feed/embedded.rs",
            "ext-authz/src/main.rs",
            "nexus/src/main.rs",
        ],
    ),
    ("spike_program::", &["ext-authz/src/main.rs", "nexus/src/main.rs"]),
    (
        "spike_sdk::",
        &["ext-authz/src/feed/remote", "ext-authz/src/main.rs", "cli/src"],
    ),
    (
        "clap::",
        &[
            "cli/src/args",
            "cli/src/main.rs",
            "program/src/args.rs",
            "nexus/src/args.rs",
            "dev-agent/src/args.rs",
        ],
    ),
    (
        "std::env",
        &["runtime/src/config", "sdk/src/environment.rs", "cli/src/main.rs"],
    ),
    ("SystemTime::now", &["runtime/src/clock.rs", "identity/src/clock.rs"]),
    ("Instant::now", &["runtime/src/clock.rs"]),
    (
        "expose_secret",
        &[
            "nexus/src/vault",
            "nexus/src/http/secrets",
            "wire/src/sensitive.rs",
            "sdk/src",
            "cli/src/output",
        ],
    ),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("process::exit", &[]),
    ("todo!", &[]),
    (".filter_map(Result::ok)", &[]), // Endless on a store iterator after an I/O error (reliability H10).
    (
        ".flatten()",
        &[
            "policy/src",
            "identity/src",
            "wire/src",
            "ext-authz/src",
            "dev-agent/src",
            "cli/src",
            "sdk/src",
            "runtime/src",
        ],
    ),
];

/// Files that may be longer than [`LONGEST`] lines, and why.
const LONG_FILES: &[(&str, &str)] = &[];
const LONGEST: usize = 400;

const ROOMS: &[&str] = &[
    "policy",
    "wire",
    "identity",
    "runtime",
    "audit",
    "program",
    "nexus",
    "ext-authz",
    "sdk",
    "cli",
    "dev-agent",
];

#[test]
fn rooms_depend_only_along_the_arrows() {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON");
    let mut faults = Vec::new();
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == name) else {
            continue;
        };
        seen += 1;
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            if dependency["kind"].is_null() && target.starts_with("spike-") && !allowed.contains(&target) {
                faults.push(format!("{name} -> {target}"));
            }
        }
    }
    assert_eq!(seen, ARROWS.len(), "every room was looked at");
    assert!(faults.is_empty(), "arrows that the design does not have: {faults:#?}");
}

#[test]
fn words_stand_only_in_their_rooms() {
    let mut faults = Vec::new();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for file in sources() {
        let source = std::fs::read_to_string(root().join(&file)).unwrap();
        for (line, text) in &code_of(&source) {
            for (word, places) in WORDS {
                if !says(text, word) {
                    continue;
                }
                *found.entry(word).or_default() += 1;
                if !places.iter().any(|place| file.starts_with(place)) {
                    faults.push(format!("{file}:{line}: `{word}` may stand only in {places:?}"));
                }
            }
        }
    }
    for (word, places) in WORDS.iter().filter(|(_, places)| places.len() == 1) {
        assert!(
            found.contains_key(word),
            "`{word}` was never found: is {places:?} still its room?"
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_says_what_it_owns_refuses_and_keeps() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in sources() {
        if !(file.ends_with("/lib.rs") || file.ends_with("/mod.rs")) {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        for word in ["**Owns**", "**Refuses**", "**Invariant"] {
            if !head.contains(word) {
                faults.push(format!("{file}: its head does not say {word}"));
            }
        }
    }
    assert!(seen >= ROOMS.len(), "only {seen} rooms were read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_are_short_enough_to_read_in_one_sitting() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in sources() {
        seen += 1;
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > LONGEST && !LONG_FILES.iter().any(|(name, _)| *name == file) {
            faults.push(format!("{file}: {lines} lines (at most {LONGEST}: is a noun missing?)"));
        }
    }
    for (name, reason) in LONG_FILES {
        assert!(
            root().join(name).exists(),
            "{name} ({reason}) is listed as long but is gone"
        );
    }
    assert!(seen > 50, "only {seen} files were read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Code lines with their numbers: no comments, nothing from the inline test module on.
fn code_of(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
        .collect()
}

/// Whether a line says a word, not merely one that ends in it (`tokio_rustls::` is not `rustls::`).
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line
            .get(..at)
            .and_then(|before| before.chars().next_back())
            .is_some_and(|c| word.starts_with(char::is_alphanumeric) && (c.is_alphanumeric() || c == '_'))
    })
}

/// Every source file of the rooms, relative to the root; test modules and generated code are not rooms.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    for room in ROOMS {
        walk(&root().join(room).join("src"), &mut files);
    }
    files
        .into_iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .filter(|file| !file.ends_with("/tests.rs") && !file.contains("/tests/"))
        .collect()
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
