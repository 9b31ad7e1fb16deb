//! `docs/operations.md` against the programs: the tables in it are compared with the code and with what runs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use spike_integration::{Checker, Mesh, MeshOptions, client, workspace};
use spike_policy::DenyReason;
use spike_policy::request::Refusal;

const WEB: &str = "spiffe://example.org/workload/web";

fn read(file: &str) -> String {
    std::fs::read_to_string(workspace::root().join(file)).expect(file)
}

/// The rows of a table: the first cell's words in backticks, and the other cells. `heading` is of the section, or of a
/// page of its own.
fn table(heading: &str) -> Vec<(String, Vec<String>)> {
    let page = read("docs/operations.md") + "\n#" + &read("docs/reasons.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| -"));
    let cells = |row: &str| -> Vec<String> {
        let inner = row
            .trim_start_matches("| ")
            .trim_end_matches(" |")
            .trim_end_matches('|');
        inner.split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    rows.skip(1)
        .map(|row| {
            let cells = cells(row);
            (cells[0].clone(), cells[1..].to_vec())
        })
        .collect()
}

/// The one word in backticks that a cell begins with.
fn word(cell: &str) -> String {
    cell.split('`').nth(1).expect(cell).to_owned()
}

/// Who shows each metric, by its name.
fn metrics() -> BTreeMap<String, String> {
    let rows = table("Metrics");
    let count = rows.len();
    let metrics: BTreeMap<String, String> = rows
        .into_iter()
        .map(|(name, cells)| (word(&name), cells[0].clone()))
        .collect();
    assert_eq!(metrics.len(), count, "each metric once");
    metrics
}

#[test]
fn the_table_of_metrics_is_the_vocabulary() {
    let source = read("runtime/src/names.rs");
    let names: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.split_once(": &str = \"")?.1.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 20, "{names:?}");
    assert_eq!(metrics().into_keys().collect::<BTreeSet<_>>(), names);
}

/// `GET /metrics` on an admin socket: the names of the metrics that are described there.
fn shown(admin: &Path) -> BTreeSet<String> {
    let mut stream = UnixStream::connect(admin).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = client::parse(&answer).unwrap().text();
    let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    described
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            // OpenMetrics names a counter without the suffix that its samples have.
            let suffix = if kind == "counter" { "_total" } else { "" };
            format!("{name}{suffix}")
        })
        .collect()
}

/// This series begins with the first caller that is turned away.
const REFUSED: &str = "spike_check_connections_refused_total";

/// What is shown as soon as a caller without an SVID is counted.
fn shown_with_a_refusal(mesh: &Mesh) -> BTreeSet<String> {
    let mut stranger = TcpStream::connect(mesh.check_mtls_address().unwrap()).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let metrics = shown(&mesh.directory().join("admin.sock"));
        if metrics.contains(REFUSED) || Instant::now() > deadline {
            return metrics;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn of(roles: &[&str]) -> BTreeSet<String> {
    let metrics = metrics();
    let mine = metrics
        .iter()
        .filter(|(_, who)| who.split(' ').any(|who| roles.contains(&who)));
    mine.map(|(name, _)| name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_shown_by_whom_the_table_says() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let listed = mesh.spike().unwrap().run(&["policy", "list"]).unwrap();
    assert_eq!(listed.code, 0, "{}", listed.err);
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    assert!(!checker.check(WEB, "GET", "/7").await.unwrap().allowed);
    let mut expected = of(&["E", "N"]);
    assert!(expected.remove(REFUSED));
    assert_eq!(shown(&mesh.directory().join("admin.sock")), expected);

    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory().apart())
        .await
        .unwrap();
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    assert!(!checker.check(WEB, "GET", "/7").await.unwrap().allowed);
    assert_eq!(shown_with_a_refusal(&mesh), of(&["E", "R"]));
}

#[test]
fn the_table_of_reasons_is_the_closed_list() {
    let rows = table("Reasons of a denial");
    let documented: BTreeMap<String, u16> = rows
        .iter()
        .map(|(cell, cells)| {
            assert_eq!(cells.len(), 2, "{cell}: meaning and what to do: {cells:?}");
            let status = cell
                .split('(')
                .nth(1)
                .map_or(403, |rest| rest.trim_end_matches(')').parse().unwrap());
            (word(cell), status)
        })
        .collect();
    assert_eq!(documented.len(), rows.len(), "each reason once");
    let mut known: BTreeMap<String, u16> = BTreeMap::new();
    known.extend(DenyReason::ALL.iter().map(|reason| (reason.as_str().to_owned(), 403)));
    known.extend(Refusal::all().map(|refusal| (refusal.as_str().to_owned(), 403)));
    known.extend(service_faults());
    assert_eq!(documented, known);
    assert!(known.len() > 50, "{}", known.len());
}

/// The words of `ext-authz/src/reason.rs`, which is a program's own, with the status of each.
fn service_faults() -> BTreeMap<String, u16> {
    let source = read("ext-authz/src/reason.rs");
    let words: BTreeMap<&str, &str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .map(|(variant, rest)| (variant, rest.split('"').next().unwrap()))
        .collect();
    let all = source.split("pub const ALL: [Self; ").nth(1).unwrap();
    assert_eq!(words.len().to_string(), all.split(']').next().unwrap());
    let table = source.split("Self::Service(fault) => match fault {").nth(1).unwrap();
    let mut faults = BTreeMap::new();
    let mut waiting = Vec::new();
    for line in table.lines() {
        let variants = line.split("Fault::").skip(1);
        waiting.extend(variants.map(|rest| rest.split([' ', ',']).next().unwrap()));
        let Some((_, status)) = line.split_once("=> ") else {
            continue;
        };
        let status: u16 = status.trim_end_matches(',').parse().unwrap();
        faults.extend(waiting.drain(..).map(|variant| (words[variant].to_owned(), status)));
    }
    assert_eq!(faults.len(), words.len());
    faults
}

#[test]
fn the_exit_codes_are_those_of_the_programs() {
    let source = read("runtime/src/exit.rs");
    let codes: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "))
        .map(|(_, code)| code.trim_end_matches(','))
        .collect();
    assert_eq!(codes.len(), 7);
    let page = read("docs/operations.md");
    let servers: BTreeSet<String> = table("Start and stop").into_iter().map(|(code, _)| code).collect();
    // The servers never end with the two that the command line adds.
    let others: BTreeSet<&str> = codes.into_iter().filter(|code| !servers.contains(*code)).collect();
    assert_eq!(others, BTreeSet::from(["65", "77"]));
    assert!(page.contains("also ends with 65 (bad data) and 77 (denied)"));
    assert_eq!(servers.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_line_has_the_fields_that_are_listed() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory().apart())
        .await
        .unwrap();
    let file = workspace::root().join("config/policies/orders.yaml");
    let arguments = ["policy", "apply", "--file", &file.display().to_string()];
    assert_eq!(mesh.spike().unwrap().run(&arguments).unwrap().code, 0);
    let mut checker = Checker::connect(&mesh.check_socket()).await.unwrap();
    let mut asked = 0;
    // The policy comes over the feed; until it is there, the answers are denials.
    while !checker.check(WEB, "GET", "/services/orders/7").await.unwrap().allowed {
        asked += 1;
        assert!(asked < 10_000, "the policy does not arrive");
    }
    let page = read("docs/operations.md");
    let section = page.split("## Audit line of a Check\n").nth(1).unwrap();
    let section = section.split("Absent when unknown").next().unwrap();
    let listed: BTreeSet<&str> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !["check", "x-spike-decision-id"].contains(word))
        .collect();
    let line = mesh.decision(asked).unwrap();
    assert_eq!(line["verdict"], "allow", "{line}");
    let fields: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let absent: BTreeSet<&str> = listed.difference(&fields).copied().collect();
    assert!(fields.is_subset(&listed), "{fields:?}");
    // No request id was sent, and the caller is named on mTLS only.
    assert_eq!(absent, BTreeSet::from(["caller", "request_id"]));
}

/// What the page says one may look at is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_answers_as_described() {
    let mesh = Mesh::start(MeshOptions::without_envoy().in_memory()).await.unwrap();
    let admin = mesh.directory().join("admin.sock");
    for (path, expected) in [
        ("/live", "live\n"),
        ("/ready", "ready\n"),
        ("/version", "\"program\""),
        ("/config", "check.trust_domains"),
        ("/metrics", "spike_ready 1"),
    ] {
        let output = std::process::Command::new("curl")
            .args(["-fsS", "--unix-socket"])
            .arg(&admin)
            .arg(format!("http://admin{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(expected), "{path}: {text}");
    }
}

#[test]
fn each_page_is_short_enough_to_be_read_at_night() {
    for page in [
        "operations",
        "keys",
        "keepers",
        "backup",
        "audit",
        "reasons",
        "moving-in",
    ] {
        let lines = read(&format!("docs/{page}.md")).lines().count();
        assert!(lines <= 250, "{page}: {lines}");
    }
}
