//! Moving in from the official SPIKE Nexus: everything that a client can read is the same afterwards, through the
//! official Go SDK and byte by byte.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use spike_integration::official::{self, Keepers, NEXUS, OfficialNexus, OfficialStore, PILOT, USERS, WEB};
use spike_integration::{Program, Spire, workspace};

/// How much a test moves.
#[derive(Clone, Copy)]
struct Amount {
    policies: usize,
    secrets: usize,
}

/// Real SPIRE, an official Nexus to move out of, and ours to move into.
struct Move {
    target: Program,
    to: SocketAddr,
    source: OfficialNexus,
    _keepers: Option<Keepers>,
    spire: Spire,
    amount: Amount,
    directory: PathBuf,
    _kept: tempfile::TempDir,
}

impl Move {
    fn new(store: OfficialStore, amount: Amount) -> Self {
        let kept = tempfile::Builder::new().prefix("move-").tempdir().unwrap();
        let directory = kept.path().to_owned();
        let mut spire = Spire::start(&directory).unwrap();
        spire.register_all(USERS).unwrap();
        let keepers = (store == OfficialStore::Sqlite).then(|| Keepers::start(&spire.socket(), &directory, 3).unwrap());
        let mut source = OfficialNexus::start(&spire, &directory, store, keepers.as_ref()).unwrap();
        if let Some(keepers) = &keepers {
            official::bootstrap(&spire, &directory, keepers, source.address()).unwrap();
            source.wait_until_open().unwrap();
        }
        let (target, to) = ours(&spire, &directory);
        Self {
            target,
            to,
            source,
            _keepers: keepers,
            spire,
            amount,
            directory,
            _kept: kept,
        }
    }

    /// What the Go program reads from a Nexus through the SDK, a thousand secrets for each process.
    fn read(&self, nexus: SocketAddr, variables: &[(&str, &str)]) -> String {
        let parts = 0..=self.amount.secrets.div_ceil(1_000);
        parts
            .map(|part| self.go("read", nexus, (&[&part.to_string()], variables)))
            .collect()
    }

    /// What the Go program prints about a Nexus.
    fn go(&self, word: &str, nexus: SocketAddr, (more, variables): (&[&str], &[(&str, &str)])) -> String {
        let built = workspace::root().join("tests/interop/gomigrate/gomigrate");
        assert!(
            built.is_file(),
            "tests/interop/gomigrate was not built: use `make interop`"
        );
        let program = official::copied(&built, &self.directory).unwrap();
        let Amount { policies, secrets } = self.amount;
        let mut command = official::client(&self.spire, PILOT, &program, nexus);
        command
            .arg(word)
            .args([policies.to_string(), secrets.to_string()])
            .args(more)
            .envs(variables.iter().copied())
            .current_dir(&self.directory);
        said(command)
    }

    /// `spike migrate` from one to the other; gives its report.
    fn migrate(&self, more: &[&str]) -> serde_json::Value {
        let program = official::copied(&workspace::built("spike").unwrap(), &self.directory).unwrap();
        let (from, to) = (
            format!("https://{}", self.source.address()),
            format!("https://{}", self.to),
        );
        let mut command = official::client(&self.spire, PILOT, &program, self.to);
        command
            .args(["migrate", "--from", &from, "--to", &to, "--format", "json"])
            .args(more)
            .current_dir(&self.directory);
        serde_json::from_str(&said(command)).unwrap()
    }

    /// Compares everything that the SDK reads from both; gives how many lines there were.
    fn assert_same_reads(&self, variables: &[(&str, &str)]) -> usize {
        assert_same(
            &self.read(self.source.address(), variables),
            &self.read(self.to, variables),
        )
    }

    /// Compares every answer of both, byte by byte; gives how many there were.
    fn assert_same_answers(&self, variables: &[(&str, &str)]) -> usize {
        let of = |nexus| self.go("raw", nexus, (&[], variables));
        assert_same(&of(self.source.address()), &of(self.to))
    }
}

fn assert_same(source: &str, target: &str) -> usize {
    let pairs = source.lines().zip(target.lines());
    let different: Vec<_> = pairs.filter(|(source, target)| source != target).take(5).collect();
    assert!(different.is_empty(), "source and target differ: {different:#?}");
    assert_eq!(source.lines().count(), target.lines().count());
    source.lines().count()
}

/// Our Nexus on a disk, as its own user.
fn ours(spire: &Spire, directory: &Path) -> (Program, SocketAddr) {
    let home = directory.join("ours");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(NEXUS), Some(NEXUS)).unwrap();
    let config = directory.join("nexus.yaml");
    let text = format!(
        "identity: {{socket: \"unix://{}\"}}
nexus:
  listen: \"127.0.0.1:0\"
  store: {{dir: {}}}
  trust_roots: {{nexus: example.org, pilot: example.org}}
  # The official SDK opens a connection for each call, and leaves it open.
  limits: {{connections: 100000, connections_per_peer: 100000}}
",
        spire.socket().display(),
        home.display()
    );
    std::fs::write(&config, text).unwrap();
    let program = official::copied(&workspace::built("spike-nexus").unwrap(), directory).unwrap();
    let mut command = Spire::run_as(NEXUS, &program);
    command.arg("--config").arg(&config);
    let mut program = Program::start("our-nexus", command, directory).unwrap();
    let line = program.wait_for_line("ready:").unwrap();
    let address = line.split("nexus=").nth(1).unwrap().split(' ').next().unwrap();
    (program, address.parse().unwrap())
}

fn said(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{error}", output.status);
    text
}

#[test]
fn a_thousand_policies_and_five_thousand_secrets_read_the_same_afterwards() {
    let amount = Amount {
        policies: 1_000,
        secrets: 5_000,
    };
    let mut field = Move::new(OfficialStore::Memory, amount);
    field.go("load", field.source.address(), (&[], &[]));

    // A rehearsal finds everything new and leaves nothing behind.
    let report = field.migrate(&["--dry-run"]);
    assert_eq!(
        (&report["policies"]["created"], &report["secrets"]["created"]),
        (&1_000.into(), &5_000.into())
    );
    let report = field.migrate(&[]);
    assert_eq!(report["complete"], true, "{report:#}");
    assert_eq!(
        (&report["policies"]["created"], &report["secrets"]["created"]),
        (&1_000.into(), &5_000.into())
    );
    let deleted: usize = report["deletedVersions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| secret["versions"].as_array().unwrap().len())
        .sum();
    let gone = report["withoutVersions"].as_array().unwrap().len();
    // As `gomigrate load` deletes: every version of each fiftieth, and the only one of some others.
    let each = |i: &usize, step| i.is_multiple_of(step);
    let all_deleted = |i: &usize| each(i, 50) || (each(i, 4) && (each(i, 7) || each(i, 13)));
    assert_eq!(gone, (0..5_000).filter(all_deleted).count());
    let with_data = usize::try_from(report["versions"].as_u64().unwrap()).unwrap();
    assert!(
        with_data > 11_000 && deleted > 700,
        "{with_data} with data, {deleted} deleted"
    );
    assert_eq!(
        report["warnings"].as_array().unwrap().len(),
        200,
        "each fifth policy is not anchored"
    );
    assert_eq!(report["unknownTimes"], serde_json::json!([]));

    let reads = field.assert_same_reads(&[]);
    assert!(reads > 27_000, "{reads} reads");
    let answers = field.assert_same_answers(&[]);
    assert!(answers > 45_000, "{answers} answers");

    // Once more: there is nothing left to do.
    let report = field.migrate(&[]);
    assert_eq!(
        (&report["policies"]["identical"], &report["secrets"]["identical"]),
        (&1_000.into(), &5_000.into())
    );
    assert!(field.target.stop().unwrap().success());
    field.source.stop().unwrap();
}

#[test]
fn a_store_on_sqlite_with_keepers_moves_too() {
    let amount = Amount {
        policies: 60,
        secrets: 160,
    };
    let field = Move::new(OfficialStore::Sqlite, amount);
    let from = field.source.address();
    field.go("load", from, (&[], &[]));
    // Two policies that SPIKE takes and we do not, each for a reason.
    let program = official::on_path("spike-official-spike", &field.directory).unwrap();
    for (name, who, what) in [
        ("leading slash", r"^spiffe://example\.org/x$", "^/e/a$"),
        ("glob", "^spiffe://example.org/workload/*$", "^e/a$"),
    ] {
        let mut command = official::client(&field.spire, PILOT, &program, from);
        command
            .args(["policy", "create", "--name", name, "--spiffeid-pattern", who])
            .args(["--path-pattern", what, "--permissions", "read"])
            .current_dir(&field.directory);
        let text = said(command);
        assert!(text.contains("Policy created successfully."), "{text}");
    }
    let program = official::copied(&workspace::built("spike").unwrap(), &field.directory).unwrap();
    let (source, target) = (format!("https://{from}"), format!("https://{}", field.to));
    let mut command = official::client(&field.spire, PILOT, &program, field.to);
    command
        .args(["migrate", "--from", &source, "--to", &target, "--format", "json"])
        .current_dir(&field.directory);
    let output = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(65), "{report:#}");
    assert_eq!(
        (&report["policies"]["created"], &report["secrets"]["created"]),
        (&60.into(), &160.into())
    );
    let refused = report["policies"]["refused"].as_array().unwrap();
    let told: Vec<_> = refused
        .iter()
        .map(|policy| (policy["name"].as_str().unwrap(), policy["reasons"][0].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 2, "{report:#}");
    assert_eq!(told[0].0, "glob");
    assert!(told[0].1.contains("Use regex syntax: "), "{told:?}");
    assert_eq!(told[1].0, "leading slash");
    assert!(told[1].1.contains("remove leading slash"), "{told:?}");

    // What such a source shows at random cannot be compared: the versions in its metadata.
    let variables = [("GOMIGRATE_UNNUMBERED", "1")];
    for name in ["leading slash", "glob"] {
        let program = official::copied(&workspace::built("spike").unwrap(), &field.directory).unwrap();
        let mut command = official::client(&field.spire, PILOT, &program, from);
        command
            .args(["policy", "delete", name, "--yes"])
            .current_dir(&field.directory);
        said(command);
    }
    let reads = field.assert_same_reads(&variables);
    assert!(reads > 700, "{reads} reads");
    let answers = field.assert_same_answers(&variables);
    assert!(answers > 600, "{answers} answers");
    // Which deleted versions such a source shows is chance, so a second run may learn of one more; nothing else changes.
    let report = field.migrate(&[]);
    assert_eq!(
        (&report["complete"], &report["policies"]["identical"]),
        (&true.into(), &60.into()),
        "{report:#}"
    );
    let count = |word: &str| report["secrets"][word].as_u64().unwrap();
    assert_eq!(count("identical") + count("updated"), 160, "{report:#}");
    field.assert_same_reads(&variables);
}

#[test]
fn whoever_is_not_pilot_moves_nothing() {
    let amount = Amount {
        policies: 1,
        secrets: 1,
    };
    let field = Move::new(OfficialStore::Memory, amount);
    field.go("load", field.source.address(), (&[], &[]));
    let program = official::copied(&workspace::built("spike").unwrap(), &field.directory).unwrap();
    let (from, to) = (
        format!("https://{}", field.source.address()),
        format!("https://{}", field.to),
    );
    for (from, to) in [(&from, &to), (&to, &from)] {
        let mut command = official::client(&field.spire, WEB, &program, field.to);
        command
            .args(["migrate", "--from", from, "--to", to])
            .current_dir(&field.directory);
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(77), "{error}");
        assert!(
            error.contains("the source, ") && error.contains("access denied"),
            "{error}"
        );
    }
    // An official Nexus is no target.
    field.migrate(&[]);
    let mut command = official::client(&field.spire, PILOT, &program, field.to);
    command
        .args(["migrate", "--from", &to, "--to", &from])
        .current_dir(&field.directory);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{error}");
    assert!(error.contains("an official SPIKE Nexus cannot be a target"), "{error}");
}
