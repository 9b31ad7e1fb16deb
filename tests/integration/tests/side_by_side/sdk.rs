//! Every public call of the official Go SDK that a Nexus answers, with each error that its documentation names.
//! (`Contribute` talks to a Keeper; the official Bootstrap makes that call when a field with SQLite is started.)
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use spike_integration::{Spire, official};

use crate::differences::{Both, Differences};
use crate::normal;
use crate::transcript::run;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    user: u32,
    words: Vec<String>,
    variable: Option<(&'static str, &'static str)>,
}

impl Call {
    fn name(&self) -> String {
        let user = self.user;
        let environment = self
            .variable
            .map_or(String::new(), |(name, value)| format!(" {name}={value}"));
        format!("{user}{environment}: {}", self.words.join(" "))
    }
}

/// A Go workload, pointed at an agent and a Nexus.
#[derive(Debug)]
pub(crate) struct Workload {
    variables: Vec<(&'static str, String)>,
    program: PathBuf,
    directory: PathBuf,
}

impl Workload {
    /// `agent` is the Workload API's socket.
    pub(crate) fn new(directory: &Path, spire: &Spire, (agent, server): (&Path, SocketAddr)) -> Result<Self> {
        let mut variables = official::environment(spire);
        variables.retain(|(name, _)| *name != "SPIFFE_ENDPOINT_SOCKET");
        variables.push(("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", agent.display())));
        variables.push(("SPIKE_NEXUS_API_URL", format!("https://{server}")));
        variables.push(("SPIKE_SYSTEM_LOG_LEVEL", "ERROR".to_owned()));
        Ok(Self {
            variables,
            program: official::copied(&crate::field::go_program("gosdk")?, directory)?,
            directory: directory.to_owned(),
        })
    }

    /// What each call gives. Calls of one user after another are made by one process.
    fn outcomes(&self, calls: &[Call]) -> Result<Vec<String>> {
        let mut outcomes = Vec::new();
        for group in calls.chunk_by(|one, next| one.user == next.user && one.variable == next.variable) {
            let mut command = Spire::run_as(group[0].user, &self.program);
            command
                .arg("script")
                .envs(self.variables.iter().map(|(name, value)| (name, value)))
                .envs(group[0].variable)
                .env("HOME", &self.directory)
                .current_dir(&self.directory);
            let input: Vec<String> = group.iter().map(|call| json!(call.words).to_string()).collect();
            let output = run(command, input.join("\n").as_bytes())?;
            let lines: Vec<String> = String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect();
            ensure!(
                lines.len() == group.len(),
                "{} answers to {} calls, the first of them {}:\n{lines:?}\n{}",
                lines.len(),
                group.len(),
                group[0].name(),
                String::from_utf8_lossy(&output.stderr)
            );
            outcomes.extend(lines);
        }
        Ok(outcomes)
    }
}

/// What the official server gives to each of the calls.
pub(crate) fn control(calls: &[Call], workload: &Workload) -> Result<Vec<String>> {
    workload.outcomes(calls).context("the official Nexus")
}

/// Makes the calls and tells the list what differs from the control. Returns how many there were.
pub(crate) fn compare(
    calls: &[Call],
    (control, workload): (&[String], &Workload),
    differences: &mut Differences,
) -> Result<usize> {
    let outcomes = workload.outcomes(calls).context("our Nexus")?;
    for (call, (official, ours)) in calls.iter().zip(control.iter().zip(outcomes)) {
        differences.compare(
            &call.name(),
            Both {
                official: normal::parts(normal::json(official)),
                ours: normal::parts(normal::json(&ours)),
            },
        );
    }
    Ok(calls.len())
}

/// The sentinels that the control must have shown, so that a comparison of nothing but successes cannot pass.
pub(crate) const SENTINELS: [&str; 7] = [
    "error access_unauthorized",
    "error api_bad_request",
    "error api_not_found",
    "error net_peer_connection",
    "error net_peer_connection also access_unauthorized",
    "error spiffe_nil_x509_source",
    "error state_not_ready",
];

fn call(user: u32, words: &[&str]) -> Call {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Call {
        user,
        words,
        variable: None,
    }
}

const SECRET: &str = "tenants/acme/db";
const WHO: &str = r"^spiffe://example\.org/workload/web$";

/// What can be called while the server is open. `proof` is a text sealed under the root key: nonce and ciphertext.
pub(crate) fn open(proof: (&str, &str)) -> Vec<Call> {
    [secrets(), policies(), ciphers(), clients(), keys(proof)].concat()
}

fn secrets() -> Vec<Call> {
    let pilot: &[&[&str]] = &[
        &["list-secrets"],
        &["put-secret", SECRET, "user=a", "password=one"],
        &["put-secret", SECRET, "user=a", "password=two"],
        &["put-secret", SECRET],
        &["get-secret", SECRET],
        &["put-secret", SECRET, "password=<four> & \"ä\""],
        &["put-secret", "bad path", "k=v"],
        &["put-secret", SECRET, "bad.key=v"],
        &["put-secret", "", "k=v"],
        &["get-secret", SECRET],
        &["get-secret", "tenants/acme/none"],
        &["get-secret", "bad path"],
        &["get-secret-version", SECRET, "1"],
        &["get-secret-version", SECRET, "0"],
        &["get-secret-version", SECRET, "9"],
        &["get-secret-version", SECRET, "-1"],
        &["list-secrets"],
        &["get-metadata", SECRET, "0"],
        &["get-metadata", SECRET, "2"],
        &["get-metadata", SECRET, "9"],
        &["get-metadata", "tenants/acme/none", "0"],
        &["delete-secret", SECRET],
        &["get-secret", SECRET],
        &["get-secret-version", SECRET, "4"],
        &["undelete-secret", SECRET, "4"],
        &["undelete-secret", SECRET, "4"],
        &["undelete-secret", SECRET, "9"],
        &["undelete-secret", "tenants/acme/none", "1"],
        &["delete-versions", SECRET, "1", "2"],
        &["get-secret-version", SECRET, "2"],
        &["undelete-secret", SECRET, "1", "2"],
        &["get-secret-version", SECRET, "2"],
        &["delete-versions", SECRET],
        &["delete-versions", SECRET, "0"],
        &["undelete-secret", SECRET, "3", "4"],
        &["delete-versions", SECRET, "9"],
        &["delete-versions", "tenants/acme/none", "1"],
        &["delete-secret", "tenants/acme/none"],
        &["delete-secret", "bad path"],
        &["delete-versions", SECRET, "1", "2", "3", "4"],
        &["get-secret", SECRET],
        &["get-metadata", SECRET, "0"],
        &["undelete-secret", SECRET],
        &["get-secret", SECRET],
    ];
    let web: &[&[&str]] = &[
        &["get-secret", SECRET],
        &["get-secret-version", SECRET, "1"],
        &["put-secret", SECRET, "k=v"],
        &["delete-secret", SECRET],
        &["delete-versions", SECRET, "1"],
        &["undelete-secret", SECRET, "1"],
        &["list-secrets"],
        &["get-metadata", SECRET, "0"],
    ];
    let all = pilot.iter().map(|words| call(official::PILOT, words));
    all.chain(web.iter().map(|words| call(official::WEB, words))).collect()
}

fn policies() -> Vec<Call> {
    let (pilot, web, batch) = (official::PILOT, official::WEB, official::BATCH);
    vec![
        call(pilot, &["list-policies"]),
        call(pilot, &["create-policy", "web-reads", WHO, "^tenants/acme/.*$", "read"]),
        call(
            pilot,
            &["create-policy", "web-reads", WHO, "^tenants/acme/.*$", "read,list"],
        ),
        call(
            pilot,
            &[
                "create-policy",
                "web-cipher",
                WHO,
                "^spike/system/cipher/exec$",
                "execute",
            ],
        ),
        call(pilot, &["create-policy", "bad", WHO, "(", "read"]),
        call(pilot, &["create-policy", "bad", "web", "^a$", "read"]),
        call(pilot, &["create-policy", "bad.name", WHO, "^a$", "read"]),
        call(pilot, &["create-policy", "bad", WHO, "^a$", "admin"]),
        call(pilot, &["create-policy", "bad", WHO, "^a$", ""]),
        call(pilot, &["get-policy", "web-reads"]),
        call(pilot, &["get-policy", "nobody"]),
        call(pilot, &["get-policy", ""]),
        call(pilot, &["list-policies"]),
        call(pilot, &["list-policies", "", "^tenants/acme/.*$"]),
        call(pilot, &["list-policies", WHO, ""]),
        call(pilot, &["list-policies", "", "^nobody$"]),
        call(web, &["get-secret", SECRET]),
        call(web, &["get-secret-version", SECRET, "1"]),
        call(web, &["get-metadata", SECRET, "0"]),
        call(web, &["put-secret", SECRET, "k=v"]),
        call(web, &["get-secret", "tenants/acme/none"]),
        call(web, &["get-secret", "tenants/other"]),
        call(web, &["create-policy", "own", WHO, "^.*$", "super"]),
        call(web, &["get-policy", "web-reads"]),
        call(web, &["delete-policy", "web-reads"]),
        call(web, &["list-policies"]),
        call(web, &["list-policies", WHO, ""]),
        call(batch, &["get-secret", SECRET]),
        call(pilot, &["delete-policy", "web-reads"]),
        call(pilot, &["delete-policy", "web-reads"]),
        call(pilot, &["delete-policy", ""]),
        call(web, &["get-secret", SECRET]),
    ]
}

fn ciphers() -> Vec<Call> {
    let mut all = Vec::new();
    let (zero, nonce) = ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA");
    for user in [official::PILOT, official::LITE, official::WEB, official::BATCH] {
        all.push(call(user, &["round-trip", "some text"]));
        all.push(call(user, &["encrypt", "some text"]));
        all.push(call(user, &["encrypt-stream", "some text"]));
        all.push(call(user, &["decrypt", "2", nonce, zero]));
        all.push(call(user, &["decrypt", "1", "AAAA", zero]));
        all.push(call(user, &["decrypt", "1", nonce, zero]));
        all.push(call(user, &["decrypt-stream", zero]));
        all.push(call(user, &["decrypt-stream", "AQ=="]));
    }
    all
}

/// Clients made in every way, and those that cannot work.
fn clients() -> Vec<Call> {
    let mut all: Vec<Call> = [
        "with-new",
        "with-own-source",
        "with-nil-source",
        "with-cancelled-context",
    ]
    .iter()
    .map(|name| call(official::PILOT, &[name, SECRET]))
    .collect();
    for variable in [
        ("SPIKE_NEXUS_API_URL", "https://127.0.0.1:1"),
        ("SPIKE_TRUST_ROOT_NEXUS", "other.org"),
        ("SPIKE_TRUST_ROOT_NEXUS", "other.org,example.org"),
    ] {
        for words in [
            &["get-secret", SECRET][..],
            &["list-policies"],
            &["encrypt-stream", "x"],
        ] {
            all.push(Call {
                variable: Some(variable),
                ..call(official::PILOT, words)
            });
        }
    }
    all
}

fn keys((nonce, sealed): (&str, &str)) -> Vec<Call> {
    let bootstrap = official::BOOTSTRAP;
    let restore = official::RESTORE;
    let (five, zero) = (json!(vec![5; 32]).to_string(), json!(vec![0; 32]).to_string());
    vec![
        call(bootstrap, &["verify", "proof", nonce, sealed]),
        call(bootstrap, &["verify", "proof", "AAAA", sealed]),
        call(bootstrap, &["get-secret", SECRET]),
        call(official::PILOT, &["verify", "proof", nonce, sealed]),
        call(official::RECOVER, &["recover"]),
        call(official::RECOVER, &["get-secret", SECRET]),
        call(restore, &["restore", "0", &five]),
        call(restore, &["restore", "1001", &five]),
        call(restore, &["restore", "1", &zero]),
    ]
}

/// What can be called when the root key is lost, until the shards bring it back.
pub(crate) fn sealed(shards: [&str; 3]) -> Vec<Call> {
    let (pilot, restore) = (official::PILOT, official::RESTORE);
    let nonce = "AAAAAAAAAAAAAAAA";
    vec![
        call(pilot, &["get-secret", SECRET]),
        call(pilot, &["get-secret-version", SECRET, "1"]),
        call(pilot, &["put-secret", SECRET, "k=v"]),
        call(pilot, &["delete-secret", SECRET]),
        call(pilot, &["delete-versions", SECRET, "1"]),
        call(pilot, &["undelete-secret", SECRET, "1"]),
        call(pilot, &["list-secrets"]),
        call(pilot, &["get-metadata", SECRET, "0"]),
        call(pilot, &["create-policy", "p", WHO, "^a$", "read"]),
        call(pilot, &["get-policy", "p"]),
        call(pilot, &["delete-policy", "p"]),
        call(pilot, &["list-policies"]),
        call(pilot, &["list-policies", WHO, ""]),
        call(pilot, &["encrypt", "x"]),
        call(pilot, &["encrypt-stream", "x"]),
        call(pilot, &["decrypt", "1", nonce, "AAAA"]),
        call(pilot, &["decrypt-stream", "AAAA"]),
        call(official::BOOTSTRAP, &["verify", "proof", nonce, "AAAA"]),
        call(official::RECOVER, &["recover"]),
        call(restore, &["restore", "1", shards[0]]),
        call(restore, &["restore", "1", shards[0]]),
        call(pilot, &["get-secret", SECRET]),
        call(restore, &["restore", "3", shards[2]]),
        call(restore, &["restore", "2", shards[1]]),
        call(pilot, &["get-secret", SECRET]),
        call(pilot, &["put-secret", SECRET, "k=after"]),
        call(pilot, &["get-secret", SECRET]),
        call(official::RECOVER, &["recover"]),
    ]
}
