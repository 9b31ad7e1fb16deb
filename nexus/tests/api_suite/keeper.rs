//! A SPIKE Keeper as small as it can be: one shard in memory, behind real mutual TLS.
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use spike_identity::{Accept, Identity, ServerOptions};
use spike_nexus::keeper::KeeperUrl;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a Keeper holds; `None` until somebody gives it something, and after a restart.
pub(crate) type Held = Option<[u8; 32]>;

pub(crate) struct TestKeeper {
    address: SocketAddr,
    identity: Identity,
    memory: Memory,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Memory {
    shard: watch::Sender<Held>,
    asked: Arc<AtomicUsize>,
    given: watch::Sender<usize>,
    refuses: Arc<AtomicBool>,
}

impl TestKeeper {
    /// An empty one that shows this identity.
    pub(crate) async fn start(identity: &Identity) -> Self {
        let memory = Memory {
            shard: watch::Sender::new(None),
            asked: Arc::default(),
            given: watch::Sender::new(0),
            refuses: Arc::default(),
        };
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), identity.clone(), memory).await
    }

    async fn start_at(address: SocketAddr, identity: Identity, memory: Memory) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let nexus = Accept::ids(|id| id.path().starts_with("/spike/nexus"));
        let acceptor = identity.acceptor(ServerOptions::new(&[b"h2", b"http/1.1"]).accept(nexus));
        let kept = memory.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, memory) = (acceptor.clone(), kept.clone());
                tokio::spawn(async move {
                    let Ok((stream, _)) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let answer = service_fn(move |request| answer(memory.clone(), request));
                    drop(
                        http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), answer)
                            .await,
                    );
                });
            }
        });
        Self {
            address,
            identity,
            memory,
            task,
        }
    }

    /// Restarts it: what it held is gone, its address stays.
    pub(crate) async fn restart(self) -> Self {
        self.task.abort();
        drop(self.task.await);
        self.memory.shard.send_replace(None);
        Self::start_at(self.address, self.identity, self.memory).await
    }

    /// Stops it; nobody answers at its address any more.
    pub(crate) async fn stop(self) {
        self.task.abort();
        drop(self.task.await);
    }

    /// Puts something into its memory, as SPIKE Bootstrap does.
    pub(crate) fn hold(&self, shard: [u8; 32]) {
        self.memory.shard.send_replace(Some(shard));
    }

    /// From now on it takes no shard.
    pub(crate) fn refuse(&self) {
        self.memory.refuses.store(true, Ordering::SeqCst);
    }

    pub(crate) fn held(&self) -> Held {
        *self.memory.shard.borrow()
    }

    /// Waits until it holds this.
    pub(crate) async fn holds(&self, shard: [u8; 32]) {
        let mut held = self.memory.shard.subscribe();
        drop(held.wait_for(|held| *held == Some(shard)).await.unwrap());
    }

    /// How often it was asked for its shard.
    pub(crate) fn asked(&self) -> usize {
        self.memory.asked.load(Ordering::SeqCst)
    }

    /// Waits until it has been given a shard that often.
    pub(crate) async fn given(&self, times: usize) {
        let mut given = self.memory.given.subscribe();
        drop(given.wait_for(|given| *given >= times).await.unwrap());
    }

    pub(crate) fn times_given(&self) -> usize {
        *self.memory.given.borrow()
    }

    pub(crate) fn url(&self) -> KeeperUrl {
        format!("https://{}", self.address).parse().unwrap()
    }
}

async fn answer(memory: Memory, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, body) = match path.as_str() {
        "/v1/store/shard" => {
            memory.asked.fetch_add(1, Ordering::SeqCst);
            assert_eq!(body.as_ref(), b"{}");
            match *memory.shard.borrow() {
                Some(shard) => (StatusCode::OK, serde_json::json!({"shard": shard, "Err": ""})),
                None => (
                    StatusCode::BAD_REQUEST,
                    serde_json::json!({"shard": null, "Err": "data_invalid_input"}),
                ),
            }
        }
        "/v1/store/contribute" if memory.refuses.load(Ordering::SeqCst) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            serde_json::json!({"err": "api_internal_error"}),
        ),
        "/v1/store/contribute" => {
            let given: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let shard: Vec<u8> = serde_json::from_value(given["shard"].clone()).unwrap();
            memory.shard.send_replace(Some(shard.try_into().unwrap()));
            memory.given.send_modify(|given| *given += 1);
            (StatusCode::OK, serde_json::json!({}))
        }
        other => panic!("a Keeper has no route {other}"),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    Ok(response)
}
