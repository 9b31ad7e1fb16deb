//! Moving everything from one Nexus to another one.
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use spike_sdk::{Client, Error, Filter, PolicyDocument, Versions};

use crate::run::{Ended, spike};
use crate::world::{Who, World};

/// More versions than any secret here has.
const MOST: u32 = 14;

/// Everything that a client can read: what is asked, and the answer or error.
fn everything(world: &World) -> BTreeMap<String, String> {
    world.with_client(async |client| {
        let mut answers = BTreeMap::new();
        let mut note = |question: String, answer: Result<String, Error>| {
            let answer = answer.unwrap_or_else(|error| format!("error: {error}"));
            answers.insert(question, answer);
        };
        for item in client.policies().list(&Filter::All).await.unwrap() {
            let mut policy = client.policies().get(&item.name).await.unwrap();
            // Ids are drawn anew.
            policy.id = String::new();
            note(
                format!("policy {}", item.name),
                Ok(serde_json::to_string(&policy).unwrap()),
            );
        }
        for path in client.secrets().list().await.unwrap() {
            for version in 0..=MOST {
                let secret = client.secrets().get_version(&path, version).await;
                let values = |data: &spike_sdk::SecretData| {
                    data.iter()
                        .map(|(key, value)| format!("{key}={value};"))
                        .collect::<Vec<_>>()
                        .concat()
                };
                note(format!("{path} {version}"), secret.map(|secret| values(&secret.data)));
                let metadata = client.secrets().metadata(&path, version).await;
                let metadata = metadata.map(|metadata| serde_json::to_string(&metadata).unwrap());
                note(format!("{path} {version} metadata"), metadata);
            }
        }
        answers
    })
}

async fn put(client: &Client, path: &str, values: &[&str]) {
    for value in values {
        client.put_secret(path, [("password", *value)]).await.unwrap();
    }
}

/// A Nexus with what there can be: one version, several, deleted ones in every place, pruned ones, none left.
fn furnished() -> World {
    let world = World::new();
    world.with_client(async |client| {
        let policies = [
            ("web", r"^spiffe://example\.org/web$", "^acme/"),
            ("loose", "spiffe://example.org/.*", "acme/"),
        ];
        for (name, who, path) in policies {
            let document = PolicyDocument {
                name: name.to_owned(),
                spiffeid_pattern: who.to_owned(),
                path_pattern: path.to_owned(),
                permissions: vec!["read".to_owned(), "list".to_owned()],
            };
            client.policies().put(&document).await.unwrap();
        }
        put(&client, "acme/one", &["only"]).await;
        put(&client, "acme/three", &["a", "b", "c"]).await;
        put(
            &client,
            "acme/pruned",
            &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"],
        )
        .await;
        client
            .put_secret("acme/empty", Vec::<(String, String)>::new())
            .await
            .unwrap();
        for (path, versions) in [
            ("acme/first-deleted", &[1][..]),
            ("acme/last-deleted", &[2, 3]),
            ("acme/middle-deleted", &[2]),
            ("acme/all-deleted", &[1, 2, 3]),
        ] {
            put(&client, path, &["x", "y", "z"]).await;
            let versions = Versions::from(versions);
            client.secrets().delete(path, &versions).await.unwrap();
        }
    });
    world
}

/// The words that copy one to the other.
fn words(from: &World, to: &World, url: &str, more: &[&str]) -> Vec<String> {
    let flags = ["migrate", "--quiet", "--from", from.url(), "--to", url];
    let sockets = [from.endpoint(Who::Pilot), to.endpoint(Who::Pilot)];
    let mut words: Vec<String> = flags.iter().map(|word| (*word).to_owned()).collect();
    let [from, to] = sockets;
    words.extend(["--from-socket".to_owned(), from, "--to-socket".to_owned(), to]);
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}

fn migrate_by(url: &str, from: &World, to: &World, more: &[&str]) -> Ended {
    let words = words(from, to, url, more);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    to.run(Who::Pilot, &words)
}

fn migrate(from: &World, to: &World, more: &[&str]) -> Ended {
    migrate_by(to.url(), from, to, more)
}

fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn everything_arrives_and_reads_the_same() {
    let (from, to) = (furnished(), World::new());
    let before = everything(&from);
    let ended = migrate(&from, &to, &["-f", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert_eq!(everything(&to), before);
    assert_eq!(everything(&from), before, "the source is only read");
    assert!(before.len() > 200, "{}", before.len());

    let told = report(&ended);
    assert_eq!(told["complete"], true, "{told:#}");
    assert_eq!(
        (&told["policies"]["listed"], &told["policies"]["created"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&told["secrets"]["listed"], &told["secrets"]["created"]),
        (&8.into(), &8.into())
    );
    assert_eq!(told["versions"], 1 + 3 + 10 + 1 + 2 + 1 + 2);
    assert_eq!(told["withoutVersions"], serde_json::json!(["acme/all-deleted"]));
    assert_eq!(
        told["deletedVersions"],
        serde_json::json!([
            {"path": "acme/first-deleted", "versions": [1]},
            {"path": "acme/last-deleted", "versions": [2, 3]},
            {"path": "acme/middle-deleted", "versions": [2]},
        ])
    );
    assert_eq!(told["warnings"][0]["name"], "loose");

    let again = migrate(&from, &to, &["-f", "json"]);
    let told = report(&again);
    assert_eq!((again.code, &told["policies"]["identical"]), (0, &2.into()));
    assert_eq!(
        (&told["secrets"]["identical"], &told["secrets"]["created"]),
        (&8.into(), &0.into())
    );
    assert_eq!(everything(&to), before);
}

#[test]
fn what_arrived_lives_on_as_if_it_had_always_been_there() {
    let (from, to) = (furnished(), World::new());
    assert_eq!(migrate(&from, &to, &[]).code, 0);
    for world in [&from, &to] {
        let get = |words: &[&str]| {
            let ended = world.run(Who::Pilot, &[&["secret"], words].concat());
            (ended.code, ended.out.trim().to_owned())
        };
        // The next number is one above the highest there ever was, the deleted ones included.
        assert_eq!(get(&["put", "acme/last-deleted", "password=new"]).0, 0);
        assert_eq!(
            get(&["get", "acme/last-deleted", "password", "-v", "4"]),
            (0, "new".to_owned())
        );
        assert_eq!(get(&["put", "acme/pruned", "password=13"]).0, 0);
        assert_eq!(get(&["get", "acme/pruned", "password", "-v", "3"]).0, 65, "pruned");
        assert_eq!(get(&["get", "acme/pruned", "password", "-v", "4"]), (0, "4".to_owned()));
    }
    // Data that never came cannot come back, and nothing pretends that it did.
    let undelete = &["secret", "undelete", "acme/middle-deleted", "-v", "2"];
    assert_eq!(from.run(Who::Pilot, undelete), Ended::done("OK\n"));
    let not_found = Ended::failed(65, "Error: Resource not found.\n");
    assert_eq!(to.run(Who::Pilot, undelete), not_found);
    assert_eq!(
        to.run(Who::Pilot, &["secret", "undelete", "acme/all-deleted"]),
        not_found
    );
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let (from, to) = (furnished(), World::new());
    assert_eq!(to.done(&["secret", "put", "acme/one", "password=other"]), "OK\n");
    let before = (everything(&from), everything(&to));
    let ended = migrate(&from, &to, &["--dry-run"]);
    assert_eq!(ended.code, 65, "{ended:?}");
    for line in [
        "Dry run: nothing was changed, from ",
        "Policies: 2 in the source, 2 created",
        "  warning: loose: unanchored: spiffeidPattern: ",
        "Secrets: 8 in the source, 7 created, 1 in conflict",
        "  conflict: acme/one: the target has something else",
        "  skipped: acme/last-deleted: deleted, without data: version 2, 3",
        "  skipped: acme/all-deleted: every version is deleted; only the path was copied",
        "Not complete: ",
    ] {
        assert!(ended.out.contains(line), "no `{line}` in\n{}", ended.out);
    }
    let overwriting = migrate(&from, &to, &["--dry-run", "--overwrite", "-f", "yaml"]);
    assert_eq!(overwriting.code, 0, "{overwriting:?}");
    assert!(overwriting.out.contains("replaced: 1\n"), "{}", overwriting.out);
    assert_eq!((everything(&from), everything(&to)), before);
}

#[test]
fn what_differs_in_the_target_stays_unless_it_is_to_be_overwritten() {
    let (from, to) = (furnished(), World::new());
    to.allow("web", "^other/", "write");
    to.done(&["secret", "put", "acme/three", "password=a"]);
    to.done(&["secret", "put", "unrelated", "k=v"]);
    let kept = |question: &str| everything(&to).get(question).cloned().unwrap();
    let (policy, secret) = (kept("policy web"), kept("acme/three 1"));
    let ended = migrate(&from, &to, &["-f", "json"]);
    let told = report(&ended);
    assert_eq!((ended.code, &told["complete"]), (65, &false.into()));
    assert_eq!(told["policies"]["conflicts"], serde_json::json!(["web"]));
    assert_eq!(
        told["secrets"]["conflicts"],
        serde_json::json!(["acme/three"]),
        "same text, put at another time"
    );
    assert_eq!((kept("policy web"), kept("acme/three 1")), (policy, secret));

    let ended = migrate(&from, &to, &["--overwrite", "-f", "json"]);
    let told = report(&ended);
    assert_eq!((ended.code, &told["complete"]), (0, &true.into()), "{told:#}");
    assert_eq!(
        (&told["policies"]["replaced"], &told["secrets"]["replaced"]),
        (&1.into(), &1.into())
    );
    let mut there = everything(&to);
    there.retain(|question, _| !question.starts_with("unrelated "));
    assert_eq!(there, everything(&from), "what the source does not have is left alone");
    assert_eq!(kept("unrelated 0"), "k=v;");
}

#[test]
fn a_second_run_brings_what_was_put_since() {
    let (from, to) = (furnished(), World::new());
    assert_eq!(migrate(&from, &to, &[]).code, 0);
    from.with_client(async |client| {
        put(&client, "acme/three", &["d"]).await;
        put(&client, "acme/pruned", &["13"]).await;
        put(&client, "acme/new", &["n"]).await;
        client.undelete_secret("acme/all-deleted").await.unwrap();
    });
    let ended = migrate(&from, &to, &["-f", "json"]);
    let told = report(&ended);
    assert_eq!(ended.code, 0, "{told:#}");
    assert_eq!(
        (
            &told["secrets"]["updated"],
            &told["secrets"]["created"],
            &told["secrets"]["identical"]
        ),
        (&3.into(), &1.into(), &5.into())
    );
    assert_eq!(everything(&to), everything(&from));
}

#[test]
fn only_one_kind_is_copied_when_only_one_is_wanted() {
    let (from, to) = (furnished(), World::new());
    assert_eq!(migrate(&from, &to, &["--only", "policies"]).code, 0);
    assert_eq!(to.done(&["secret", "list"]), "No secrets found.\n");
    assert_eq!(migrate(&from, &to, &["--only", "secrets", "--jobs", "1"]).code, 0);
    assert_eq!(everything(&to), everything(&from));
}

/// Passes bytes on to a server, until so many times something has come from a client: then every connection breaks.
fn breaking_after(reads: usize, server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(reads));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), left) = (client, Arc::clone(&left)) else {
                return;
            };
            if left.load(Ordering::SeqCst) == 0 {
                continue;
            }
            let Ok(server) = TcpStream::connect(server) else { return };
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(back.0, back.1, || true));
            let go_on = move || {
                let one_less = |left: usize| left.checked_sub(1);
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                    .is_ok_and(|before| before > 1)
            };
            thread::spawn(move || pass(client, server, go_on));
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut go_on: impl FnMut() -> bool) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let sent = bytes.get(..count).is_some_and(|bytes| to.write_all(bytes).is_ok());
        // What was read last does arrive, but its answer does not.
        if !sent || !go_on() {
            break;
        }
    }
    for stream in [&from, &to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}

#[test]
fn a_migration_that_breaks_off_anywhere_is_taken_up_again() {
    let from = furnished();
    let before = everything(&from);
    let mut interrupted = 0;
    for reads in 1.. {
        let to = World::new();
        let server = to.url().strip_prefix("https://").unwrap().parse().unwrap();
        let url = format!("https://{}", breaking_after(reads, server));
        let ended = migrate_by(&url, &from, &to, &["--jobs", "1"]);
        let whole = everything(&to);
        for (question, answer) in &whole {
            assert_eq!(
                before.get(question),
                Some(answer),
                "after {reads} reads, half of it: {question}"
            );
        }
        if ended.code == 0 {
            assert_eq!(whole, before);
            break;
        }
        assert!(matches!(ended.code, 65 | 69), "after {reads} reads: {ended:?}");
        interrupted += 1;
        let again = migrate(&from, &to, &[]);
        assert_eq!(again.code, 0, "after {reads} reads: {again:?}");
        assert_eq!(everything(&to), before, "after {reads} reads");
    }
    assert!(interrupted >= 8, "{interrupted} interruptions");
}

#[test]
fn who_is_missing_or_says_no_is_named() {
    let (mut from, to) = (World::new(), World::new());
    let ended = {
        let app = from.endpoint(Who::App);
        let words = ["migrate", "--from", from.url(), "--to", to.url(), "--from-socket", &app];
        to.run(Who::Pilot, &words)
    };
    let source = from.url().to_owned();
    let denied = "access denied: no policy gives this identity what it asked for";
    assert_eq!(
        ended,
        Ended::failed(77, &format!("Error: the source, {source}: {denied}\n"))
    );
    from.done(&["secret", "put", "p", "k=v"]);
    let ended = {
        let (pilot, app) = (from.endpoint(Who::Pilot), to.endpoint(Who::App));
        let words = [
            "migrate",
            "-q",
            "--from",
            &source,
            "--to",
            to.url(),
            "--from-socket",
            &pilot,
        ];
        to.run(Who::Pilot, &[&words[..], &["--to-socket", &app]].concat())
    };
    assert_eq!(
        (ended.code, ended.err),
        (77, format!("Error: the target, {}: {denied}\n", to.url()))
    );
    assert!(
        ended.out.contains("Secrets: 1 in the source, 1 not reached\n"),
        "{}",
        ended.out
    );
    from.stop_nexus();
    let ended = migrate(&from, &to, &[]);
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(
        ended
            .err
            .starts_with(&format!("Error: the source, {source}: nexus is unreachable: ")),
        "{ended:?}"
    );
}

#[test]
fn progress_goes_to_standard_error() {
    let (from, to) = (furnished(), World::new());
    let words = words(&from, &to, to.url(), &[]);
    let loud: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--quiet")
        .collect();
    let ended = to.run(Who::Pilot, &loud);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (0, "migrate: 2 of 2 policies\nmigrate: 8 of 8 secrets\n")
    );
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_before_anybody_is_asked() {
    let url = "https://localhost:1";
    for (words, text) in [
        (
            &["--from", url, "--to", "https://localhost:1/"][..],
            "--from and --to are the same Nexus",
        ),
        (
            &["--from", url, "--to", "https://b", "--from-trust-root", "a,,b"],
            "--from-trust-root: ",
        ),
        (
            &["--from", url, "--to", "https://b", "-f", "xml"],
            "invalid format 'xml'",
        ),
        (&["--from", "http://a", "--to", url], "it must start with https://"),
        (&["--from", url, "--to", "https://b", "--jobs", "0"], "--jobs"),
        (&["--from", url], "--to"),
    ] {
        let ended = spike(&[&["migrate"], words].concat());
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{words:?}");
        assert!(ended.err.contains(text), "{words:?}: {}", ended.err);
    }
}
