//! Wrong configuration, told to the real programs: every fault at once, with file, line, column and key, exit code 78.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod file;
mod places;
mod tables;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use file::{File, Place};
use spike_integration::workspace;
use tables::{REQUIRED, Table, VARIABLES};

/// What a program said and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A secret that every program gets in its environment, and that none may show.
const BYSTANDER: &str = "hunter2-hunter2";

fn program(name: &str) -> Command {
    let mut command = Command::new(workspace::built(name).unwrap());
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command.env("AWS_SECRET_ACCESS_KEY", BYSTANDER);
    command
}

fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let said = Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(
        !said.out.contains(BYSTANDER) && !said.err.contains(BYSTANDER),
        "{}",
        said.err
    );
    said
}

/// Gives a file to a program, which must find faults in it: all of them, by line.
fn faults(table: Table, text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("it.yaml"), text).unwrap();
    let mut command = program(table.program());
    command
        .current_dir(&directory)
        .args(table.check())
        .args(["--config", "it.yaml"]);
    let said = run(&mut command);
    assert_eq!(said.code, Some(78), "{table:?}: {}{}\n{text}", said.out, said.err);
    assert_eq!(said.out, "", "{table:?}: a faulty configuration is not printed");
    said.err.lines().map(str::to_owned).collect()
}

/// `file:line:column` of a fault.
fn place(fault: &str) -> Place {
    let mut parts = fault.splitn(4, ':');
    assert_eq!(parts.next(), Some("it.yaml"), "{fault}");
    let mut number = || parts.next().and_then(|part| part.parse().ok()).expect(fault);
    (number(), number())
}

#[test]
fn every_key_that_is_wrong_is_named_with_its_place() {
    let mut rows = 0;
    for table in Table::ALL {
        let good = table.good();
        for (key, marked, says) in table.wrong() {
            let wrong = marked.replacen('@', "", 1);
            let within = marked.find('@').unwrap_or(0);
            let file = File::of(good.iter().map(|(known, value)| {
                // A credential needs its directory.
                let needs_it = *known == "nexus.store.credential" && key == "nexus.store.credentials_directory";
                let value = if needs_it { "~" } else { value };
                (*known, if *known == key { wrong.as_str() } else { value })
            }));
            let (line, column) = file.values[key];
            let found = faults(table, &file.text);
            let start = format!("it.yaml:{line}:{}: {key}{says}", column + within);
            assert!(
                found.len() == 1 && found[0].starts_with(&start),
                "{table:?} {key}: {marked} should give\n{start}\nand gives\n{found:#?}"
            );
            rows += 1;
        }
    }
    assert!(rows >= 140, "{rows} rows");
}

/// The tables are complete: what a program says is in force is what is in the table, and each key is wrong once.
#[test]
fn no_key_of_any_program_is_missing_from_the_tables() {
    for table in Table::ALL {
        let good: BTreeSet<&str> = table.good().iter().map(|(key, _)| *key).collect();
        let wrong: BTreeSet<&str> = table.wrong().iter().map(|(key, ..)| *key).collect();
        assert!(wrong.is_subset(&good), "{table:?}");
        let known = known_keys(table, &File::of(table.good()).text);
        match table {
            Table::Embedded | Table::Nexus | Table::Agent => {
                assert_eq!(good, wrong, "{table:?}: each key is wrong in some row");
                assert_eq!(
                    known,
                    good.iter().map(|key| (*key).to_owned()).collect(),
                    "{table:?}: in force, and in the table"
                );
            }
            Table::Remote => {
                let apart = |key: &&String| key.starts_with("feed.") || key.starts_with("trust_roots.");
                let here = |key: &&String| apart(key) && *key != "feed.mode";
                let known: BTreeSet<&str> = known.iter().filter(here).map(String::as_str).collect();
                let rows: BTreeSet<&str> = wrong.into_iter().filter(|key| *key != "cache.ttl").collect();
                assert_eq!(known, rows, "{table:?}");
            }
        }
    }
}

/// The keys that a program reads: by its own check, or, for the agent, by what it says about an unknown key.
fn known_keys(table: Table, good: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("it.yaml"), good).unwrap();
    if let Some(check) = table.check() {
        let mut command = program(table.program());
        let said = run(command.current_dir(&directory).args([check, "--config", "it.yaml"]));
        assert_eq!(said.code, Some(0), "{table:?}: {}", said.err);
        return said
            .out
            .lines()
            .map(|line| line.split(": ").next().unwrap().to_owned())
            .collect();
    }
    let mut known = BTreeSet::new();
    for section in ["", "entries[0].", "log."] {
        let mut file = File::of(Table::Agent.good().into_iter().filter(|(key, _)| {
            key.strip_prefix(section)
                .is_some_and(|rest| !rest.contains('.') || section.is_empty())
        }));
        let unknown = format!("{section}zzzzzzzz");
        // In its own section: behind the last key, except at the top, where it comes first.
        if section.is_empty() {
            file = File::of([("zzzzzzzz", "1")].into_iter().chain(Table::Agent.good()));
        } else {
            file.push(&unknown, "1");
        }
        let found = faults(table, &file.text);
        let listed = found
            .iter()
            .find_map(|fault| fault.split_once("unknown key (known here: "))
            .expect(section);
        let names = listed.1.trim_end_matches(')').split(", ");
        known.extend(
            names
                .filter(|name| !["entries", "log"].contains(name))
                .map(|name| format!("{section}{name}")),
        );
    }
    known
}

#[test]
fn every_unknown_key_is_named_with_a_suggestion() {
    for table in Table::ALL {
        let misspelt: Vec<(String, &str)> = table
            .good()
            .iter()
            .map(|(key, value)| (format!("{key}s"), *value))
            .collect();
        let pairs: Vec<(&str, &str)> = table
            .good()
            .into_iter()
            .zip(&misspelt)
            .flat_map(|(good, (key, value))| [good, (key.as_str(), *value)])
            .collect();
        let file = File::of(pairs);
        let found = faults(table, &file.text);
        assert_eq!(found.len(), misspelt.len(), "{table:?}: {found:#?}");
        for (key, _) in &misspelt {
            let (line, column) = file.keys[key];
            let start = format!("it.yaml:{line}:{column}: {key}: unknown key (");
            let fault = found.iter().find(|fault| fault.starts_with(&start)).expect(&start);
            let leaf = key.rsplit('.').next().unwrap().trim_end_matches('s');
            assert!(fault.contains(leaf), "{fault}");
        }
        let suggested = found.iter().filter(|fault| fault.contains("did you mean `")).count();
        assert!(
            suggested * 10 >= found.len() * 9,
            "{table:?}: {suggested} suggestions for {} keys",
            found.len()
        );
    }
}

#[test]
fn every_repeated_key_is_named_with_both_places() {
    for table in Table::ALL {
        let good = table.good();
        let mut file = File::default();
        let mut places = Vec::new();
        for (key, value) in &good {
            file.push(key, value);
            let before = file.keys[*key];
            file.push(key, value);
            places.push((*key, before, file.keys[*key]));
        }
        let found = faults(table, &file.text);
        assert_eq!(found.len(), places.len(), "{table:?}: {found:#?}");
        for (fault, (key, (line, column), again)) in found.iter().zip(places) {
            let expected = format!(
                "it.yaml:{}:{}: {key}: repeated key (first given at line {line}, column {column})",
                again.0, again.1
            );
            assert_eq!(*fault, expected, "{table:?}");
        }
    }
}

#[test]
fn all_faults_of_a_file_are_reported_in_one_run_from_top_to_bottom() {
    let mut wrong: Vec<(&str, &str)> = Vec::new();
    for (key, value) in tables::EMBEDDED {
        let row = tables::WRONG.iter().find(|(known, ..)| known == key);
        // What would hide other faults stays right: nothing more is asked of a list that is none.
        let keep = ["check.listen.tcp.allow_remote", "check.listen.uds.path"].contains(key);
        let value = row.filter(|_| !keep).map_or(*value, |(_, value, _)| *value);
        wrong.push((key, value));
    }
    let plain: Vec<(&str, String)> = wrong
        .iter()
        .map(|(key, value)| (*key, value.replacen('@', "", 1)))
        .collect();
    let file = File::of(plain.iter().map(|(key, value)| (*key, value.as_str())));
    let found = faults(Table::Embedded, &file.text);
    let places: Vec<Place> = found.iter().map(|fault| place(fault)).collect();
    assert!(places.is_sorted(), "{found:#?}");
    let lines: BTreeSet<usize> = places.iter().map(|(line, _)| *line).collect();
    assert_eq!(
        lines.len(),
        tables::EMBEDDED.len() - 2,
        "one fault for each wrong key: {found:#?}"
    );
}

#[test]
fn every_required_key_that_is_missing_is_named() {
    for (table, key) in REQUIRED {
        let file = File::of(table.good().into_iter().filter(|(known, _)| known != key));
        let found = faults(*table, &file.text);
        assert!(
            found.len() == 1 && found[0].contains(&format!(": {key}: missing")),
            "{key}: {found:#?}"
        );
        place(&found[0]);
    }
    let nobody = File::of([("check.trust_domains", "[example.org]")]);
    let found = faults(Table::Embedded, &nobody.text);
    assert!(found[0].contains("check.listen: nothing would be served"), "{found:#?}");
}

#[test]
fn every_variable_that_is_wrong_is_named() {
    for (name, value, key) in VARIABLES {
        // NUL stands for what is no text at all.
        let value = if *value == "\0" {
            OsStr::from_bytes(b"\xff")
        } else {
            OsStr::new(value)
        };
        let mut command = program(if *key == "feed.url" {
            "spike-ext-authz"
        } else {
            "spike-nexus"
        });
        if *key == "feed.url" {
            let set = |pair: &'static str| ["--set", pair];
            command.arg("--check-config");
            command
                .args(set("feed.mode=remote"))
                .args(set("check.trust_domains=a.org"));
            command.args(set("check.listen.uds.path=/run/x.sock"));
        } else {
            command.arg("--check");
        }
        let said = run(command.env(name, value));
        assert_eq!(said.code, Some(78), "{name}: {}{}", said.out, said.err);
        let start = format!("environment {name}: {key}: ");
        assert!(
            said.err.starts_with(&start) && said.err.lines().count() == 1,
            "{}",
            said.err
        );
    }
}

/// Whatever variable the sources read is in the table.
#[test]
fn no_variable_is_missing_from_the_table() {
    let mut read = BTreeSet::new();
    for file in [
        "nexus/src/config.rs",
        "nexus/src/config/backend.rs",
        "nexus/src/main.rs",
        "ext-authz/src/config/mod.rs",
        "ext-authz/src/main.rs",
        "program/src/identity.rs",
        "program/src/settings.rs",
        "runtime/src/logging.rs",
        "runtime/src/admin.rs",
        "runtime/src/shutdown.rs",
    ] {
        let text = std::fs::read_to_string(workspace::root().join(file)).expect(file);
        let words = text.split('"').filter(|word| {
            let upper = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            word.len() > 12 && word.bytes().all(upper) && !word.starts_with("CARGO_")
        });
        read.extend(words.map(str::to_owned));
    }
    let table: BTreeSet<String> = VARIABLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(read, table);
}

#[test]
fn every_flag_that_is_wrong_is_named() {
    for table in Table::ALL {
        let Some(check) = table.check() else { continue };
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("it.yaml"), File::of(table.good()).text).unwrap();
        for (key, value, ..) in [
            ("log.level", "loud"),
            ("log.levle", "info"),
            ("drain.deadline", "tomorrow"),
            ("nonsense", "1"),
        ] {
            let mut command = program(table.program());
            command.current_dir(&directory).args([check, "--config", "it.yaml"]);
            let said = run(command.args(["--set", &format!("{key}={value}")]));
            assert_eq!(said.code, Some(78), "{key}: {}", said.err);
            assert!(said.err.starts_with(&format!("flag {key}: ")), "{}", said.err);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("directory")).unwrap();
    std::fs::write(at("binary.yaml"), b"log: \xff\xfe").unwrap();
    std::fs::write(at("large.yaml"), "#".repeat((1 << 20) + 1)).unwrap();
    std::fs::write(at("broken.yaml"), "log: [info\n").unwrap();
    std::fs::write(at("two.yaml"), "log: {level: info}\n---\nlog: {level: warn}\n").unwrap();
    std::fs::write(at("anchor.yaml"), "log: &a {level: info}\n").unwrap();
    std::fs::write(at("tab.yaml"), "log:\n\tlevel: info\n").unwrap();
    std::fs::write(at("closed.yaml"), "log: {level: info}\n").unwrap();
    std::fs::set_permissions(at("closed.yaml"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let rows = [
        ("missing.yaml", ": cannot read the configuration file: no such file"),
        ("directory", ": cannot read the configuration file: is a directory"),
        ("closed.yaml", ": cannot read the configuration file: permission denied"),
        ("binary.yaml", ": not UTF-8 from byte 5 on"),
        ("large.yaml", ": larger than 1048576 bytes"),
        ("broken.yaml", ":1:6: not YAML"),
        ("two.yaml", ":2:1: a second document starts here"),
        ("anchor.yaml", ":1:9: log: an anchor"),
        ("tab.yaml", ":2:2: not YAML"),
    ];
    for name in ["spike-ext-authz", "spike-nexus", "spike-dev-agent"] {
        for (file, says) in rows {
            let mut command = program(name);
            if std::fs::metadata(&directory).unwrap().uid() == 0 {
                // Root may read everything.
                command.uid(65534).gid(65534);
            }
            let said = run(command.current_dir(&directory).args(["--config", file]));
            assert_eq!(said.code, Some(78), "{name} {file}: {}{}", said.out, said.err);
            let start = format!("{file}{says}");
            assert!(
                said.err.lines().any(|line| line.starts_with(&start)),
                "{name}: {}",
                said.err
            );
        }
    }
}

/// Somebody gives the key file, or a secret, where the configuration should be.
#[test]
fn a_secret_given_as_the_configuration_is_not_printed() {
    const KEY: &str = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("root.key");
    for text in [KEY.to_owned(), format!("{KEY}\n{KEY}\n"), format!("- {KEY}\n")] {
        std::fs::write(&file, &text).unwrap();
        for name in ["spike-ext-authz", "spike-nexus", "spike-dev-agent"] {
            let said = run(program(name).arg("--config").arg(Path::new(&file)));
            assert_eq!(said.code, Some(78), "{name}: {}", said.err);
            assert!(!said.err.contains("Zm9v"), "{name}: {}", said.err);
        }
    }
}
