//! The Workload API: where our identity comes from.
//!
//! **Owns** the wait for the first SVID, with words for whoever has to repair what is missing, and the feed that keeps
//! the material fresh afterwards.
//! **Refuses** to give up while there is time: agents start late, entries take seconds to arrive. Only an address that
//! cannot be one is an error at once.
//! **Invariant**: what the agent takes away is gone with the next handshake; what it merely cannot deliver (it is down,
//! or talks nonsense) leaves the last material in force until that expires.

use crate::bundle::Bundles;
use crate::material::{InvalidMaterial, Material, SvidMaterial};
use crate::source::Identity;
use spiffe::transport::{Endpoint, EndpointError};
use spiffe::x509_source::{X509Source, X509SourceState, X509SourceUpdates};
use spiffe::{WorkloadApiClient, WorkloadApiError, X509Context};
use std::error::Error as StdError;
use std::io;
use std::iter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where a SPIRE agent listens unless told otherwise.
pub const DEFAULT_ENDPOINT: &str = "unix:///tmp/spire-agent/public/api.sock";

/// An agent that accepts the connection and then says nothing is given this long per attempt.
const ATTEMPT: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// While the cause stays the same it is logged again after this many attempts, about half a minute.
const LOG_AGAIN_AFTER: u32 = 30;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not the address of a Workload API.
    #[error("`{endpoint}` is not a Workload API address: {why}; expected unix:///path/to/api.sock")]
    Address {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        why: EndpointError,
    },
    /// The wait was over before there was an SVID.
    #[error("no identity from the SPIFFE Workload API at `{endpoint}` within {}s: {cause}", waited.as_secs_f32())]
    Unavailable {
        /// Where it was asked for.
        endpoint: String,
        /// How long was waited.
        waited: Duration,
        /// What stood in the way when the wait ended.
        cause: NoIdentity,
    },
}

/// What stands in the way of an identity, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// There is no such socket.
    #[error("the socket does not exist; is the SPIRE agent running, and is SPIFFE_ENDPOINT_SOCKET right?")]
    NoSocket,
    /// The socket is there, but nobody listens.
    #[error("nobody listens on the socket; is the SPIRE agent running?")]
    NobodyListens,
    /// The socket may not be opened.
    #[error("this user may not open the socket; check its mode and owner, and those of its directories")]
    SocketForbidden,
    /// The agent does not know this process.
    #[error("the agent issues no identity to this process; is there a registration entry whose selectors match it?")]
    NotRegistered,
    /// The agent refuses for another reason.
    #[error("the agent denies it: {0}")]
    Denied(String),
    /// The agent does not answer.
    #[error("the agent accepts connections but does not answer")]
    Silent,
    /// The agent answered with something unusable.
    #[error("{0}")]
    Unusable(#[from] InvalidMaterial),
    /// Anything else, in the library's words.
    #[error("{0}")]
    Other(String),
}

/// Whether a text is the address of a Workload API, such as `unix:///path/to/api.sock`. Nothing is connected.
///
/// # Errors
/// What is wrong with it.
pub fn check_endpoint(text: &str) -> Result<(), EndpointError> {
    Endpoint::parse(text).map(drop)
}

/// What the agent has said so far, and where it will say more.
struct Feed {
    first: Material,
    source: X509Source,
    updates: X509SourceUpdates,
}

/// Waits for the first SVID and starts to follow what comes after it.
pub(crate) async fn connect(endpoint: Option<&str>, wait: Option<Duration>) -> Result<Identity, SourceError> {
    let text = endpoint.unwrap_or(DEFAULT_ENDPOINT);
    let parsed = Endpoint::parse(text).map_err(|why| SourceError::Address {
        endpoint: text.to_owned(),
        why,
    })?;
    let cause = watch::Sender::new(NoIdentity::Silent);
    let opening = open_feed(text, &parsed, &cause);
    let Feed { first, source, updates } = match wait {
        None => opening.await,
        Some(waited) => tokio::time::timeout(waited, opening)
            .await
            .map_err(|_| SourceError::Unavailable {
                endpoint: text.to_owned(),
                waited,
                cause: cause.borrow().clone(),
            })?,
    };
    tracing::info!(spiffe_id = %first.own.id, endpoint = text, "identity received");
    let material = watch::Sender::new(Arc::new(first));
    let following = tokio::spawn(follow(source, updates, material.clone()));
    Ok(Identity::with_feed(material, Some(following.abort_handle())))
}

/// Asks until there is an SVID. What stands in the way meanwhile is left in `last` for whoever gives up waiting.
async fn open_feed(text: &str, endpoint: &Endpoint, last: &watch::Sender<NoIdentity>) -> Feed {
    let (mut pause, mut repeated) = (SHORTEST_PAUSE, None::<u32>);
    loop {
        let cause = match tokio::time::timeout(ATTEMPT, attempt(text, endpoint)).await {
            Ok(Ok(feed)) => return feed,
            Ok(Err(cause)) => cause,
            Err(_) => NoIdentity::Silent,
        };
        // The first one is news, even if it is what is told while nothing is known.
        let same = *last.borrow() == cause;
        let times = repeated.filter(|_| same).map_or(0, |times| times.saturating_add(1));
        repeated = Some(times);
        if times.is_multiple_of(LOG_AGAIN_AFTER) {
            tracing::warn!(endpoint = text, "waiting for an identity: {cause}");
        }
        last.send_replace(cause);
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Asks once, for an answer with a reason in it: the source below would retry without saying why.
async fn attempt(text: &str, endpoint: &Endpoint) -> Result<Feed, NoIdentity> {
    let client = WorkloadApiClient::connect(endpoint.clone())
        .await
        .map_err(|error| explain(&error))?;
    let context = client.fetch_x509_context().await.map_err(|error| explain(&error))?;
    svid_of(&context)?;
    let source = X509Source::builder()
        .endpoint(text)
        .reconnect_backoff(SHORTEST_PAUSE, LONGEST_PAUSE)
        .initial_sync_timeout(ATTEMPT)
        .build()
        .await
        .map_err(|error| NoIdentity::Other(error.to_string()))?;
    // Followed first and read afterwards, so that no change falls between the two.
    let updates = source.updated();
    let context = source
        .state()
        .context()
        .map_err(|error| NoIdentity::Other(error.to_string()))?;
    let first = Material::first(&svid_of(&context)?, bundles_of(&context));
    Ok(Feed { first, source, updates })
}

/// Puts everything that the agent says into the material, until the identity is dropped.
async fn follow(source: X509Source, mut updates: X509SourceUpdates, material: watch::Sender<Arc<Material>>) {
    while updates.changed().await.is_ok() {
        let state = source.state();
        material.send_modify(|current| *current = Arc::new(after(current, &state)));
    }
    tracing::error!("the feed of the Workload API ended; the identity is no longer refreshed");
}

fn after(current: &Material, state: &X509SourceState) -> Material {
    let context = match state.context() {
        Ok(context) => context,
        Err(error) => {
            tracing::error!("the agent withdrew our identity: {error}");
            return current.withdrawn(&error.to_string());
        }
    };
    let svid = svid_of(&context);
    match &svid {
        Ok(svid) => tracing::info!(spiffe_id = %svid.spiffe_id(), "identity or bundles changed"),
        Err(fault) => tracing::error!("the agent sent an SVID that cannot be used, the last one stays: {fault}"),
    }
    current.next(svid.as_ref().ok(), bundles_of(&context))
}

/// The default SVID: the first of those that the agent sent.
fn svid_of(context: &X509Context) -> Result<SvidMaterial, InvalidMaterial> {
    let svid = context.default_svid().ok_or(crate::Refusal::NoCertificate)?;
    let chain = svid
        .cert_chain()
        .iter()
        .map(|certificate| certificate.as_bytes().to_vec())
        .collect();
    SvidMaterial::new(chain, svid.private_key().as_bytes())
}

/// Every bundle; what cannot be used is left out, which can only make us believe fewer peers.
fn bundles_of(context: &X509Context) -> Bundles {
    let mut bundles = Bundles::default();
    for (domain, bundle) in context.bundle_set().iter() {
        let Ok(domain) = domain.to_string().parse() else {
            tracing::warn!("a bundle was left out: its trust domain `{domain}` has no valid name");
            continue;
        };
        bundles.know(&domain);
        for authority in bundle.authorities() {
            if let Err(fault) = bundles.add(&domain, authority.as_bytes()) {
                tracing::warn!("an authority was left out: {fault}");
            }
        }
    }
    bundles
}

fn explain(error: &WorkloadApiError) -> NoIdentity {
    match error {
        WorkloadApiError::NoIdentityIssued | WorkloadApiError::EmptyResponse => NoIdentity::NotRegistered,
        WorkloadApiError::PermissionDenied(message) => NoIdentity::Denied(message.clone()),
        other => match io_kind(other) {
            Some(io::ErrorKind::NotFound) => NoIdentity::NoSocket,
            Some(io::ErrorKind::ConnectionRefused) => NoIdentity::NobodyListens,
            Some(io::ErrorKind::PermissionDenied) => NoIdentity::SocketForbidden,
            Some(_) | None => NoIdentity::Other(other.to_string()),
        },
    }
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    iter::successors(Some(error), |cause| (*cause).source())
        .find_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}
