//! One request to both servers, and what differs.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use spike_integration::{Answer, Caller};

use crate::differences::{Both, Differences};
use crate::field::Field;
use crate::{normal, send};

/// A request of a script. Its body may depend on what the same server answered before.
#[derive(Clone)]
pub(crate) struct Step {
    name: String,
    who: &'static str,
    way: Way,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Http1,
    Http2,
    /// The body is the whole request, head and all.
    Bytes,
}

#[derive(Clone)]
enum Body {
    Given(Vec<u8>),
    Of(Arc<dyn Fn(Past<'_>) -> Vec<u8> + Send + Sync>),
}

type Answers = BTreeMap<String, Answer>;

/// What both have answered so far, by the name of the request.
#[derive(Debug, Default)]
pub(crate) struct Pasts {
    official: Answers,
    ours: Answers,
}

/// The same as one of the two servers sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past<'a> {
    own: &'a Answers,
    official: &'a Answers,
}

impl Past<'_> {
    /// The body of this server's answer.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.own[name].body
    }

    /// The body of this server's answer, which must be JSON.
    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(self.bytes(name)).unwrap_or_default()
    }

    /// The body of the official server's answer, which must be JSON.
    pub(crate) fn official(&self, name: &str) -> Value {
        serde_json::from_slice(&self.official[name].body).unwrap_or_default()
    }
}

impl Step {
    /// What an SDK sends: a POST with JSON, by the operator.
    pub(crate) fn post(name: impl Into<String>, target: impl Into<String>, body: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.into(),
            who: "pilot",
            way: Way::Http1,
            method: "POST",
            target: target.into(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: Body::Given(body.as_ref().to_vec()),
        }
    }

    /// A request of which every byte is given.
    pub(crate) fn bytes(name: impl Into<String>, request: impl AsRef<[u8]>) -> Self {
        Self {
            way: Way::Bytes,
            ..Self::post(name, "", request)
        }
    }

    /// By somebody else.
    pub(crate) fn by(self, who: &'static str) -> Self {
        Self { who, ..self }
    }

    /// With another method.
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// Over HTTP/2.
    pub(crate) fn h2(self) -> Self {
        Self {
            way: Way::Http2,
            ..self
        }
    }

    /// With these headers instead of the content type.
    pub(crate) fn headers(self, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        Self { headers, ..self }
    }

    /// As raw bytes instead of JSON.
    pub(crate) fn octets(self) -> Self {
        self.headers(&[("content-type", "application/octet-stream")])
    }

    /// With a body made of earlier answers.
    pub(crate) fn with(self, body: impl Fn(Past<'_>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self {
            body: Body::Of(Arc::new(body)),
            ..self
        }
    }

    async fn send(&self, caller: &Caller, to: SocketAddr, past: Past<'_>) -> Result<Answer> {
        let body = match &self.body {
            Body::Given(bytes) => bytes.clone(),
            Body::Of(make) => make(past),
        };
        let head = send::Head {
            method: self.method,
            target: &self.target,
            headers: &self.headers,
        };
        match self.way {
            Way::Http1 => send::http1(caller, to, &head.with_body(&body)).await,
            Way::Http2 => send::http2(caller, to, &head, &body).await,
            Way::Bytes => send::http1(caller, to, &body).await,
        }
    }
}

/// Sends every request to both, in this order, and tells the list what differs. Returns how many there were.
pub(crate) async fn compare(
    field: &Field,
    steps: &[Step],
    (pasts, differences): (&mut Pasts, &mut Differences),
) -> Result<usize> {
    for (at, step) in steps.iter().enumerate() {
        let before = steps[..at].iter().find(|before| before.name == step.name);
        ensure!(
            before.is_none() && !pasts.ours.contains_key(&step.name),
            "two requests named {}",
            step.name
        );
    }
    for step in steps {
        let caller = field.caller(step.who);
        let past = |own| Past {
            own,
            official: &pasts.official,
        };
        let (official, ours) = tokio::join!(
            step.send(caller, field.official.address(), past(&pasts.official)),
            step.send(caller, field.ours.address(), past(&pasts.ours))
        );
        let official = official.with_context(|| format!("{} to the official Nexus", step.name))?;
        let ours = ours.with_context(|| format!("{} to ours", step.name))?;
        differences.compare(
            &step.name,
            Both {
                official: normal::aspects(&official),
                ours: normal::aspects(&ours),
            },
        );
        pasts.official.insert(step.name.clone(), official);
        pasts.ours.insert(step.name.clone(), ours);
    }
    Ok(steps.len())
}
