//! The connector under an HTTP client: who was reached, who was not, and what the errors say.

use crate::trust::{NEXUS, WEB, bundles_of, identity_of, new_authority, svid_of};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use spike_identity::authority::TestAuthority;
use spike_identity::{Accept, ConnectError, Expect, HttpsConnector, Identity, Peer, Refusal, ServerOptions};
use spike_policy::TrustRoots;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

type Http = Client<HttpsConnector, Empty<Bytes>>;

/// Answers every request with the ID of who asked.
async fn serve(nexus: &Identity, alpn: &[&[u8]], accept: Accept) -> SocketAddr {
    let acceptor = nexus.acceptor(ServerOptions::new(alpn).accept(accept));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok((stream, peer)) = acceptor.accept(tcp).await else {
                    return;
                };
                let answer = service_fn(move |_: Request<Incoming>| {
                    let id = peer.id().to_string();
                    async move { Ok::<_, Infallible>(Response::new(id)) }
                });
                let server = auto::Builder::new(TokioExecutor::new());
                // A client that goes away in between is not what is tested.
                server.serve_connection(TokioIo::new(stream), answer).await.ok();
            });
        }
    });
    address
}

fn client(web: &Identity, expect: Expect, alpn: &[&[u8]]) -> Http {
    Client::builder(TokioExecutor::new()).build(web.connector(expect).with_alpn(alpn).https())
}

fn nexus_under(root: &str) -> Expect {
    Expect::Nexus(TrustRoots::parse(root).unwrap())
}

async fn get(http: &Http, url: String) -> Result<(String, Peer, http::Version), hyper_util::client::legacy::Error> {
    let answer = http.get(url.parse().unwrap()).await?;
    let (version, peer) = (answer.version(), answer.extensions().get::<Peer>().unwrap().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Ok((String::from_utf8(body.to_vec()).unwrap(), peer, version))
}

#[tokio::test]
async fn a_request_reaches_the_nexus_that_is_expected_and_says_who_it_was() {
    let authority = new_authority();
    let (nexus, web) = (authority.identity(NEXUS).unwrap(), authority.identity(WEB).unwrap());
    let address = serve(&nexus, &[b"h2", b"http/1.1"], Accept::AnySpiffeId).await;
    let table: [(&[&[u8]], _); 3] = [
        (&[b"h2", b"http/1.1"], http::Version::HTTP_2),
        (&[b"http/1.1"], http::Version::HTTP_11),
        (&[], http::Version::HTTP_11),
    ];
    for (alpn, version) in table {
        let http = client(&web, nexus_under("example.org"), alpn);
        for host in ["127.0.0.1", "localhost"] {
            let (body, peer, spoken) = get(&http, format!("https://{host}:{}/", address.port())).await.unwrap();
            assert_eq!(body, "spiffe://example.org/web");
            assert_eq!(peer.id().as_str(), "spiffe://example.org/spike/nexus");
            assert_eq!(spoken, version);
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_expected_is_told_apart_from_other_failures() {
    let authority = new_authority();
    let (other, web) = (
        authority.identity("/spike/keeper").unwrap(),
        authority.identity(WEB).unwrap(),
    );
    let address = serve(&other, &[], Accept::AnySpiffeId).await;
    let http = client(&web, nexus_under("example.org"), &[]);
    let error = get(&http, format!("https://{address}/")).await.unwrap_err();
    match ConnectError::find(&error) {
        Some(ConnectError::ServerRefused(Refusal::Unwanted(id))) => assert_eq!(id.path(), "/spike/keeper"),
        other => panic!("{other:?}"),
    }

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = get(&http, format!("https://{nobody}/")).await.unwrap_err();
    assert!(
        matches!(ConnectError::find(&error), Some(ConnectError::Unreachable { .. })),
        "{error:?}"
    );

    let error = get(&http, format!("http://{address}/")).await.unwrap_err();
    assert!(
        matches!(ConnectError::find(&error), Some(ConnectError::Address(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_refuses_us_is_recognised_by_its_alert() {
    let (ours, theirs) = (new_authority(), TestAuthority::new("partner.org").unwrap());
    let nexus = ours.identity(NEXUS).unwrap();
    let guest = identity_of(&theirs, WEB, &bundles_of(&[&ours, &theirs]));
    let address = serve(&nexus, &[], Accept::AnySpiffeId).await;
    let http = client(&guest, nexus_under("example.org"), &[]);
    let error = get(&http, format!("https://{address}/")).await.unwrap_err();
    assert_eq!(ConnectError::alert(&error).as_deref(), Some("UnknownCA"), "{error:?}");
    assert!(ConnectError::find(&error).is_none_or(|error| !matches!(error, ConnectError::ServerRefused(_))));
}

#[tokio::test]
async fn a_pooled_connection_dies_with_the_identity_of_its_server() {
    for alpn in [&[b"http/1.1".as_slice()], &[b"h2".as_slice()]] {
        outlive_a_server(alpn).await;
    }
}

async fn outlive_a_server(alpn: &[&[u8]]) {
    let (old, new) = (new_authority(), new_authority());
    let both = bundles_of(&[&old, &new]);
    let (nexus, web) = (identity_of(&old, NEXUS, &both), identity_of(&new, WEB, &both));
    let address = serve(&nexus, alpn, Accept::AnySpiffeId).await;
    let http = client(&web, nexus_under("example.org"), alpn);
    let url = || format!("https://{address}/");
    let (_, first, _) = get(&http, url()).await.unwrap();
    let (_, second, _) = get(&http, url()).await.unwrap();
    assert_eq!(first.not_after(), second.not_after(), "the connection was used again");

    let later = new.svid_for(NEXUS, Duration::from_secs(7200)).unwrap();
    nexus.replace(&later.material().unwrap(), both);
    web.replace(&svid_of(&new, WEB), new.bundles().unwrap());
    tokio::time::timeout(Duration::from_secs(20), first.lapsed())
        .await
        .unwrap();
    // Twenty requests in a row: none may fail, none may go to the server's former identity.
    for _ in 0..20 {
        let (_, peer, _) = get(&http, url()).await.unwrap();
        assert_ne!(peer.not_after(), first.not_after());
    }
}
