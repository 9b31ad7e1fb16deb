//! Envoy's Secret Discovery Service, as a SPIRE agent serves it on the Workload API socket.
//!
//! **Owns** the conversation: names, versions, nonces, ACK and NACK. **Refuses** other resource types, and identities
//! that the caller does not hold. **Invariant**: a content that a proxy has rejected, or has already, is not sent again
//! on the same stream unless other names are asked for.

mod secrets;

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryService;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use spike_runtime::CancellationToken;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::caller::{Caller, Door};
use crate::roster::{Roster, Snapshot};
use crate::text;
use secrets::{Resources, TYPE_URL, Validator, build};

/// The service behind one door.
#[derive(Clone, Debug)]
pub(crate) struct Sds {
    pub(crate) roster: Arc<Roster>,
    pub(crate) door: Door,
    pub(crate) stop: CancellationToken,
}

#[tonic::async_trait]
impl SecretDiscoveryService for Sds {
    type StreamSecretsStream = BoxStream<'static, Result<DiscoveryResponse, Status>>;
    type DeltaSecretsStream = BoxStream<'static, Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_secrets(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        let caller = Caller::of(request.extensions());
        Ok(Response::new(self.converse(caller, request.into_inner())))
    }

    async fn fetch_secrets(&self, request: Request<DiscoveryRequest>) -> Result<Response<DiscoveryResponse>, Status> {
        let caller = Caller::of(request.extensions());
        let request = request.into_inner();
        require_type(&request, false)?;
        let snapshot = Arc::clone(&self.roster.follow().borrow());
        let validator = Validator::for_node(request.node.as_ref());
        let resources = build(
            &snapshot,
            &snapshot.of(&self.door, &caller),
            &names(&request),
            validator,
        )?;
        Ok(Response::new(response(resources, String::new())))
    }

    async fn delta_secrets(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        Err(Status::unimplemented(
            "use StreamSecrets (api_type: GRPC), as with a SPIRE agent",
        ))
    }
}

impl Sds {
    fn converse(
        &self,
        caller: Caller,
        requests: impl Stream<Item = Result<DiscoveryRequest, Status>> + Send + Unpin + 'static,
    ) -> BoxStream<'static, Result<DiscoveryResponse, Status>> {
        let snapshots = self.roster.follow();
        let subscription = Subscription {
            door: self.door.clone(),
            caller,
            snapshots,
            asked: None,
            sent: None,
        };
        let state = Some((subscription, requests, self.stop.clone()));
        stream::unfold(state, |state| async {
            let (mut subscription, mut requests, stop) = state?;
            match stop.run_until_cancelled(subscription.next(&mut requests)).await {
                Some(Ok(Some(response))) => Some((Ok(response), Some((subscription, requests, stop)))),
                Some(Ok(None)) => None,
                Some(Err(status)) => Some((Err(status), None)),
                None => Some((Err(Status::unavailable("the agent is stopping")), None)),
            }
        })
        .boxed()
    }
}

/// One stream: what was asked for, and what was sent last.
struct Subscription {
    door: Door,
    caller: Caller,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asked: Option<Asked>,
    sent: Option<Sent>,
}

#[derive(Clone)]
struct Asked {
    names: BTreeSet<String>,
    validator: Validator,
}

struct Sent {
    version: String,
    nonce: String,
}

impl Subscription {
    /// The next response; `None` when the proxy has gone.
    async fn next(
        &mut self,
        requests: &mut (impl Stream<Item = Result<DiscoveryRequest, Status>> + Unpin),
    ) -> Result<Option<DiscoveryResponse>, Status> {
        loop {
            let answer = tokio::select! {
                changed = self.snapshots.changed() => {
                    changed.map_err(|_| Status::unavailable("the agent is stopping"))?;
                    self.changed()?
                }
                request = requests.next() => match request {
                    None => return Ok(None),
                    Some(request) => self.requested(&request?)?,
                },
            };
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }

    /// After a change of the roster: what was asked for, if its content changed.
    fn changed(&mut self) -> Result<Option<DiscoveryResponse>, Status> {
        let Some(resources) = self.resources()? else {
            return Ok(None);
        };
        if self.sent.as_ref().is_some_and(|sent| sent.version == resources.version) {
            return Ok(None);
        }
        self.send(resources).map(Some)
    }

    fn requested(&mut self, request: &DiscoveryRequest) -> Result<Option<DiscoveryResponse>, Status> {
        require_type(request, self.asked.is_some())?;
        let names = names(request);
        let first = self.asked.is_none();
        // Envoy may send its node only once; it holds for the whole stream.
        let known = self.asked.as_ref().map(|asked| asked.validator);
        let validator = known.unwrap_or_else(|| Validator::for_node(request.node.as_ref()));
        let same_names = self.asked.as_ref().is_some_and(|asked| asked.names == names);
        let stale = self
            .sent
            .as_ref()
            .is_some_and(|sent| sent.nonce != request.response_nonce);
        if let (Some(error), false) = (&request.error_detail, stale) {
            let reason: String = error.message.chars().take(200).collect();
            tracing::warn!(names = ?names, error = %reason, "a proxy rejected its secrets");
        }
        if !first && same_names {
            return Ok(None);
        }
        self.asked = Some(Asked { names, validator });
        match self.resources()? {
            Some(resources) => self.send(resources).map(Some),
            None => Ok(None),
        }
    }

    fn resources(&mut self) -> Result<Option<Resources>, Status> {
        let Some(asked) = self.asked.clone() else {
            return Ok(None);
        };
        let snapshot = self.snapshots.borrow_and_update();
        build(
            &snapshot,
            &snapshot.of(&self.door, &self.caller),
            &asked.names,
            asked.validator,
        )
        .map(Some)
    }

    fn send(&mut self, resources: Resources) -> Result<DiscoveryResponse, Status> {
        let mut bytes = [0_u8; 8];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Status::internal("no randomness"))?;
        let nonce = text::hex(&bytes);
        self.sent = Some(Sent {
            version: resources.version.clone(),
            nonce: nonce.clone(),
        });
        Ok(response(resources, nonce))
    }
}

fn require_type(request: &DiscoveryRequest, may_be_empty: bool) -> Result<(), Status> {
    if request.type_url == TYPE_URL || may_be_empty && request.type_url.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_argument(format!("the type_url must be {TYPE_URL}")))
}

fn names(request: &DiscoveryRequest) -> BTreeSet<String> {
    request
        .resource_names
        .iter()
        .filter(|name| !name.is_empty())
        .cloned()
        .collect()
}

fn response(resources: Resources, nonce: String) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: resources.version,
        resources: resources.resources,
        type_url: TYPE_URL.to_owned(),
        nonce,
        ..DiscoveryResponse::default()
    }
}
