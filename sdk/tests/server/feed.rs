//! The policy feed against a server that sends it in awkward pieces.
use crate::harness::{Reply, Server};
use futures::StreamExt;
use spike_sdk::{Error, Generation, Position, Watch};
use spike_wire::feed::Line;

const SNAPSHOT: &str = concat!(
    r#"{"snapshot":{"store":"s","generation":3,"policies":[{"id":"i","name":"db","spiffeidPattern":"^x$","#,
    r#""pathPattern":"^y$","permissions":["read"],"createdAt":1,"updatedAt":2}]}}"#,
    "\n"
);
const HEARTBEAT: &str = "{\"heartbeat\":{\"generation\":3}}\n";

async fn watch(server: &Server) -> Watch {
    server.client().await.policies().watch(None).await.unwrap()
}

#[tokio::test]
async fn lines_come_out_whole_however_the_bytes_arrive() {
    let delta = "{\"delta\":{\"generation\":4,\"put\":[],\"removed\":[\"db\"]}}\n";
    let together = Box::leak(format!("{HEARTBEAT}{delta}\n \r\n{HEARTBEAT}").into_boxed_str());
    let (front, back) = SNAPSHOT.split_at(40);
    let (back, line_end) = back.split_at(back.len() - 1);
    let server = Server::start([Reply::Pieces(vec![front, back, line_end, together])]).await;
    let lines: Vec<Line> = watch(&server).await.map(Result::unwrap).collect().await;
    let generations: Vec<u64> = lines.iter().map(|line| line.generation().0).collect();
    assert_eq!(generations, [3, 3, 4, 3]);
    assert!(matches!(&lines[0], Line::Snapshot(s) if s.store == "s" && s.policies[0].name == "db"));
    assert!(matches!(&lines[2], Line::Delta(d) if d.removed == ["db"]));
    assert_eq!(server.seen()[0].line, "POST /v1/acl/policy?action=watch");
    assert_eq!(server.seen()[0].body, "{}");
}

#[tokio::test]
async fn a_follower_says_how_far_it_has_come() {
    let server = Server::start([Reply::Pieces(vec![HEARTBEAT])]).await;
    let position = Position {
        store: "s".to_owned(),
        generation: Generation(3),
    };
    let mut watch = server.client().await.policies().watch(Some(&position)).await.unwrap();
    assert!(matches!(watch.next().await, Some(Ok(Line::Heartbeat(_)))));
    assert!(watch.next().await.is_none());
    assert_eq!(server.seen()[0].body, r#"{"generation":3,"store":"s"}"#);
}

#[tokio::test]
async fn a_silent_feed_ends_in_a_timeout_and_stays_ended() {
    let server = Server::start([Reply::PiecesThenSilence(vec![SNAPSHOT])]).await;
    let mut watch = server.impatient_client().await.policies().watch(None).await.unwrap();
    assert!(matches!(watch.next().await, Some(Ok(Line::Snapshot(_)))));
    assert!(matches!(watch.next().await, Some(Err(Error::Timeout))));
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_feed_that_breaks_or_ends_inside_a_line_is_an_error_and_not_an_end() {
    for reply in [
        Reply::PiecesThenBreak(vec![HEARTBEAT, "{\"hea"]),
        Reply::Pieces(vec![HEARTBEAT, "{\"hea"]),
    ] {
        let server = Server::start([reply]).await;
        let mut watch = watch(&server).await;
        assert!(matches!(watch.next().await, Some(Ok(Line::Heartbeat(_)))));
        assert!(matches!(watch.next().await, Some(Err(Error::Unavailable { .. }))));
        assert!(watch.next().await.is_none());
    }
}

#[tokio::test]
async fn a_line_that_makes_no_sense_ends_the_feed() {
    for line in [
        "{\"news\":{}}\n",
        "nonsense\n",
        "{\"heartbeat\":{}}\n",
        "{\"snapshot\":{\"generation\":-1}}\n",
    ] {
        let server = Server::start([Reply::Pieces(vec![line, HEARTBEAT])]).await;
        let mut watch = watch(&server).await;
        let first = watch.next().await;
        assert!(
            matches!(first, Some(Err(Error::Unreadable { .. }))),
            "{line}: {first:?}"
        );
        assert!(watch.next().await.is_none());
    }
}

#[tokio::test]
async fn whoever_may_not_follow_is_told_at_once() {
    let server = Server::start([Reply::status(401, r#"{"err":"access_unauthorized"}"#)]).await;
    assert!(matches!(
        server.client().await.policies().watch(None).await,
        Err(Error::Denied)
    ));
}
