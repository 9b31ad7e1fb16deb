//! Every certificate that must be refused is refused, in both directions, before a byte of a request is handled; every
//! version, suite and protocol that is not spoken here gets an alert.

mod der;
mod forge;
mod hello;
mod rows;

use crate::credulous::{VERSIONS, client_showing, client_with, server_showing};
use crate::ends::{REQUEST, Server, call, lure, meet};
use crate::trust::{NEXUS, new_authority};
use forge::{GOOD, World};
use spike_identity::{Accept, AcceptError, Bundles, ConnectError, Expect, Identity, ServerOptions};
use spike_policy::{SpiffeId, TrustRoots};
use std::time::Duration;

/// How many refusals there are in each direction, so that none goes missing.
const ROWS_AS_CLIENT: usize = 92;
const ROWS_AS_SERVER: usize = 91;
const CONTROLS: usize = 18;

fn wanted(id: &SpiffeId) -> bool {
    id.path() != "/unwanted"
}

/// The client's way to want all but one: it names those it expects.
fn expected(world: &World) -> Expect {
    let ids = rows::believed(world).into_iter().map(|(_, _, id)| id.parse().unwrap());
    let forged = [
        "spiffe://example.org/admin",
        "spiffe://old.org/web",
        "spiffe://rsa.org/web",
    ];
    Expect::Exactly(ids.chain(forged.iter().map(|id| id.parse().unwrap())).collect())
}

#[tokio::test]
async fn a_server_refuses_every_client_that_it_must_refuse_and_stays_up() {
    let world = World::new();
    let options = ServerOptions::new(&[b"http/1.1"]).accept(Accept::ids(wanted));
    let mut server = Server::start(world.ours().acceptor(options)).await;
    let honest = world.root.leaf(GOOD, |_| {});
    let (mut tried, mut handled) = (0, 0);
    for row in rows::refused().iter().filter(|row| row.as_client) {
        let show = (row.make)(&world);
        for version in VERSIONS {
            let answer = call(server.address, client_showing(show.as_ref(), version)).await;
            let refusal = match server.outcome().await {
                Err(AcceptError::Refused(refusal)) => refusal,
                other => panic!("{} ({version:?}): {other:?}", row.name),
            };
            assert_eq!(refusal.label(), row.refused.0, "{}: {refusal}", row.name);
            assert!(refusal.to_string().contains(row.refused.1), "{}: {refusal}", row.name);
            assert!(answer.is_err(), "{}: the client must notice", row.name);
            assert_eq!(server.handled(), handled, "{}: bytes were handled", row.name);

            let answer = call(server.address, client_showing(Some(&honest), version)).await;
            assert_eq!(answer.unwrap(), b"ok", "after {}", row.name);
            assert_eq!(server.outcome().await.unwrap(), GOOD);
            handled += REQUEST.len();
            assert_eq!(server.handled(), handled);
        }
        tried += 1;
    }
    assert_eq!(tried, ROWS_AS_CLIENT);
}

#[tokio::test]
async fn a_client_refuses_every_server_that_it_must_refuse_before_it_sends_a_byte() {
    let world = World::new();
    let client = world.ours().connector(expected(&world));
    let honest = world.root.leaf(GOOD, |_| {});
    let mut tried = 0;
    for row in rows::refused().iter().filter(|row| row.as_server) {
        let show = (row.make)(&world).unwrap();
        for version in VERSIONS {
            let (outcome, leaked) = lure(&client, server_showing(&show, version)).await;
            let refusal = match outcome {
                Err(ConnectError::ServerRefused(refusal)) => refusal,
                other => panic!("{} ({version:?}): {other:?}", row.name),
            };
            assert_eq!(refusal.label(), row.refused.0, "{}: {refusal}", row.name);
            assert!(refusal.to_string().contains(row.refused.1), "{}: {refusal}", row.name);
            assert_eq!(leaked, 0, "{}: bytes were sent", row.name);

            let (outcome, sent) = lure(&client, server_showing(&honest, version)).await;
            assert_eq!(
                (outcome.unwrap().as_str(), sent),
                (GOOD, REQUEST.len()),
                "after {}",
                row.name
            );
        }
        tried += 1;
    }
    assert_eq!(tried, ROWS_AS_SERVER);
}

#[tokio::test]
async fn every_good_certificate_is_believed_in_both_directions() {
    let world = World::new();
    let mut server = Server::start(world.ours().acceptor(ServerOptions::new(&[]))).await;
    let client = world.ours().connector(Expect::Any);
    let controls = rows::believed(&world);
    assert_eq!(controls.len(), CONTROLS);
    for (name, show, id) in &controls {
        for version in VERSIONS {
            let answer = call(server.address, client_showing(Some(show), version)).await;
            assert_eq!(
                server.outcome().await.unwrap_or_else(|error| panic!("{name}: {error}")),
                *id
            );
            assert_eq!(answer.unwrap(), b"ok", "{name}");
            let (outcome, sent) = lure(&client, server_showing(show, version)).await;
            assert_eq!(outcome.unwrap_or_else(|error| panic!("{name}: {error}")), *id);
            assert_eq!(sent, REQUEST.len());
        }
    }
}

#[tokio::test]
async fn a_federated_trust_domain_counts_only_while_it_has_a_bundle() {
    let world = World::new();
    let ours = world.root.leaf("spiffe://example.org/spike/nexus", |_| {}).material();
    let mut alone = Bundles::default();
    alone.add(&"example.org".parse().unwrap(), &world.root.der()).unwrap();
    let identity = Identity::from_material(&ours, alone.clone());
    let mut server = Server::start(identity.acceptor(ServerOptions::new(&[]))).await;
    let client = identity.connector(Expect::Any);
    let guest = world.partner.leaf("spiffe://partner.org/web", |_| {});
    for (bundles, believed) in [(&alone, false), (&world.bundles, true), (&alone, false)] {
        identity.replace(&ours, bundles.clone());
        for version in VERSIONS {
            let answer = call(server.address, client_showing(Some(&guest), version)).await;
            assert_eq!((server.outcome().await.is_ok(), answer.is_ok()), (believed, believed));
            assert_eq!(lure(&client, server_showing(&guest, version)).await.0.is_ok(), believed);
        }
    }
}

#[tokio::test]
async fn a_peer_lasts_only_as_long_as_the_first_certificate_on_its_path() {
    let world = World::new();
    let (soon, sooner) = (forge::seconds(1800), forge::seconds(900));
    let middle = world.root.under("middle", |params| params.not_after = soon);
    let table = [
        (middle.leaf(GOOD, |_| {}).with(&[&middle]), soon),
        (
            middle.leaf(GOOD, |params| params.not_after = sooner).with(&[&middle]),
            sooner,
        ),
    ];
    let acceptor = world.ours().acceptor(ServerOptions::new(&[]));
    for (show, end) in table {
        let client = Identity::from_material(&show.material(), world.bundles.clone()).connector(Expect::Any);
        let (met, peer) = meet(&client, &acceptor).await;
        met.unwrap();
        let end = std::time::SystemTime::from(end.replace_nanosecond(0).unwrap());
        assert_eq!(peer.unwrap().not_after(), end);
    }
}

#[tokio::test]
async fn a_client_that_expects_a_nexus_takes_only_a_nexus_under_its_trust_roots() {
    let world = World::new();
    let client = world
        .ours()
        .connector(Expect::Nexus(TrustRoots::parse("example.org").unwrap()));
    let table = [
        ("spiffe://example.org/spike/nexus", true),
        ("spiffe://example.org/spike/nexus/instance/0", true),
        ("spiffe://example.org/spike/nexusx", false),
        ("spiffe://example.org/spike", false),
        ("spiffe://example.org/x/spike/nexus", false),
        ("spiffe://example.org/spike/keeper", false),
        ("spiffe://partner.org/spike/nexus", false),
    ];
    for (id, believed) in table {
        let ca = if id.contains("partner") {
            &world.partner
        } else {
            &world.root
        };
        let (outcome, sent) = lure(&client, server_showing(&ca.leaf(id, |_| {}), VERSIONS[0])).await;
        assert_eq!(outcome.is_ok(), believed, "{id}");
        assert_eq!(sent > 0, believed, "{id}");
    }
}

#[tokio::test]
async fn every_suite_and_group_that_is_offered_works_alone() {
    let world = World::new();
    let mut server = Server::start(world.ours().acceptor(ServerOptions::new(&[]))).await;
    let honest = world.root.leaf(GOOD, |_| {});
    let all = rustls::crypto::aws_lc_rs::default_provider();
    let groups = ["X25519", "secp256r1", "secp384r1"];
    let mut tried = 0;
    for suite in &all.cipher_suites {
        let version = suite.version();
        let rsa = format!("{:?}", suite.suite()).contains("ECDHE_RSA");
        for group in all
            .kx_groups
            .iter()
            .filter(|group| groups.contains(&format!("{:?}", group.name()).as_str()))
        {
            let mut provider = all.clone();
            provider.cipher_suites = vec![*suite];
            provider.kx_groups = vec![*group];
            let answer = call(server.address, client_with(Some(&honest), version, provider)).await;
            // Our SVID has an ECDSA key, so a suite that wants an RSA one finds none.
            assert_eq!(answer.is_ok(), !rsa, "{suite:?} {group:?}");
            assert_eq!(server.outcome().await.is_ok(), !rsa, "{suite:?} {group:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, all.cipher_suites.len() * groups.len());
    assert_eq!(tried, 27);
}

#[tokio::test]
async fn what_is_not_spoken_here_gets_an_alert() {
    let world = World::new();
    let acceptor = world.ours().acceptor(ServerOptions::new(&[b"h2", b"http/1.1"]));
    let mut server = Server::start(acceptor).await;
    let honest = world.root.leaf(GOOD, |_| {});
    let hellos = hello::refused();
    assert_eq!(hellos.len(), 14);
    for (name, bytes, alert) in hellos {
        let answer = hello::send(server.address, &bytes).await;
        assert_eq!(answer, Some(vec![2, alert]), "{name}");
        assert!(
            matches!(server.outcome().await, Err(AcceptError::Protocol(_))),
            "{name}"
        );
    }
    // The control: what these hellos are made of is spoken here, so each was refused for its one difference.
    assert_eq!(hello::send(server.address, &hello::spoken()).await, None);
    assert!(matches!(
        server.outcome().await,
        Err(AcceptError::Gone | AcceptError::Timeout(_))
    ));
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let mut config = client_showing(Some(&honest), VERSIONS[0]);
        config.alpn_protocols = vec![b"spdy/3".to_vec(), protocol.to_vec()];
        assert_eq!(call(server.address, config).await.unwrap(), b"ok");
        assert_eq!(server.outcome().await.unwrap(), GOOD);
    }
    assert_eq!(server.handled(), 2 * REQUEST.len());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_given_up_on() {
    let authority = new_authority();
    let mut options = ServerOptions::new(&[]);
    options.timeout = Duration::from_millis(50);
    let server = authority.identity(NEXUS).unwrap().acceptor(options);
    let (_near, far) = tokio::io::duplex(1024);
    assert!(matches!(server.accept(far).await, Err(AcceptError::Timeout(_))));
    let (near, far) = tokio::io::duplex(1024);
    drop(near);
    assert!(matches!(server.accept(far).await, Err(AcceptError::Gone)));
}
