//! How long a peer is believed, and how our own identity ends.

use crate::ends::meet;
use crate::trust::{NEXUS, WEB, bundles_of, identity_of, new_authority, svid_of};
use spike_identity::{AcceptError, Acceptor, ConnectError, Expect, Identity, Lapse, Refusal, ServerOptions, Standing};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Serves lines until the peer lapses, as a server of ours must.
async fn serve_until_lapsed(acceptor: Acceptor, io: DuplexStream) -> (u32, Lapse) {
    let (mut stream, peer) = acceptor.accept(io).await.unwrap();
    let (mut answered, mut request) = (0, [0; 4]);
    loop {
        tokio::select! {
            lapse = peer.lapsed() => return (answered, lapse),
            read = stream.read_exact(&mut request) => { read.unwrap(); }
        }
        if let Err(lapse) = peer.check(SystemTime::now()) {
            return (answered, lapse);
        }
        stream.write_all(b"pong").await.unwrap();
        answered += 1;
    }
}

#[tokio::test]
async fn a_live_connection_ends_within_a_second_of_its_svid() {
    let authority = new_authority();
    let server = authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[]));
    let svid = authority
        .svid_for(WEB, Duration::from_secs(3))
        .unwrap()
        .material()
        .unwrap();
    let web = Identity::from_material(&svid, authority.bundles().unwrap());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve_until_lapsed(server, far));
    let (mut stream, peer) = web.connector(Expect::Any).connect(near).await.unwrap();
    assert_eq!(peer.id().path(), NEXUS);
    let mut last_answered = SystemTime::now();
    let cut = loop {
        let mut answer = [0; 4];
        let asked = SystemTime::now();
        let exchange = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut answer).await
        };
        if exchange.await.is_err() {
            break SystemTime::now();
        }
        last_answered = asked;
        assert!(
            asked < web.not_after() + Duration::from_secs(2),
            "it is served for ever"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (answered, lapse) = serving.await.unwrap();
    assert!(answered > 10, "only {answered} requests were answered before the end");
    assert_eq!(lapse, Lapse::Expired);
    assert!(
        last_answered <= web.not_after(),
        "answered what was asked after the end"
    );
    assert!(cut <= web.not_after() + Duration::from_secs(5), "cut too late");
    assert_eq!(web.standing(SystemTime::now()), Standing::Expired);
    let (refused, _) = meet(
        &web.connector(Expect::Any),
        &authority.identity(NEXUS).unwrap().acceptor(ServerOptions::new(&[])),
    )
    .await;
    assert!(
        matches!(refused, Err(ConnectError::NoIdentity(Standing::Expired))),
        "we do not show an expired SVID"
    );
}

#[tokio::test]
async fn a_bundle_swap_ends_the_connections_of_the_removed_authority_and_no_others() {
    let (old, new) = (new_authority(), new_authority());
    let nexus = svid_of(&new, NEXUS);
    let both = bundles_of(&[&old, &new]);
    let identity = Identity::from_material(&nexus, both.clone());
    let server = identity.acceptor(ServerOptions::new(&[]));
    let mut peers = Vec::new();
    for authority in [&old, &new] {
        let client = identity_of(authority, WEB, &both).connector(Expect::Any);
        peers.push(meet(&client, &server).await.1.unwrap());
    }
    let now = SystemTime::now();
    assert!(peers.iter().all(|peer| peer.is_current(now)));

    // The same authorities again, in another order, and a new SVID: nobody is asked to leave.
    identity.replace(&svid_of(&new, NEXUS), bundles_of(&[&new, &old]));
    assert!(peers.iter().all(|peer| peer.is_current(now)));

    let waiting = tokio::spawn({
        let peer = peers[0].clone();
        async move { peer.lapsed().await }
    });
    tokio::task::yield_now().await;
    identity.replace(&nexus, new.bundles().unwrap());
    let lapse = tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(lapse, Lapse::Distrusted(Refusal::Untrusted(_))), "{lapse}");
    assert!(!peers[0].is_current(now));
    assert!(peers[1].is_current(now));

    // The authority comes back: its peers must show themselves anew, the old proof does not come back to life.
    identity.replace(&nexus, both);
    assert_eq!(peers[0].check(now), Err(Lapse::Earlier));
    assert!(peers[1].is_current(now));
}

#[tokio::test]
async fn a_withdrawn_identity_is_not_shown_again_and_believes_nobody() {
    let authority = new_authority();
    let identity = authority.identity(NEXUS).unwrap();
    let server = identity.acceptor(ServerOptions::new(&[]));
    let web = authority.identity(WEB).unwrap();
    let peer = meet(&web.connector(Expect::Any), &server).await.1.unwrap();
    identity.withdraw("no identity issued");
    let now = SystemTime::now();
    assert_eq!(identity.standing(now), Standing::Withdrawn);
    assert!(matches!(
        peer.check(now),
        Err(Lapse::Distrusted(Refusal::UnknownTrustDomain(_)))
    ));
    let (seen, refused) = meet(&web.connector(Expect::Any), &server).await;
    assert!(seen.is_err());
    assert!(matches!(refused, Err(AcceptError::NoIdentity(Standing::Withdrawn))));
    identity.replace(&svid_of(&authority, NEXUS), authority.bundles().unwrap());
    meet(&web.connector(Expect::Any), &server).await.1.unwrap();
}

#[tokio::test]
async fn standing_turns_before_the_end() {
    let authority = new_authority();
    let identity = authority.identity(NEXUS).unwrap();
    let end = identity.not_after();
    let table = [
        (3000, Standing::Good),
        (800, Standing::Good),
        (700, Standing::Ageing),
        (0, Standing::Ageing),
    ];
    for (left, standing) in table {
        assert_eq!(
            identity.standing(end - Duration::from_secs(left)),
            standing,
            "{left}s before the end"
        );
    }
    assert_eq!(identity.standing(end + Duration::from_secs(1)), Standing::Expired);
    assert_eq!(
        identity.standing(end - Duration::from_secs(24 * 3600)),
        Standing::Expired,
        "before its start"
    );
}
