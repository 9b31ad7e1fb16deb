//! Health, start, drain and the socket file.
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use spike_ext_authz::feed::Unavailable;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{Memory, Options, Raw, Service, check, framed, get, policies};

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn health(service: &Service, name: &str) -> Result<i32, tonic::Code> {
    let mut client = HealthClient::new(service.channel().await);
    let request = HealthCheckRequest {
        service: name.to_owned(),
    };
    client
        .check(request)
        .await
        .map(|answer| answer.into_inner().status)
        .map_err(|status| status.code())
}

async fn until(service: &Service, status: i32) {
    while health(service, "").await != Ok(status) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn health_follows_policies_and_readiness_for_both_names_and_knows_no_other() {
    let source = Memory::new(policies(1));
    source.set(Err(Unavailable::NotLoaded));
    let service = Service::start(source.clone());
    until(&service, NOT_SERVING).await;
    assert!(!service.readiness.is_ready());
    assert_eq!(service.readiness.waits_for(), ["policies"]);
    source.set(Ok(policies(1)));
    until(&service, SERVING).await;
    assert!(service.readiness.is_ready());
    assert_eq!(
        health(&service, "envoy.service.auth.v3.Authorization").await,
        Ok(SERVING)
    );
    assert_eq!(
        health(&service, "envoy.service.auth.v2.Authorization").await,
        Err(tonic::Code::NotFound)
    );
    source.set(Err(Unavailable::Stale));
    until(&service, NOT_SERVING).await;
    source.set(Ok(policies(2)));
    until(&service, SERVING).await;
    let latch = service.readiness.latch("svid");
    until(&service, NOT_SERVING).await;
    drop(latch);
    until(&service, SERVING).await;
    service.readiness.begin_drain();
    until(&service, NOT_SERVING).await;
    assert_eq!(
        health(&service, "envoy.service.auth.v3.Authorization").await,
        Ok(NOT_SERVING)
    );
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let service = Service::start(Memory::new(policies(1)));
    let mut grpc = tonic::client::Grpc::new(service.channel().await);
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/envoy.service.auth.v3.Authorization/Allow");
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let status = grpc
        .unary(tonic::Request::new(HealthCheckRequest::default()), path, codec)
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_answers_what_is_under_way_and_lets_nobody_in() {
    let service = Service::start(Memory::new(policies(1)));
    let mut raw = Raw::connect(&service.uds).await;
    let message = framed(&get("/orders/7").encode_to_vec());
    let (pieces, body) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    pieces.unbounded_send(Ok(Frame::data(message.slice(..10)))).unwrap();
    let under_way = tokio::spawn(async move { raw.call(&[], StreamBody::new(body)).await });
    while service.metrics.in_flight.get() < 1 {
        tokio::task::yield_now().await;
    }
    service.begin_stop();
    while service.uds.exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(tokio::net::UnixStream::connect(&service.uds).await.is_err());
    assert!(tokio::net::TcpStream::connect(service.tcp).await.is_err());
    pieces.unbounded_send(Ok(Frame::data(message.slice(10..)))).unwrap();
    drop(pieces);
    assert_eq!(under_way.await.unwrap().unwrap().verdict(), (Ok(()), "policy".into()));
    assert_eq!(service.stop().await.len(), 1);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_drain_up_and_a_stuck_one_only_to_the_deadline() {
    let service = Service::start(Memory::new(policies(1)));
    let mut client = service.over_uds().await;
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Ok(()));
    tokio::time::timeout(Duration::from_secs(4), service.stop())
        .await
        .unwrap();

    let options = Options {
        drain: Duration::from_millis(200),
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut raw = Raw::connect(&service.uds).await;
    let (_pieces, body) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    let stuck = tokio::spawn(async move { raw.call(&[], StreamBody::new(body)).await.map(|_| ()) });
    while service.metrics.in_flight.get() < 1 {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(4), service.stop())
        .await
        .unwrap();
    stuck.abort();
}

#[tokio::test]
async fn the_socket_has_its_mode_and_a_dead_ones_place_is_taken() {
    let service = Service::start(Memory::new(policies(1)));
    let mode = std::fs::metadata(&service.uds).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    assert_eq!(check(&mut service.over_uds().await, get("/orders/7")).await.0, Ok(()));
}

#[tokio::test]
async fn a_user_who_is_not_named_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let uds = spike_ext_authz::config::Uds {
        path: path.clone(),
        mode: 0o666,
        group: None,
        allow_uids: vec![4_000_000],
    };
    let listen = spike_ext_authz::config::Listen {
        uds: Some(uds),
        tcp: None,
        mtls: None,
    };
    let service = Service::with_doors(Memory::new(policies(1)), listen);
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let mut byte = [0];
    stream.readable().await.unwrap();
    assert_eq!(stream.try_read(&mut byte).unwrap_or(0), 0, "closed without a word");
    let refused = [("listener", "uds"), ("cause", "user")];
    while service.metrics.refused.get_or_create(&refused).get() < 1 {
        tokio::task::yield_now().await;
    }
}
