//! A Nexus in memory, its trust domain, and clients that say exactly what they are told to.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spike_identity::authority::TestAuthority;
use spike_identity::{Expect, Identity, PeerStream};
use spike_nexus::{Config, Context, Journal, Nexus, Policies};
use spike_policy::{Roles, TrustRoots};
use spike_runtime::Readiness;
use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// When most tests take place: 2023-11-14T22:13:20Z. Certificates are younger, which shows only when a bundle changes
/// while a connection is open: such a test takes place now.
pub(crate) const START: u64 = 1_700_000_000;

pub(crate) const SECRETS: &str = "/v1/store/secrets";
pub(crate) const METADATA: &str = "/v1/store/secrets/metadata?action=get";
pub(crate) const POLICY: &str = "/v1/acl/policy";

/// Who asks, by a short name.
pub(crate) fn path_of(who: &str) -> &str {
    match who {
        "pilot" => "/spike/pilot/role/superuser",
        "ada" => "/spike/pilot/ada",
        "recover" => "/spike/pilot/role/recover",
        "lite" => "/spike/workload/role/lite/1",
        "authz" => "/spike/ext-authz/1",
        "keeper" => "/spike/keeper",
        "nexus" => "/spike/nexus/2",
        workload => workload,
    }
}

pub(crate) struct World {
    pub(crate) authority: Arc<TestAuthority>,
    pub(crate) address: SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) registry: Registry,
    pub(crate) policies: Policies,
    pub(crate) identity: Identity,
    identities: Mutex<BTreeMap<String, Identity>>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), spike_nexus::RunError>>>,
}

pub(crate) fn roles() -> Roles {
    let roots = || TrustRoots::parse("example.org").unwrap();
    Roles {
        pilot: roots(),
        lite_workload: roots(),
        nexus: roots(),
        keeper: roots(),
        bootstrap: roots(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, &FakeClock::at_unix(START))
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config), clock: &FakeClock) -> Self {
        Self::of(&Arc::new(TestAuthority::new("example.org").unwrap()), change, clock)
    }

    /// In a trust domain that is there already.
    pub(crate) fn of(authority: &Arc<TestAuthority>, change: impl FnOnce(&mut Config), clock: &FakeClock) -> Self {
        Self::open(authority, (change, Journal::off()), clock)
    }

    /// One whose calls are recorded.
    pub(crate) fn open(
        authority: &Arc<TestAuthority>,
        (change, journal): (impl FnOnce(&mut Config), Journal),
        clock: &FakeClock,
    ) -> Self {
        let identity = authority.identity("/spike/nexus").unwrap();
        let mut config = Config::in_memory(roles());
        change(&mut config);
        let (readiness, startup) = Readiness::new();
        let registry = Registry::new("test", "0");
        let context = Context {
            clock: clock.shared(),
            registry: registry.clone(),
            readiness: readiness.clone(),
            audit: journal,
        };
        let nexus = Nexus::open(config, identity.clone(), context).unwrap();
        drop(startup);
        let (address, policies) = (nexus.address(), nexus.policies());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(nexus.run(async move { drop(stopped.await) }));
        Self {
            authority: Arc::clone(authority),
            address,

            readiness,
            registry,
            policies,
            identity,
            identities: Mutex::default(),
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// Stops the Nexus as a signal would, and says how it ended.
    pub(crate) async fn stop(&mut self) -> Result<(), spike_nexus::RunError> {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap()
    }

    pub(crate) fn identity_of(&self, who: &str) -> Identity {
        let mut identities = self.identities.lock().unwrap();
        let make = || self.authority.identity(path_of(who)).unwrap();
        identities.entry(who.to_owned()).or_insert_with(make).clone()
    }

    pub(crate) async fn connect(&self, who: &str) -> Connection {
        self.connect_as(&self.identity_of(who)).await.unwrap()
    }

    pub(crate) async fn connect_as(&self, identity: &Identity) -> Result<Connection, String> {
        let tcp = TcpStream::connect(self.address).await.map_err(|e| e.to_string())?;
        tcp.set_nodelay(true).unwrap();
        let expect = Expect::Nexus(TrustRoots::parse("example.org").unwrap());
        let tls = identity.connector(expect).with_alpn(&[b"http/1.1"]);
        let (stream, _) = tls.connect(tcp).await.map_err(|e| e.to_string())?;
        Ok(Connection {
            stream,
            read: Vec::new(),
        })
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, who: &str, head: &str, body: &[u8]) -> Answer {
        let mut connection = self.connect(who).await;
        connection
            .write(&format!("{head} HTTP/1.1"), "Connection: close\r\n", body)
            .await;
        connection.answer().await.expect("an answer")
    }

    pub(crate) async fn post(&self, who: &str, target: &str, body: &str) -> Answer {
        self.send(who, &format!("POST {target}"), body.as_bytes()).await
    }

    /// Sends each row and compares status and body; gives the number of rows.
    pub(crate) async fn check(&self, rows: &[Row<'_>]) -> usize {
        for Row(who, target, body, status, answer) in rows {
            let got = self.post(who, target, body).await;
            assert_eq!(
                (got.status, got.text().as_str()),
                (*status, *answer),
                "{who} asks {target} with {body}"
            );
            got.assert_usual_headers();
        }
        rows.len()
    }

    /// A policy that gives `permissions` on `path` to workloads at `who`.
    pub(crate) async fn grant(&self, name: &str, who: &str, path: &str, permissions: &str) {
        let body = policy(name, &format!("^spiffe://example\\.org{who}$"), path, permissions);
        let answer = self.post("pilot", POLICY, &body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "granting {name}");
    }
}

/// Who asks, for what, with which body; the status and the exact body of the answer (UUIDs read `<id>`).
pub(crate) struct Row<'a>(
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) u16,
    pub(crate) &'a str,
);

/// The body of a policy put. `permissions` is a comma list.
pub(crate) fn policy(name: &str, who: &str, path: &str, permissions: &str) -> String {
    let permissions: Vec<&str> = permissions.split(',').collect();
    serde_json::json!({"name": name, "spiffeidPattern": who, "pathPattern": path, "permissions": permissions})
        .to_string()
}

pub(crate) struct Connection {
    stream: PeerStream<TcpStream>,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn write(&mut self, head: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("{head}\r\nHost: nexus\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.write_raw(&[head.as_bytes(), body].concat()).await;
    }

    pub(crate) async fn write_raw(&mut self, bytes: &[u8]) {
        // A server that has closed already is seen when reading.
        drop(self.stream.write_all(bytes).await);
        drop(self.stream.flush().await);
    }

    /// Whether the server has closed this connection; waits for it to do something.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !self.more().await
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 16 << 10];
        let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut buffer));
        match read.await.expect("the server does something within 20 s") {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }

    /// The head of the next answer; `None` when the server closed instead.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let pair = |line: &str| {
            line.split_once(": ")
                .map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()))
        };
        Some(Answer {
            status,
            headers: lines.filter_map(pair).collect(),
            body: Vec::new(),
        })
    }

    /// The next answer with its whole body; `None` when the server closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head().await?;
        let length: usize = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "the answer broke off");
        }
        answer.body = self.read.drain(..length).collect();
        Some(answer)
    }

    /// Everything that comes until the server closes.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.more().await {}
        self.read
    }

    /// The next line of a chunked body, without its end; `None` when the stream is over.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            // Our lines come one or more to a chunk and are never split; sizes and blanks are skipped.
            while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                if line.starts_with('{') {
                    return Some(line);
                }
                if line == "0" {
                    return None;
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body with every UUID replaced by `<id>`.
    pub(crate) fn text(&self) -> String {
        let body = String::from_utf8(self.body.clone()).unwrap();
        let mut text = String::new();
        let mut rest = body.as_str();
        while let Some(first) = rest.chars().next() {
            let is_id = |id: &str| id.len() == 36 && id.parse::<spike_policy::PolicyId>().is_ok();
            if rest.get(..36).is_some_and(is_id) {
                text.push_str("<id>");
                rest = &rest[36..];
            } else {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        text
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn assert_usual_headers(&self) {
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-store, no-cache, must-revalidate, private"),
            ("pragma", "no-cache"),
            ("expires", "0"),
        ] {
            assert_eq!(self.header(name), Some(value), "{name}");
        }
        assert_eq!(self.header("x-spike-request-id").map(str::len), Some(32));
        assert_eq!(self.header("x-spike-outcome"), None);
    }
}

impl Connection {
    /// One request without a body, on this connection only.
    pub(crate) async fn one(mut self, head: &str) -> Answer {
        self.write_raw(format!("{head} HTTP/1.1\r\nHost: nexus\r\nConnection: close\r\n\r\n").as_bytes())
            .await;
        self.head().await.expect("an answer")
    }
}
