//! Garbage, floods, panics and impatience: every answer is a denial that says so, never a gRPC error, never an allow.
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use prost::Message;
use spike_ext_authz::feed::Unavailable;
use spike_policy::{Generation, PolicySet};

use crate::harness::{Memory, Options, Raw, Service, ask, check, framed, get, policies};

/// `SEED=` gives another run.
fn seed() -> u64 {
    option_env!("SEED")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_122)
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(seed()),
        ..Config::default()
    })
}

/// Random bytes, and a good message with some of it damaged or cut off.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let good = get("/orders/7").encode_to_vec();
    let damage = (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>());
    let damaged = prop::collection::vec(damage, 1..4).prop_map(move |damages| {
        let mut message = good.clone();
        for (at, byte, cut) in damages {
            let at = at.index(message.len());
            message[at] = byte;
            message.truncate(cut.index(message.len() * 3).max(1));
        }
        message
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), damaged]
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_of_garbage_are_ten_thousand_denials() {
    // No policy and no pilot: whatever a damaged message may say by chance, it must be a denial.
    let options = Options {
        check: "  pilot: policy\n",
        ..Options::default()
    };
    let service = Service::with(Memory::new(PolicySet::new(Generation(1), [])), options);
    let raw = Raw::connect(&service.uds).await;
    let mut runner = runner();
    let strategy = messages();
    let mut undecodable = 0;
    for _ in 0..100 {
        let batch = (0..100).map(|_| {
            let message = strategy.new_tree(&mut runner).unwrap().current();
            let mut raw = raw.clone();
            async move { (raw.send(&message).await.unwrap().verdict(), message) }
        });
        let batch: Vec<_> = batch.collect();
        for ((verdict, reason), message) in futures::future::join_all(batch).await {
            assert_eq!(verdict, Err(403), "SEED={}: {reason}: {message:?}", seed());
            undecodable += usize::from(reason == "message_undecodable");
        }
    }
    assert!(undecodable > 3_000, "{undecodable}");
    assert_eq!(service.stop().await.len(), 10_000, "each has its line");
}

#[tokio::test]
async fn broken_framing_is_a_denial() {
    let service = Service::start(Memory::new(policies(1)));
    let mut raw = Raw::connect(&service.uds).await;
    let good = framed(&get("/orders/7").encode_to_vec());
    assert_eq!(
        raw.call(&[], Full::new(good.clone())).await.unwrap().verdict(),
        (Ok(()), "policy".into())
    );
    let compressed = [&[1][..], &good[1..]].concat();
    let twice = [&good[..], &good].concat();
    let long = [&good[..], &[0]].concat();
    let cases = [
        &b""[..],
        &good[..3],
        &good[..good.len() - 1],
        &compressed,
        &twice,
        &long,
    ];
    for body in cases {
        let answered = raw.call(&[], Full::new(Bytes::copy_from_slice(body))).await.unwrap();
        assert_eq!(answered.verdict(), (Err(403), "message_undecodable".into()), "{body:?}");
    }
}

#[tokio::test]
async fn an_oversized_message_is_a_denial_and_the_connection_lives_on() {
    let options = Options {
        check: "  max_message: 4KiB\n",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut raw = Raw::connect(&service.uds).await;
    for size in [4 * 1024 + 1, 10_000, 16 * 1024] {
        let answered = raw.send(&vec![0; size]).await.unwrap();
        assert_eq!(answered.verdict(), (Err(403), "message_too_large".into()), "{size}");
    }
    let mut large = get("/orders/7");
    let request = large.attributes.as_mut().unwrap().request.as_mut().unwrap();
    request.http.as_mut().unwrap().body = "x".repeat(3_900);
    assert_eq!(
        raw.send(&large.encode_to_vec()).await.unwrap().verdict(),
        (Ok(()), "policy".into())
    );
    let mut client = service.over_tcp().await;
    let request = large.attributes.as_mut().unwrap().request.as_mut().unwrap();
    request.http.as_mut().unwrap().body = "x".repeat(12_000);
    assert_eq!(check(&mut client, large).await, (Err(403), "message_too_large".into()));
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Ok(()));
}

#[tokio::test]
async fn a_panic_inside_a_decision_is_a_denial_and_the_next_check_is_right() {
    let source = Memory::new(policies(1));
    let service = Service::start(source.clone());
    let mut client = service.over_uds().await;
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Ok(()));
    for _ in 0..10 {
        source.panics.store(true, Ordering::SeqCst);
        assert_eq!(
            check(&mut client, get("/orders/7")).await,
            (Err(500), "internal_panic".into())
        );
        source.panics.store(false, Ordering::SeqCst);
        assert_eq!(check(&mut client, get("/orders/7")).await, (Ok(()), "policy".into()));
    }
    // Health loads policies as well; it lives on.
    service.readiness.ready().await;
    let lines = service.stop().await;
    let panicked: Vec<_> = lines.iter().filter(|line| line["reason"] == "internal_panic").collect();
    assert_eq!(panicked.len(), 10);
    assert_eq!(panicked[0]["spiffe_id"], "spiffe://example.org/web");
}

#[tokio::test]
async fn without_policies_to_believe_in_every_check_is_denied_with_the_reason() {
    let source = Memory::new(policies(1));
    let service = Service::start(source.clone());
    let mut client = service.over_uds().await;
    for (why, reason) in [
        (Unavailable::NotLoaded, "policies_not_loaded"),
        (Unavailable::Stale, "policies_stale"),
        (Unavailable::Unknown, "policies_unknown"),
    ] {
        source.set(Err(why));
        assert_eq!(check(&mut client, get("/orders/7")).await, (Err(503), reason.into()));
        source.set(Ok(policies(2)));
        assert_eq!(check(&mut client, get("/orders/7")).await, (Ok(()), "policy".into()));
    }
}

type Piece = Result<Frame<Bytes>, Infallible>;
type SlowBody = StreamBody<UnboundedReceiver<Piece>>;

/// A body whose pieces come when the test sends them.
fn slow_body() -> (UnboundedSender<Piece>, SlowBody) {
    let (pieces, body) = futures::channel::mpsc::unbounded();
    (pieces, StreamBody::new(body))
}

#[tokio::test(flavor = "multi_thread")]
async fn more_checks_than_there_is_room_for_are_denied_at_once_and_room_comes_back() {
    let options = Options {
        check: "  max_in_flight: 8\n",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let raw = Raw::connect(&service.uds).await;
    let message = framed(&get("/orders/7").encode_to_vec());
    let mut held = Vec::new();
    for _ in 0..8 {
        let (pieces, body) = slow_body();
        pieces.unbounded_send(Ok(Frame::data(message.slice(..10)))).unwrap();
        let mut raw = raw.clone();
        held.push((
            pieces,
            tokio::spawn(async move { raw.call(&[], body).await.unwrap().verdict() }),
        ));
    }
    while service.metrics.in_flight.get() < 8 {
        tokio::task::yield_now().await;
    }
    let mut other = Raw::connect(&service.uds).await;
    for _ in 0..100 {
        let answered = other.call(&[], Full::new(message.clone())).await.unwrap();
        assert_eq!(answered.verdict(), (Err(503), "overloaded".into()));
    }
    for (pieces, task) in held {
        pieces.unbounded_send(Ok(Frame::data(message.slice(10..)))).unwrap();
        drop(pieces);
        assert_eq!(task.await.unwrap(), (Ok(()), "policy".into()));
    }
    while service.metrics.in_flight.get() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        other.call(&[], Full::new(message)).await.unwrap().verdict(),
        (Ok(()), "policy".into())
    );
}

#[tokio::test]
async fn a_caller_whose_time_is_over_gets_a_denial_not_a_decision() {
    let service = Service::start(Memory::new(policies(1)));
    let mut raw = Raw::connect(&service.uds).await;
    let message = framed(&get("/orders/7").encode_to_vec());
    for timeout in ["0n", "1n", "0m"] {
        let answered = raw
            .call(&[("grpc-timeout", timeout)], Full::new(message.clone()))
            .await
            .unwrap();
        assert_eq!(answered.verdict(), (Err(503), "deadline_exceeded".into()), "{timeout}");
    }
    for timeout in ["5S", "1H", "nonsense", "99999999H"] {
        let answered = raw
            .call(&[("grpc-timeout", timeout)], Full::new(message.clone()))
            .await
            .unwrap();
        assert_eq!(answered.verdict().0, Ok(()), "{timeout}");
    }
    // A message that does not arrive in time is not waited for.
    let (pieces, body) = slow_body();
    pieces.unbounded_send(Ok(Frame::data(message.slice(..10)))).unwrap();
    let answered = raw.call(&[("grpc-timeout", "50m")], body).await.unwrap();
    assert_eq!(answered.verdict(), (Err(503), "deadline_exceeded".into()));
}

#[tokio::test]
async fn a_message_that_never_comes_is_given_up() {
    let options = Options {
        check: "  read_timeout: 50ms\n",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let (_pieces, body) = slow_body();
    let answered = Raw::connect(&service.uds).await.call(&[], body).await.unwrap();
    assert_eq!(answered.verdict(), (Err(503), "deadline_exceeded".into()));
}

#[tokio::test]
async fn a_message_in_many_pieces_is_one_message() {
    let service = Service::start(Memory::new(policies(1)));
    let (pieces, body) = slow_body();
    for piece in framed(&get("/orders/7").encode_to_vec()).chunks(3) {
        pieces
            .unbounded_send(Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .unwrap();
    }
    drop(pieces);
    let answered = Raw::connect(&service.uds).await.call(&[], body).await.unwrap();
    assert_eq!(answered.verdict(), (Ok(()), "policy".into()));
}

#[tokio::test]
async fn series_do_not_grow_with_traffic() {
    let service = Service::start(Memory::new(policies(1)));
    let mut client = service.over_uds().await;
    assert_eq!(check(&mut client, get("/orders/0")).await.0, Ok(()));
    let series = |text: String| text.lines().filter(|line| !line.starts_with('#')).count();
    let before = series(service.registry.encode().unwrap());
    for at in 0..2_000 {
        let request = ask(&format!("spiffe://example.org/w{at}"), "GET", &format!("/x/{at}"));
        assert_eq!(check(&mut client, request).await.0, Err(403));
    }
    assert_eq!(series(service.registry.encode().unwrap()), before);
}

#[tokio::test]
async fn a_slow_writer_of_lines_never_holds_a_check_up() {
    let service = Service::start(Memory::new(policies(1)));
    let mut client = service.over_uds().await;
    let sink = service.sink.clone();
    let (locked, wait) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        sink.while_stuck(|| wait.recv().unwrap());
    });
    for _ in 0..100 {
        let one = tokio::time::timeout(Duration::from_secs(20), check(&mut client, get("/orders/7")));
        assert_eq!(one.await.unwrap().0, Ok(()));
    }
    locked.send(()).unwrap();
    holder.join().unwrap();
    assert_eq!(service.stop().await.len(), 100);
}

/// Whatever is awaited happens soon; this only bounds a hang.
async fn until(what: &str, seen: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if seen() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn where_decisions_must_be_recorded_an_allow_that_cannot_be_is_a_denial() {
    let options = Options {
        more: "audit: {when_full: deny, queue: 8}",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut client = service.over_uds().await;
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Ok(()));
    service.sink.set_room(0);
    service.journal.lifecycle("probe", "test");
    until("the disk is full", || service.journal.refuses()).await;
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Err(503));
    assert_eq!(
        check(&mut client, get("/stock/7")).await.0,
        Err(403),
        "a denial keeps its reason"
    );
    service.sink.set_room(usize::MAX);
    until("there is room", || !service.journal.refuses()).await;
    assert_eq!(check(&mut client, get("/orders/7")).await.0, Ok(()));
    let lines = service.stop().await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["verdict"].clone(), line["reason"].clone()))
        .collect();
    let expected = [
        ("allow", "policy"),
        ("deny", "audit_unavailable"),
        ("deny", "path_unmatched"),
        ("allow", "policy"),
    ];
    assert_eq!(told, expected.map(|(verdict, reason)| (verdict.into(), reason.into())));
    assert_eq!(lines[1]["resource"], "orders/7");
}

#[tokio::test]
async fn where_decisions_must_be_recorded_a_full_queue_denies_and_the_log_tells_of_what_is_missing() {
    let options = Options {
        more: "audit: {when_full: deny, queue: 8}",
        ..Options::default()
    };
    let service = Service::with(Memory::new(policies(1)), options);
    let mut client = service.over_uds().await;
    let (stuck, wait) = std::sync::mpsc::channel::<()>();
    let (sink, journal) = (service.sink.clone(), service.journal.clone());
    let holder = std::thread::spawn(move || sink.while_stuck(|| wait.recv().unwrap()));
    let (mut allowed, mut denied) = (0, 0);
    while denied < 20 {
        match check(&mut client, get("/orders/7")).await.0 {
            Ok(()) => allowed += 1,
            Err(status) => {
                assert_eq!(status, 503);
                denied += 1;
            }
        }
        assert!(allowed < 100, "the queue has no end");
    }
    assert_eq!(journal.dropped(), 20);
    stuck.send(()).unwrap();
    holder.join().unwrap();
    let text = service.stop_losing().await;
    assert_eq!(text.matches("\"verdict\":\"allow\"").count(), allowed);
    assert!(text.contains("\"event\":\"audit.lost\",\"lines\":"), "{text}");
    assert_eq!(service_faults(&text), 0, "a denial for want of a record has no record");
}

fn service_faults(text: &str) -> usize {
    text.matches("audit_unavailable").count()
}
