//! One call to one Keeper: a connection of its own, because minutes lie between calls.
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use spike_identity::{ConnectError, HttpsConnector};
use spike_wire::go_json::{self, InvalidJson};
use tower::Service;
use zeroize::Zeroizing;

use super::peers::KeeperUrl;

/// The largest answer that is read; a shard takes about 150 bytes.
const MOST: usize = 64 << 10;

/// Why a Keeper did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeeperError {
    /// Nobody answers there.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Somebody else answers there. Nothing was sent.
    #[error("wrong identity: {0}; is trust_roots.keeper (SPIKE_TRUST_ROOT_KEEPER) right?")]
    WrongIdentity(String),
    /// It does not take us for a Nexus.
    #[error("it refuses us: {0}; does it know our trust domain as one of a Nexus?")]
    RefusesUs(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// It has no shard: it was restarted, or nobody gave it one yet.
    #[error("it holds no shard")]
    Empty,
    /// It holds what can be no share of any key.
    #[error("what it holds is no share of a root key")]
    NoShare,
    /// It answered, but not with what was asked for.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Its answer makes no sense. What it said is not repeated: it may be a shard.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl KeeperError {
    /// The low-cardinality word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::WrongIdentity(_) => "wrong_identity",
            Self::RefusesUs(_) => "refused",
            Self::Late(_) => "late",
            Self::Empty => "empty",
            Self::NoShare => "no_share",
            Self::Status(_) => "status",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Posts a body and gives the status and the body of the answer.
pub(super) async fn post(
    mut https: HttpsConnector,
    keeper: &KeeperUrl,
    path: &str,
    body: Zeroizing<Vec<u8>>,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), KeeperError> {
    let address = keeper
        .route(path)
        .map_err(|error| KeeperError::Unreachable(error.to_string()))?;
    let target = address.path().to_owned();
    let request = Request::post(target)
        .header(HOST, keeper.authority())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from_owner(body)))
        .map_err(|error| KeeperError::Unreachable(error.to_string()))?;
    let stream = https.call(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), MOST).collect().await;
        let read =
            read.map_err(|_| KeeperError::Unreadable(format!("it broke off, or is larger than {MOST} bytes")))?;
        Ok((status, Zeroizing::new(read.to_bytes().to_vec())))
    };
    // What ends the connection also ends the exchange, which says it better.
    let drive = async {
        drop(connection.await);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = drive => match never {},
    }
}

impl From<ConnectError> for KeeperError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::ServerRefused(refusal) => Self::WrongIdentity(refusal.to_string()),
            ConnectError::RefusedByServer(alert) => Self::RefusesUs(format!("alert {alert}")),
            ConnectError::Address(_)
            | ConnectError::Unreachable { .. }
            | ConnectError::Timeout(_)
            | ConnectError::NoIdentity(_)
            | ConnectError::Protocol(_)
            | ConnectError::Io(_) => Self::Unreachable(error.to_string()),
        }
    }
}

impl From<hyper::Error> for KeeperError {
    fn from(error: hyper::Error) -> Self {
        // With TLS 1.3 a server that refuses our certificate says so only after the handshake.
        match ConnectError::alert(&error) {
            Some(alert) => Self::RefusesUs(format!("alert {alert}")),
            None => Self::Unreachable(format!("the connection broke: {error}")),
        }
    }
}

impl From<InvalidJson> for KeeperError {
    fn from(error: InvalidJson) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// The text of a request.
pub(super) fn encode(request: &impl serde::Serialize) -> Result<Zeroizing<Vec<u8>>, KeeperError> {
    go_json::encode(request).map_err(|_| KeeperError::Unreadable("the request cannot be written".to_owned()))
}
