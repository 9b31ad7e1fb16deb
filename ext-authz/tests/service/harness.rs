//! A running service and its callers.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use spike_audit::{Journal, Program, Target, WhenFull, Writer};
use spike_ext_authz::check::{Authorizer, Rulebook};
use spike_ext_authz::config::{Config, Listen};
use spike_ext_authz::feed::{Source, Unavailable};
use spike_ext_authz::metrics::Metrics;
use spike_ext_authz::serve::{Door, Server};
use spike_ext_authz::snapshot::Views;
use spike_identity::Identity;
use spike_identity::authority::TestAuthority;
use spike_nexus::{Context, Nexus, Policies};
use spike_policy::{Generation, Policy, PolicyDocument, PolicyId, PolicySet, Roles, Rule, TrustRoots, UnixMillis};
use spike_runtime::config::{Endpoint, Environment, Layers};
use spike_runtime::metrics::Registry;
use spike_runtime::{CancellationToken, Readiness, SystemClock};
use spike_sdk::{Client, NexusUrl, Settings};
use tokio::net::UnixStream;
use tonic::transport::Channel;

/// Policies that a test changes.
#[derive(Debug)]
pub(crate) struct Memory {
    policies: ArcSwap<Result<Arc<PolicySet>, Unavailable>>,
    /// The next load panics.
    pub(crate) panics: AtomicBool,
}

impl Memory {
    pub(crate) fn new(policies: PolicySet) -> Arc<Self> {
        Arc::new(Self {
            policies: ArcSwap::from_pointee(Ok(Arc::new(policies))),
            panics: AtomicBool::new(false),
        })
    }

    pub(crate) fn set(&self, policies: Result<PolicySet, Unavailable>) {
        self.policies.store(Arc::new(policies.map(Arc::new)));
    }
}

impl Source for Memory {
    fn load(&self) -> Result<Arc<PolicySet>, Unavailable> {
        assert!(!self.panics.load(Ordering::SeqCst), "injected");
        Result::clone(&self.policies.load())
    }
}

/// `web` may read this path.
pub(crate) fn document(name: &str, path: &str) -> PolicyDocument {
    PolicyDocument {
        name: name.to_owned(),
        spiffeid_pattern: r"^spiffe://example\.org/web$".to_owned(),
        path_pattern: path.to_owned(),
        permissions: vec!["read".to_owned()],
    }
}

/// A Nexus with its API, everything in memory.
pub(crate) struct Node {
    pub(crate) port: u16,
    svids: HashMap<&'static str, Identity>,
}

impl Node {
    /// Starts one on a port, 0 for any.
    pub(crate) fn start(authority: &TestAuthority, port: u16, stop: &CancellationToken) -> (Policies, Self) {
        let roots = TrustRoots::parse("example.org").unwrap();
        let roles = Roles {
            nexus: roots.clone(),
            pilot: roots,
            ..Roles::default()
        };
        let (readiness, _startup) = Readiness::new();
        let context = Context {
            clock: SystemClock::shared(),
            registry: Registry::new("test", "0"),
            readiness,
            audit: spike_nexus::Journal::off(),
        };
        let mut config = spike_nexus::Config::in_memory(roles);
        config.listen.set_port(port);
        let nexus = Nexus::open(config, authority.identity("/spike/nexus").unwrap(), context).unwrap();
        let (policies, port) = (nexus.policies(), nexus.address().port());
        tokio::spawn(nexus.run(stop.clone().cancelled_owned()));
        (
            policies,
            Self {
                port,
                svids: svids(authority),
            },
        )
    }

    /// The same Nexus as identities of another authority see it.
    pub(crate) fn to_others(&self, authority: &TestAuthority) -> Self {
        Self {
            port: self.port,
            svids: svids(authority),
        }
    }

    pub(crate) fn url(&self) -> NexusUrl {
        format!("https://localhost:{}", self.port).parse().unwrap()
    }

    pub(crate) fn identity(&self, path: &str) -> Identity {
        self.svids[path].clone()
    }

    pub(crate) fn client(&self, path: &str) -> Client {
        let nexus_trust_roots = TrustRoots::parse("example.org").unwrap();
        let settings = Settings {
            nexus_url: self.url(),
            nexus_trust_roots,
            ..Settings::default()
        };
        Client::new(&settings, self.identity(path))
    }
}

fn svids(authority: &TestAuthority) -> HashMap<&'static str, Identity> {
    let paths = ["/spike/pilot/role/superuser", "/spike/ext-authz"];
    paths
        .into_iter()
        .map(|path| (path, authority.identity(path).unwrap()))
        .collect()
}

pub(crate) fn policy(name: &str, who: &str, path: &str, permissions: &[&str]) -> Policy {
    let document = PolicyDocument {
        name: name.to_owned(),
        spiffeid_pattern: who.to_owned(),
        path_pattern: path.to_owned(),
        permissions: permissions.iter().map(|word| (*word).to_owned()).collect(),
    };
    let mut id = [0; 16];
    for (at, byte) in name.bytes().enumerate() {
        id[at % 16] ^= byte;
    }
    Policy {
        id: PolicyId::from_random_bytes(id),
        rule: Rule::try_from(&document).unwrap(),
        created_at: UnixMillis(1),
        updated_at: UnixMillis(1),
    }
}

/// `web` reads and writes `orders/...` and executes what is `tcp/` or gRPC.
pub(crate) fn policies(generation: u64) -> PolicySet {
    let web = r"^spiffe://example\.org/web$";
    let all = [
        policy("web orders", web, "^orders/.*$", &["read", "write"]),
        policy("web connects", web, "^(tcp|shop\\.Cart)/.*$", &["execute"]),
        policy("web bang", web, "^bang!$", &["read"]),
    ];
    PolicySet::new(Generation(generation), all.into_iter().map(Arc::new))
}

/// What a test wants to be different.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// More lines below `check:`.
    pub(crate) check: &'static str,
    /// More top-level lines.
    pub(crate) more: &'static str,
    /// How long a drain may take.
    pub(crate) drain: Duration,
    /// Whether it listens on plain TCP as well.
    pub(crate) tcp: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            check: "",
            more: "",
            drain: Duration::from_secs(5),
            tcp: true,
        }
    }
}

/// A running service.
pub(crate) struct Service {
    pub(crate) uds: PathBuf,
    pub(crate) tcp: std::net::SocketAddr,
    pub(crate) mtls: std::net::SocketAddr,
    pub(crate) authority: TestAuthority,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    pub(crate) sink: spike_audit::Memory,
    pub(crate) journal: Journal,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    writer: Writer,
    directory: tempfile::TempDir,
}

/// Reads a configuration whose listeners are in `directory`.
fn config(directory: &Path, options: &Options) -> Config {
    let tcp = if options.tcp {
        "tcp: {address: '127.0.0.1:0'}"
    } else {
        ""
    };
    let text = format!(
        "check:
  trust_domains: [example.org]
  listen:
    uds: {{path: {}/check.sock}}
    {tcp}
    mtls: {{address: '127.0.0.1:0', allow: ['^spiffe://example\\.org/envoy/[a-z]+$']}}
{}
{}
",
        directory.display(),
        options.check,
        options.more
    );
    let layers = Layers::from_text("test.yaml", &text, Environment::from_pairs::<&str, &str>([]), &[]);
    let config = Config::read(&layers.root(), options.drain);
    layers.finish().unwrap();
    config
}

impl Service {
    pub(crate) fn start(source: Arc<dyn Source>) -> Self {
        Self::with(source, Options::default())
    }

    pub(crate) fn with(source: Arc<dyn Source>, options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &options);
        Self::of(source, config, directory)
    }

    /// A service with these listeners only.
    pub(crate) fn with_doors(source: Arc<dyn Source>, listen: Listen) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            listen,
            ..config(directory.path(), &Options::default())
        };
        Self::of(source, config, directory)
    }

    fn of(source: Arc<dyn Source>, config: Config, directory: tempfile::TempDir) -> Self {
        let authority = TestAuthority::new("example.org").unwrap();
        let identity = authority.identity("/spike/ext-authz").unwrap();
        let registry = Registry::new("test", "0");
        let metrics = Metrics::register(&registry);
        let sink = spike_audit::Memory::default();
        let program = Program {
            name: "test",
            version: "0",
        };
        let settings = spike_audit::Settings {
            // Tests ask faster than lines are written, and most of them want every line.
            queue: if config.audit.when_full == WhenFull::Drop {
                100_000
            } else {
                config.audit.queue
            },
            when_full: config.audit.when_full,
            ..spike_audit::Settings::to(Target::Memory(sink.clone()))
        };
        let (audit, writer) = Journal::open(&settings, program, SystemClock::shared(), &registry).unwrap();
        let writer = writer.unwrap();
        let journal = audit.clone();
        let pilot = TrustRoots::parse("example.org").unwrap();
        let roles = match config.pilot {
            spike_ext_authz::config::Pilot::Role => Roles {
                pilot,
                ..Roles::default()
            },
            spike_ext_authz::config::Pilot::Policy => Roles::default(),
        };
        let authorizer = Authorizer {
            source,
            views: Views::new(config.cache.ttl, config.cache.bound, metrics.view_lookups.clone()),
            rulebook: Rulebook {
                roles,
                ..config.rulebook
            },
            audit,
            metrics: Arc::clone(&metrics),
            clock: SystemClock::shared(),
        };
        let doors = Door::open_all(&config.listen, &identity).unwrap();
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let address = |name: &str| match doors.iter().find(|door| door.name() == name).map(Door::endpoint) {
            Some(Ok(Endpoint::Tcp(address))) => address,
            Some(Ok(Endpoint::Unix(_)) | Err(_)) | None => nowhere,
        };
        let (tcp, mtls) = (address("tcp"), address("mtls"));
        let (readiness, startup) = Readiness::new();
        let server = Server::new(Arc::new(authorizer), config.limits, readiness.clone());
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(doors, stop.clone()));
        drop(startup);
        let uds = directory.path().join("check.sock");
        Self {
            uds,
            tcp,
            mtls,
            authority,
            metrics,
            registry,
            readiness,
            sink,
            journal,
            stop,
            running,
            writer,
            directory,
        }
    }

    /// Begins the drain.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Drains, and gives the audit lines.
    pub(crate) async fn stop(self) -> Vec<serde_json::Value> {
        let journal = self.journal.clone();
        let text = self.stop_losing().await;
        assert_eq!(journal.dropped(), 0);
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["event"] == "check").collect()
    }

    /// Drains, and gives the audit as it is; lines may have been lost.
    pub(crate) async fn stop_losing(self) -> String {
        self.stop.cancel();
        self.running.await.unwrap();
        self.writer.finish();
        drop(self.directory);
        self.sink.text()
    }

    pub(crate) async fn over_uds(&self) -> AuthorizationClient<Channel> {
        AuthorizationClient::new(self.channel().await)
    }

    pub(crate) async fn channel(&self) -> Channel {
        let path = self.uds.clone();
        let connect = tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        Channel::from_static("http://envoy")
            .connect_with_connector(connect)
            .await
            .unwrap()
    }

    pub(crate) async fn over_tcp(&self) -> AuthorizationClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.tcp))
            .unwrap()
            .connect()
            .await
            .unwrap();
        AuthorizationClient::new(channel)
    }
}

/// A GET by `web`.
pub(crate) fn get(path: &str) -> CheckRequest {
    ask("spiffe://example.org/web", "GET", path)
}

pub(crate) fn ask(principal: &str, method: &str, path: &str) -> CheckRequest {
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        ..HttpRequest::default()
    };
    of(principal, Some(http))
}

pub(crate) fn of(principal: &str, http: Option<HttpRequest>) -> CheckRequest {
    let source = Peer {
        principal: principal.to_owned(),
        ..Peer::default()
    };
    let request = http.map(|http| Request {
        http: Some(http),
        ..Request::default()
    });
    let attributes = AttributeContext {
        source: Some(source),
        request,
        ..AttributeContext::default()
    };
    CheckRequest {
        attributes: Some(attributes),
    }
}

/// What Envoy makes of an answer: `Ok` lets the request through, `Err` is the denial's status; and the reason.
pub(crate) type Verdict = (Result<(), i32>, String);

pub(crate) fn verdict(response: &CheckResponse) -> Verdict {
    let fields = &response.dynamic_metadata.as_ref().expect("metadata").fields;
    let text = |key: &str| match fields[key].kind.clone().unwrap() {
        Kind::StringValue(text) => text,
        other => panic!("{other:?}"),
    };
    let allowed = match (
        response.status.as_ref().expect("a status").code,
        &response.http_response,
    ) {
        (0, Some(HttpResponse::OkResponse(_))) => Ok(()),
        (7, Some(HttpResponse::DeniedResponse(denied))) => Err(denied.status.as_ref().unwrap().code),
        (code, other) => panic!("neither an allow nor a denial: {code} {other:?}"),
    };
    assert_eq!(text("verdict"), if allowed.is_ok() { "allow" } else { "deny" });
    (allowed, text("reason"))
}

pub(crate) async fn check(client: &mut AuthorizationClient<Channel>, request: CheckRequest) -> Verdict {
    verdict(&client.check(request).await.expect("never a gRPC error").into_inner())
}

/// A caller that sends what it likes.
#[derive(Clone)]
pub(crate) struct Raw {
    send:
        hyper::client::conn::http2::SendRequest<http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>>,
}

/// An answer, byte for byte.
pub(crate) struct Answered {
    pub(crate) status: http::StatusCode,
    pub(crate) message: Bytes,
    pub(crate) grpc_status: Option<String>,
}

impl Answered {
    /// The verdict inside; there always is one.
    pub(crate) fn verdict(&self) -> Verdict {
        assert_eq!(
            (self.status, self.grpc_status.as_deref()),
            (http::StatusCode::OK, Some("0"))
        );
        let (prefix, message) = self.message.split_at(5);
        assert_eq!(prefix[0], 0);
        assert_eq!(
            u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize,
            message.len()
        );
        verdict(&CheckResponse::decode(message).unwrap())
    }
}

impl Raw {
    pub(crate) async fn connect(path: &Path) -> Self {
        Self::over(UnixStream::connect(path).await.unwrap()).await
    }

    pub(crate) async fn over(io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) -> Self {
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io));
        let (send, connection) = handshake.await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Self { send }
    }

    pub(crate) async fn call<B>(&mut self, headers: &[(&str, &str)], body: B) -> Result<Answered, hyper::Error>
    where
        B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Sync + 'static,
    {
        use http_body_util::BodyExt;
        let uri = "http://envoy/envoy.service.auth.v3.Authorization/Check";
        let mut request = http::Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send.ready().await?;
        let response = self.send.send_request(request.body(body.boxed()).unwrap()).await?;
        let status = response.status();
        let collected = response.into_body().collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let grpc_status = trailers
            .get("grpc-status")
            .map(|value| value.to_str().unwrap().to_owned());
        Ok(Answered {
            status,
            message: collected.to_bytes(),
            grpc_status,
        })
    }

    /// Sends these bytes as the message of a well-framed call.
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<Answered, hyper::Error> {
        self.call(&[], http_body_util::Full::new(framed(message))).await
    }
}

pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[0][..], &length, message].concat())
}
