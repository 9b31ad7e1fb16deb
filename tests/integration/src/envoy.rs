//! The real Envoy, run with the files of `envoy/` in which only addresses are replaced.
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::client::parse;
use crate::{Program, workspace};

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    program: Program,
    listener: SocketAddr,
}

/// What a bootstrap file says, and what to say instead: every pair must occur.
pub type Replacement = (&'static str, String);

impl Envoy {
    /// Starts Envoy with `envoy/FILE` after the replacements, its listener on a free port.
    ///
    /// # Errors
    /// When a replaced text does not occur, or Envoy does not come up.
    pub fn start(directory: &Path, file: &str, replacements: &[Replacement]) -> Result<Self> {
        let admin = directory.join("envoy-admin.sock");
        let mut text = std::fs::read_to_string(workspace::root().join("envoy").join(file))?;
        let fixed = [
            ("/run/envoy/admin.sock", admin.display().to_string()),
            (
                "address: 0.0.0.0, port_value: 8443",
                "address: 127.0.0.1, port_value: 0".to_owned(),
            ),
        ];
        for (from, to) in fixed.iter().chain(replacements) {
            ensure!(text.contains(from), "envoy/{file} does not say `{from}`");
            text = text.replace(from, to);
        }
        let bootstrap = directory.join(file);
        std::fs::write(&bootstrap, text)?;
        let mut command = Command::new(workspace::envoy()?);
        command
            .arg("-c")
            .arg(&bootstrap)
            .args(["--use-dynamic-base-id", "--concurrency", "1", "-l", "info"]);
        let mut program = Program::start("envoy", command, directory)?;
        let listener = program.wait_for("a live server with a listener", || listener(&admin))?;
        Ok(Self { program, listener })
    }

    /// Where its listener is.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// The program, for its log.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }
}

/// The address of the first listener, once the server is live and the listener has its certificates.
fn listener(admin: &Path) -> Option<SocketAddr> {
    if ask(admin, "/ready")?.trim() != "LIVE" {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_str(&ask(admin, "/listeners?format=json")?).ok()?;
    let socket = answer.pointer("/listener_statuses/0/local_address/socket_address")?;
    let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// One GET on Envoy's admin socket; the body of the answer.
fn ask(admin: &Path, path: &str) -> Option<String> {
    let mut stream = UnixStream::connect(admin).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(parse(&answer).ok()?.text())
}
