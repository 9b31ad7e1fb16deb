//! A caller of Check: what Envoy asks, asked without Envoy, where a test needs thousands of decisions a second.
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use envoy_types::ext_authz::v3::pb::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::google::protobuf::value::Kind;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// A client of the Check service on a Unix socket.
#[derive(Clone, Debug)]
pub struct Checker {
    client: AuthorizationClient<Channel>,
}

/// The parts of an answer that tests look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Status code 0: Envoy lets the request through.
    pub allowed: bool,
    /// The reason, as it stands in the dynamic metadata.
    pub reason: String,
    /// The generation of the policies that decided, 0 when none did.
    pub generation: u64,
}

impl Checker {
    /// Connects to the socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let socket: PathBuf = socket.to_owned();
        let connector = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://ext-authz")
            .connect_with_connector(connector)
            .await?;
        Ok(Self {
            client: AuthorizationClient::new(channel),
        })
    }

    /// Asks about one HTTP request.
    ///
    /// # Errors
    /// When the call fails: our server answers everything, so that is a fault.
    pub async fn check(&mut self, principal: &str, method: &str, path: &str) -> Result<Decision> {
        let http = HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: HashMap::from([(":path".to_owned(), path.to_owned())]),
            ..HttpRequest::default()
        };
        let attributes = AttributeContext {
            source: Some(Peer {
                principal: principal.to_owned(),
                ..Peer::default()
            }),
            request: Some(Request {
                http: Some(http),
                ..Request::default()
            }),
            ..AttributeContext::default()
        };
        let answer = self
            .client
            .check(CheckRequest {
                attributes: Some(attributes),
            })
            .await?
            .into_inner();
        let fields = answer.dynamic_metadata.unwrap_or_default().fields;
        let text = |name: &str| match fields.get(name).and_then(|value| value.kind.as_ref()) {
            Some(Kind::StringValue(text)) => text.clone(),
            _ => String::new(),
        };
        let generation = match fields.get("generation").and_then(|value| value.kind.as_ref()) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small whole number"
            )]
            Some(Kind::NumberValue(number)) => *number as u64,
            _ => 0,
        };
        let status = answer.status.context("an answer without a status would allow")?;
        Ok(Decision {
            allowed: status.code == 0,
            reason: text("reason"),
            generation,
        })
    }
}
