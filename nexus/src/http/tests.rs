#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use spike_identity::Expect;
use spike_identity::authority::TestAuthority;
use spike_policy::{DenyReason, TrustRoots};
use spike_runtime::metrics::Registry;
use spike_runtime::{CancellationToken, SystemClock};
use spike_wire::ErrorBody;
use tokio::net::TcpListener;

use super::answer::Answer;
use super::error::PolicyWritten;
use super::*;
use crate::service::{Refused, Rules};
use crate::store::{Store, Unavailable, WriteError};

#[tokio::test]
async fn every_refusal_has_one_status_one_code_and_tells_only_what_can_be_corrected() {
    let bad = r#"{"err":"api_bad_request","detail":["why"]}"#;
    let internal = r#"{"err":"api_internal_error"}"#;
    let not_ready = r#"{"err":"state_not_ready"}"#;
    let mut tried = 0;
    for (refused, status, body, outcome) in [
        (Refused::Unreadable("why".to_owned()), 400, bad, None),
        (Refused::Invalid(vec!["why".to_owned()]), 400, bad, None),
        (Refused::NoRoute, 400, r#"{"err":"api_bad_request"}"#, None),
        (
            Refused::Denied(DenyReason::PathUnmatched),
            401,
            r#"{"err":"access_unauthorized"}"#,
            None,
        ),
        (Refused::NotFound, 404, r#"{"err":"api_not_found"}"#, None),
        (Refused::NotReady("why"), 503, not_ready, None),
        (Refused::Internal("why"), 500, internal, None),
        (Refused::OutcomeUnknown, 500, internal, Some("unknown")),
        (WriteError::OutcomeUnknown.into(), 500, internal, Some("unknown")),
        (WriteError::Busy.into(), 503, not_ready, None),
        (
            WriteError::Unavailable(Unavailable::Recovering).into(),
            503,
            not_ready,
            None,
        ),
        (WriteError::Damaged.into(), 500, internal, None),
    ] {
        let answer = Answer::refusal::<PolicyWritten>(refused.clone());
        let header = answer
            .response
            .headers()
            .get("x-spike-outcome")
            .map(|value| value.to_str().unwrap());
        assert_eq!(
            (answer.response.status().as_u16(), header),
            (status, outcome),
            "{refused:?}"
        );
        let text = answer.response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, body, "{refused:?}");
        tried += 1;
    }
    assert_eq!(tried, 12);
    // Where official clients expect one field, there is one field.
    let answer = Answer::refusal::<ErrorBody>(Refused::Invalid(vec!["why".to_owned()]));
    let text = answer.response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, r#"{"err":"api_bad_request"}"#);
}

#[tokio::test]
async fn without_a_store_every_route_and_no_route_is_not_ready_but_the_rest_is_as_ever() {
    let authority = TestAuthority::new("example.org").unwrap();
    let identity = authority.identity("/spike/nexus").unwrap();
    let store = Store::open_in_memory(NonZeroU32::MIN).unwrap();
    let registry = Registry::new("test", "0");
    let service = Service::new(store.clone(), Rules::default(), SystemClock::shared());
    let api = Api {
        service,
        limits: Limits::default(),
        metrics: Metrics::new(&registry),
        audit: spike_audit::Journal::off(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(
        Server::new(listener, &identity, api)
            .unwrap()
            .run(stop.clone(), Duration::from_secs(5)),
    );
    store.close().await.unwrap();

    let expect = Expect::Nexus(TrustRoots::parse("example.org").unwrap());
    let tls = authority.identity("/web").unwrap().connector(expect).https();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(tls);
    let not_ready = r#"{"err":"state_not_ready"}"#;
    let no_route = r#"{"err":"api_bad_request"}"#;
    for (method, path, status, body) in [
        ("POST", "/v1/store/secrets?action=get", 503, not_ready),
        ("POST", "/v1/acl/policy?action=watch", 503, not_ready),
        ("POST", "/nowhere", 503, not_ready),
        ("GET", "/v1/secrets/a", 503, not_ready),
        ("GET", "/v1/store/secrets", 400, no_route),
        ("PUT", "/nowhere", 400, no_route),
        ("POST", "/v1//store", 307, ""),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{address}{path}"));
        let answer = client.request(request.body(Full::from("{}")).unwrap()).await.unwrap();
        let found = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((found, &text[..]), (status, body.as_bytes()), "{method} {path}");
    }
    drop(client);
    stop.cancel();
    serving.await.unwrap();
}
