//! The SPIFFE Workload API.
//!
//! **Owns** its five methods and what each answers. **Refuses** a call without the `workload.spiffe.io: true` header,
//! which a browser or a confused proxy would not send, and a caller that has no identity. **Invariant**: a stream sends
//! a message only when it differs from the one before.

mod messages;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use prost_types::{Struct, Value, value::Kind};
use spike_runtime::CancellationToken;
use tokio::sync::watch;
use tonic::{Extensions, Request, Response, Status};

use crate::caller::{Caller, Door};
use crate::jwt;
use crate::roster::{Holder, Roster, Snapshot};
use messages::{
    JwtBundlesRequest, JwtBundlesResponse, JwtSvid, JwtSvidRequest, JwtSvidResponse, ValidateJwtSvidRequest,
    ValidateJwtSvidResponse, X509BundlesRequest, X509BundlesResponse, X509Svid,
};

pub(crate) use messages::{X509SvidRequest, X509SvidResponse};
pub(crate) use service::{FETCH_X509_SVID, HEADER};

type Pushed<M> = BoxStream<'static, Result<M, Status>>;

/// The service behind one door.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadApi {
    pub(crate) roster: Arc<Roster>,
    pub(crate) door: Door,
    pub(crate) stop: CancellationToken,
}

impl WorkloadApi {
    fn fetch_x509_svid(
        &self,
        request: &Request<X509SvidRequest>,
    ) -> Result<Response<Pushed<X509SvidResponse>>, Status> {
        self.push(request.extensions(), |snapshot, holders| X509SvidResponse {
            svids: holders.iter().map(|holder| x509_svid(snapshot, holder)).collect(),
            crl: Vec::new(),
            federated_bundles: foreign(snapshot, holders),
        })
    }

    fn fetch_x509_bundles(
        &self,
        request: &Request<X509BundlesRequest>,
    ) -> Result<Response<Pushed<X509BundlesResponse>>, Status> {
        self.push(request.extensions(), |snapshot, _| {
            let bundles = snapshot
                .bundles
                .iter()
                .map(|(name, bundle)| (format!("spiffe://{name}"), bundle.der()));
            X509BundlesResponse {
                crl: Vec::new(),
                bundles: bundles.collect(),
            }
        })
    }

    fn fetch_jwt_svid(&self, request: Request<JwtSvidRequest>) -> Result<Response<JwtSvidResponse>, Status> {
        let caller = Caller::of(request.extensions());
        let JwtSvidRequest { audience, spiffe_id } = request.into_inner();
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        let snapshot = Arc::clone(&self.roster.follow().borrow());
        let mut svids = Vec::new();
        for holder in entitled(&snapshot, &self.door, &caller)? {
            let id = &holder.entry.spiffe_id;
            if spiffe_id.is_empty() || spiffe_id == id.as_str() {
                let svid = self
                    .roster
                    .sign_jwt(id, &audience)
                    .map_err(|error| Status::internal(error.to_string()))?;
                svids.push(JwtSvid {
                    spiffe_id: id.to_string(),
                    svid,
                    hint: holder.entry.hint.clone(),
                });
            }
        }
        if svids.is_empty() {
            return Err(Status::permission_denied(
                "the workload does not hold the requested identity",
            ));
        }
        Ok(Response::new(JwtSvidResponse { svids }))
    }

    fn fetch_jwt_bundles(
        &self,
        request: &Request<JwtBundlesRequest>,
    ) -> Result<Response<Pushed<JwtBundlesResponse>>, Status> {
        self.push(request.extensions(), |snapshot, _| {
            let document = |bundle: &crate::domain::Bundle| bundle.key_set().into_bytes();
            let bundles = snapshot
                .bundles
                .iter()
                .map(|(name, bundle)| (format!("spiffe://{name}"), document(bundle)));
            JwtBundlesResponse {
                bundles: bundles.collect(),
            }
        })
    }

    fn validate_jwt_svid(
        &self,
        request: Request<ValidateJwtSvidRequest>,
    ) -> Result<Response<ValidateJwtSvidResponse>, Status> {
        let caller = Caller::of(request.extensions());
        let ValidateJwtSvidRequest { audience, svid } = request.into_inner();
        if audience.is_empty() || svid.is_empty() {
            return Err(Status::invalid_argument("audience and svid must be specified"));
        }
        let snapshot = Arc::clone(&self.roster.follow().borrow());
        entitled(&snapshot, &self.door, &caller)?;
        let keys = |domain: &str| snapshot.bundle(domain).map_or(&[][..], |bundle| bundle.jwt.as_slice());
        let (id, claims) = jwt::validate(&svid, &audience, self.roster.clock().now(), keys)
            .map_err(|error| Status::invalid_argument(format!("the JWT-SVID is not valid: {error}")))?;
        let claims = Some(structure(claims));
        Ok(Response::new(ValidateJwtSvidResponse {
            spiffe_id: id.to_string(),
            claims,
        }))
    }

    /// A stream that begins with the present state and goes on with every change of it.
    fn push<M: Clone + PartialEq + Send + 'static>(
        &self,
        extensions: &Extensions,
        build: fn(&Snapshot, &[&Holder]) -> M,
    ) -> Result<Response<Pushed<M>>, Status> {
        let caller = Caller::of(extensions);
        let mut snapshots = self.roster.follow();
        let first = {
            let snapshot = snapshots.borrow_and_update();
            build(&snapshot, &entitled(&snapshot, &self.door, &caller)?)
        };
        let following = Following {
            snapshots,
            caller,
            door: self.door.clone(),
            last: first.clone(),
            build,
        };
        let rest = stream::unfold(Some((following, self.stop.clone())), |state| async {
            let (mut following, stop) = state?;
            match stop.run_until_cancelled(following.next()).await {
                Some(Ok(message)) => Some((Ok(message), Some((following, stop)))),
                Some(Err(status)) => Some((Err(status), None)),
                None => Some((Err(Status::unavailable("the agent is stopping")), None)),
            }
        });
        Ok(Response::new(stream::once(async { Ok(first) }).chain(rest).boxed()))
    }
}

struct Following<M> {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    caller: Caller,
    door: Door,
    last: M,
    build: fn(&Snapshot, &[&Holder]) -> M,
}

impl<M: Clone + PartialEq> Following<M> {
    async fn next(&mut self) -> Result<M, Status> {
        loop {
            self.snapshots
                .changed()
                .await
                .map_err(|_| Status::unavailable("the agent is stopping"))?;
            let snapshot = self.snapshots.borrow_and_update();
            let message = (self.build)(&snapshot, &entitled(&snapshot, &self.door, &self.caller)?);
            if message != self.last {
                self.last = message.clone();
                return Ok(message);
            }
        }
    }
}

/// The identities of a caller; none is a refusal, with SPIRE's words.
fn entitled<'s>(snapshot: &'s Snapshot, door: &Door, caller: &Caller) -> Result<Vec<&'s Holder>, Status> {
    let holders = snapshot.of(door, caller);
    if holders.is_empty() {
        Err(Status::permission_denied("no identity issued"))
    } else {
        Ok(holders)
    }
}

fn x509_svid(snapshot: &Snapshot, holder: &Holder) -> X509Svid {
    let id = &holder.entry.spiffe_id;
    X509Svid {
        spiffe_id: id.to_string(),
        chain: holder
            .svid
            .chain
            .iter()
            .flat_map(|certificate| certificate.iter().copied())
            .collect(),
        key: holder.svid.key.to_vec(),
        bundle: snapshot
            .bundle(id.trust_domain())
            .map(crate::domain::Bundle::der)
            .unwrap_or_default(),
        hint: holder.entry.hint.clone(),
    }
}

/// The bundles of the trust domains that a workload is not part of.
fn foreign(snapshot: &Snapshot, holders: &[&Holder]) -> BTreeMap<String, Vec<u8>> {
    let own = |name: &str| {
        holders
            .iter()
            .any(|holder| holder.entry.spiffe_id.trust_domain() == name)
    };
    let foreign = snapshot.bundles.iter().filter(|(name, _)| !own(name.as_str()));
    foreign
        .map(|(name, bundle)| (format!("spiffe://{name}"), bundle.der()))
        .collect()
}

fn structure(object: serde_json::Map<String, serde_json::Value>) -> Struct {
    Struct {
        fields: object
            .into_iter()
            .map(|(key, value)| (key, structured(value)))
            .collect(),
    }
}

fn structured(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(items) => Kind::ListValue(prost_types::ListValue {
            values: items.into_iter().map(structured).collect(),
        }),
        serde_json::Value::Object(object) => Kind::StructValue(structure(object)),
    };
    Value { kind: Some(kind) }
}
