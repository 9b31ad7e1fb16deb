#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};

use super::*;
use crate::config::{Environment, Layers};

fn ask(endpoint: &Endpoint, head: &str) -> String {
    let mut text = String::new();
    let request = format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    match endpoint {
        Endpoint::Tcp(address) => {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_string(&mut text).unwrap();
        }
        Endpoint::Unix(path) => {
            let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_string(&mut text).unwrap();
        }
    }
    text
}

fn view(readiness: &Readiness) -> View {
    let layers = Layers::from_text("a.yaml", "token: canary\n", Environment::default(), &[]);
    layers.root().key("token").secret().string().optional();
    View {
        program: "spike-test",
        version: "1.2.3",
        readiness: readiness.clone(),
        registry: Registry::new("spike-test", "1.2.3"),
        config: layers.finish().unwrap(),
    }
}

#[tokio::test]
async fn shows_the_program_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let unix = Endpoint::Unix(directory.path().join("admin.sock"));
    for wanted in [Endpoint::Tcp("127.0.0.1:0".parse().unwrap()), unix] {
        let (readiness, startup) = Readiness::new();
        let admin = Admin::bind(&wanted, view(&readiness)).unwrap();
        let endpoint = admin.endpoint().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(admin.run(stop.clone()));
        let asked = tokio::task::spawn_blocking(move || {
            let starts = |head: &str, start: &str, holds: &str| {
                let answer = ask(&endpoint, head);
                assert!(answer.starts_with(start) && answer.contains(holds), "{head}: {answer}");
            };
            starts("GET /live HTTP/1.1", "HTTP/1.1 200", "live\n");
            starts("GET /ready HTTP/1.1", "HTTP/1.1 503", "waiting for: startup\n");
            drop(startup);
            starts("GET /ready?x HTTP/1.1", "HTTP/1.1 200", "ready\n");
            starts("GET /metrics HTTP/1.1", "HTTP/1.1 200", "spike_ready 1");
            starts(
                "GET /version HTTP/1.1",
                "HTTP/1.1 200",
                r#"{"program":"spike-test","version":"1.2.3"}"#,
            );
            starts("GET /config HTTP/1.1", "HTTP/1.1 200", r#""value": "(secret)""#);
            starts("HEAD /live HTTP/1.1", "HTTP/1.1 200", "content-length: 5");
            starts("POST /live HTTP/1.1", "HTTP/1.1 405", "only GET and HEAD");
            for path in ["/", "/live/", "//live", "/../live", "/debug", "/LIVE"] {
                starts(&format!("GET {path} HTTP/1.1"), "HTTP/1.1 404", "only /live");
            }
        });
        asked.await.unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let read = |listen: &str| {
        let text = format!("admin: {{listen: '{listen}'}}\n");
        let layers = Layers::from_text("a.yaml", &text, Environment::default(), &[]);
        let endpoint = Admin::read(&layers.root().section("admin"));
        layers.finish().map(|_| endpoint)
    };
    for listen in [
        "127.0.0.1:9901",
        "[::1]:0",
        "127.8.8.8:1",
        "[::ffff:127.0.0.1]:1",
        "unix:///run/admin.sock",
    ] {
        assert!(read(listen).unwrap().is_some(), "{listen}");
    }
    for listen in [
        "0.0.0.0:9901",
        ":9901",
        "[::]:1",
        "192.168.0.1:1",
        "169.254.1.1:1",
        "[fe80::1]:1",
    ] {
        let faults = read(listen).unwrap_err();
        let expected = "a.yaml:1:17: admin.listen: not accepted";
        assert!(faults.to_string().starts_with(expected), "{listen}: {faults}");
    }
}
