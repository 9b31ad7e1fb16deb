//! The official SPIKE Nexus and ours under one real SPIRE, and reading a secret from them over raw HTTPS.
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use spike_identity::{Expect, HttpsConnector, Identity};
use spike_integration::official::{self, NEXUS};
use spike_integration::{Caller, Program, Spire, workspace};
use spike_policy::{PolicyDocument, TrustRoots};
use spike_sdk::{Client, Settings};

use crate::cpu;
use crate::workload::policy;

/// The path of the secret that is read.
const SECRET: &str = "tenants/acme/db/creds";
const VALUE: &str = "c0rrect-h0rse-battery";
/// Documents in one request of ours.
const BATCH: usize = 2_000;
/// Calls in flight.
const IN_FLIGHT: usize = 2;

/// Whether a call finds a connection open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// One connection serves many calls.
    Kept,
    /// A connection for each call, as the official Go SDK has it.
    Fresh,
}

/// What one round showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    /// Calls answered.
    pub calls: u64,
    /// How long it took, in seconds.
    pub elapsed: f64,
    /// CPU that the server used, in seconds.
    pub cpu: f64,
}

impl Round {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
    }

    /// Server CPU of a call in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a count of a few million")]
    pub fn each(&self) -> f64 {
        self.cpu * 1e6 / self.calls as f64
    }

    /// Calls a second.
    #[expect(clippy::cast_precision_loss, reason = "a count of a few million")]
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.elapsed
    }
}

/// The caller whose reads are measured, and the operator who prepares them.
#[derive(Clone, Debug)]
pub struct People {
    reader: Identity,
    operator: Identity,
}

impl People {
    /// Takes the SVIDs of these users from the agent.
    ///
    /// # Errors
    /// When the agent has none for one of them.
    pub fn of(spire: &Spire, reader: u32, operator: u32) -> Result<Self> {
        Ok(Self {
            reader: identity(spire, reader)?,
            operator: identity(spire, operator)?,
        })
    }

    /// Puts a secret, so many policies about others, and one that lets the reader read it.
    ///
    /// # Errors
    /// When Nexus refuses.
    pub async fn prepare(&self, nexus: SocketAddr, policies: usize, is_ours: bool) -> Result<()> {
        let settings = Settings {
            nexus_url: format!("https://{nexus}").parse()?,
            nexus_trust_roots: roots()?,
            ..Settings::default()
        };
        let client = Client::new(&settings, self.operator.clone());
        client.put_secret(SECRET, [("password", VALUE)]).await?;
        let mut documents: Vec<PolicyDocument> = (1..policies).map(policy).collect();
        documents.push(PolicyDocument {
            name: "web-reads".to_owned(),
            spiffeid_pattern: r"^spiffe://example\.org/workload/web$".to_owned(),
            path_pattern: "^tenants/acme/.*$".to_owned(),
            permissions: vec!["read".to_owned()],
        });
        if is_ours {
            for batch in documents.chunks(BATCH) {
                client.policies().apply(batch).await?;
            }
        } else {
            for document in &documents {
                client.policies().create(document).await?;
            }
        }
        Ok(())
    }

    /// Reads the secret again and again for this long and checks every answer.
    ///
    /// # Errors
    /// When one answer is wrong.
    pub async fn read(&self, server: &Server, connections: Connections, length: Duration) -> Result<Round> {
        let tls = self.reader.connector(Expect::Nexus(roots()?)).with_alpn(&[b"http/1.1"]);
        let kept = if connections == Connections::Kept { IN_FLIGHT } else { 0 };
        let client: Calls = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(kept)
            .build(tls.https());
        let client = Arc::new(client);
        let address = server.address;
        call(&client, address).await?;
        let (before, started) = (cpu::used(server.pid)?, Instant::now());
        let tasks = (0..IN_FLIGHT).map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let mut calls = 0;
                while started.elapsed() < length {
                    call(&client, address).await?;
                    calls += 1;
                }
                Ok::<u64, anyhow::Error>(calls)
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut calls = 0;
        for task in tasks {
            calls += task.await??;
        }
        let elapsed = started.elapsed().as_secs_f64();
        let cpu = cpu::used(server.pid)?.saturating_sub(before).as_secs_f64();
        Ok(Round { calls, elapsed, cpu })
    }
}

type Calls = legacy::Client<HttpsConnector, Full<Bytes>>;

async fn call(client: &Calls, address: SocketAddr) -> Result<()> {
    let body = format!(r#"{{"path":"{SECRET}"}}"#);
    let request = Request::post(format!("https://{address}/v1/store/secrets?action=get"))
        .header("content-type", "application/json")
        .body(Full::from(body))?;
    let answer = client.request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    ensure!(status == 200 && text.contains(VALUE), "{status}: {text}");
    Ok(())
}

/// A Nexus under test.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

/// Our `spike-nexus`, as the user of a Nexus, with its store on disk and its audit lines in a file.
///
/// # Errors
/// When it does not come up.
pub fn ours(spire: &Spire, directory: &Path, name: &str) -> Result<(Program, Server)> {
    let home = directory.join(name);
    std::fs::create_dir_all(&home)?;
    std::os::unix::fs::chown(&home, Some(NEXUS), Some(NEXUS))?;
    let mut config = String::new();
    writeln!(config, "identity: {{socket: \"unix://{}\"}}", spire.socket().display())?;
    writeln!(
        config,
        "nexus:\n  listen: \"127.0.0.1:0\"\n  store: {{dir: {}}}",
        home.display()
    )?;
    writeln!(config, "  limits: {{connections_per_peer: 1000}}")?;
    writeln!(config, "  trust_roots: {{nexus: example.org, pilot: example.org}}")?;
    let file = directory.join(format!("{name}.yaml"));
    std::fs::write(&file, config)?;
    let program = official::copied(&workspace::built("spike-nexus")?, directory)?;
    let mut command = Spire::run_as(NEXUS, &program);
    command.arg("--config").arg(&file).env("HOME", &home);
    let mut program = Program::start(name, command, directory)?;
    let line = program.wait_for_line("ready:")?;
    let address = line.split("nexus=").nth(1).and_then(|rest| rest.split(' ').next());
    let address = address.context("an address in the ready line")?.trim().parse()?;
    let pid = program.id();
    Ok((program, Server { address, pid }))
}

fn roots() -> Result<TrustRoots> {
    Ok(TrustRoots::parse("example.org")?)
}

/// The SVID of a user, through files, so that one process can call as several users.
fn identity(spire: &Spire, user: u32) -> Result<Identity> {
    let directory: PathBuf = spire.write_svid(user)?;
    for (from, to) in [
        ("svid.0.pem", "svid.pem"),
        ("svid.0.key", "key.pem"),
        ("bundle.0.pem", "bundle.pem"),
    ] {
        std::fs::copy(directory.join(from), directory.join(to))?;
    }
    Ok(Caller::from_files(&directory)?.identity().clone())
}
