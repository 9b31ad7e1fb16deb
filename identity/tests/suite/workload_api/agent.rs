//! An agent that says what it is told to: the Workload API's `FetchX509SVID`, byte by byte over HTTP/2.

use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use hyper::body::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the agent says to everybody who asks, now and when it changes.
#[derive(Clone)]
pub(crate) enum Answer {
    /// An encoded `X509SVIDResponse`.
    Svids(Vec<u8>),
    /// A gRPC status and its message.
    Refusal(u32, &'static str),
}

/// An agent on a socket of its own.
pub(crate) struct Agent {
    directory: TempDir,
    answer: watch::Sender<Answer>,
    asked: Arc<AtomicUsize>,
    running: JoinSet<()>,
}

impl Agent {
    pub(crate) fn start(answer: Answer) -> Self {
        let mut agent = Self {
            directory: tempfile::tempdir().unwrap(),
            answer: watch::Sender::new(answer),
            asked: Arc::default(),
            running: JoinSet::new(),
        };
        agent.restart();
        agent
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("api.sock")
    }

    pub(crate) fn say(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Gone, with every connection and its socket.
    pub(crate) async fn stop(&mut self) {
        self.running.shutdown().await;
        std::fs::remove_file(self.socket()).unwrap();
    }

    pub(crate) fn restart(&mut self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (answer, asked) = (self.answer.subscribe(), Arc::clone(&self.asked));
        self.running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(connection(stream, answer.clone(), Arc::clone(&asked)));
            }
        });
    }
}

async fn connection(stream: UnixStream, answer: watch::Receiver<Answer>, asked: Arc<AtomicUsize>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchX509SVID");
        assert_eq!(
            request.headers().get("workload.spiffe.io").map(HeaderValue::as_bytes),
            Some(b"true".as_slice())
        );
        asked.fetch_add(1, Ordering::SeqCst);
        streams.spawn(tell(respond, answer.clone()));
    }
}

async fn tell(mut respond: SendResponse<Bytes>, mut answer: watch::Receiver<Answer>) {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let mut body = respond.send_response(response, false).unwrap();
    loop {
        let now = answer.borrow_and_update().clone();
        match now {
            Answer::Svids(message) => {
                let mut frame = vec![0];
                frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                frame.extend(message);
                if body.send_data(frame.into(), false).is_err() {
                    return;
                }
            }
            Answer::Refusal(status, message) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from(status));
                trailers.insert("grpc-message", HeaderValue::from_static(message));
                // The caller may be gone; then nobody needs the trailers.
                body.send_trailers(trailers).ok();
                return;
            }
        }
        if answer.changed().await.is_err() {
            return;
        }
    }
}

/// One SVID of an answer.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) chain: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) bundle: &'a [u8],
}

/// An `X509SVIDResponse`: SVIDs in order, and the bundles of federated trust domains.
pub(crate) fn response(svids: &[Entry<'_>], federated: &[(&str, &[u8])]) -> Answer {
    let mut message = Vec::new();
    for svid in svids {
        let fields = [
            field(1, svid.id.as_bytes()),
            field(2, svid.chain),
            field(3, svid.key),
            field(4, svid.bundle),
        ];
        message.extend(field(1, &fields.concat()));
    }
    for (domain, bundle) in federated {
        message.extend(field(3, &[field(1, domain.as_bytes()), field(2, bundle)].concat()));
    }
    Answer::Svids(message)
}

/// A length-delimited protobuf field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(content);
    out
}
