//! A backup that is cut off on its way, through the real command line: the server dies, the connection breaks at any
//! byte, or the command itself is killed. None of that leaves a file that passes for a backup.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spike_integration::cli::Said;
use spike_integration::{Mesh, MeshOptions, Spike, workspace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

const SECRETS: usize = 100;
const UNAVAILABLE: i32 = 69;
const BAD_DATA: i32 = 65;

/// How a wire ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing more comes.
    Silent,
    /// As when a process is gone.
    Closed,
    /// As when a router has forgotten the connection.
    Reset,
}

/// A wire to the server that stops after so many bytes to the client, until it is told to end.
struct Wire {
    address: SocketAddr,
    carried: watch::Receiver<u64>,
    limit: u64,
    end: Option<oneshot::Sender<End>>,
    task: JoinHandle<()>,
}

impl Wire {
    async fn to(server: SocketAddr, limit: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, carried) = watch::channel(0);
        let (end, ending) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            // Small, so that what is not carried stays with the server.
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(128 << 10).unwrap();
            let server = socket.connect(server).await.unwrap();
            carry((client, server), (limit, &tell), ending).await;
        });
        Self {
            address,
            carried,
            limit,
            end: Some(end),
            task,
        }
    }

    /// Waits until it has stopped, or until everything was carried.
    async fn is_full(&mut self) -> bool {
        let limit = self.limit;
        self.carried.wait_for(|bytes| *bytes >= limit).await.is_ok()
    }

    /// Ends it; how many bytes it has carried to the client.
    async fn end(mut self, how: End) -> u64 {
        // Unless it has ended already.
        let told = self.end.take().unwrap().send(how);
        self.task.await.unwrap();
        assert!(told.is_ok() || *self.carried.borrow() < self.limit);
        *self.carried.borrow()
    }
}

/// Carries everything to the server, and to the client as much as it may.
async fn carry(
    (client, server): (TcpStream, TcpStream),
    (limit, tell): (u64, &watch::Sender<u64>),
    ending: oneshot::Receiver<End>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        drop(tokio::io::copy(&mut from_client, &mut to_server).await);
        drop(to_server.shutdown().await);
    });
    let mut buffer = vec![0; 16 << 10];
    loop {
        let left = usize::try_from(limit - *tell.borrow()).unwrap();
        let room = left.min(buffer.len());
        if room == 0 {
            break;
        }
        match from_server.read(buffer.get_mut(..room).unwrap()).await {
            Ok(count) if count > 0 => {
                if to_client.write_all(buffer.get(..count).unwrap()).await.is_err() {
                    break;
                }
                tell.send_modify(|bytes| *bytes += u64::try_from(count).unwrap());
            }
            // The server has said all it had to say.
            Ok(_) | Err(_) => return,
        }
    }
    let how = ending.await.unwrap_or(End::Closed);
    if how == End::Silent {
        // The client gives up by itself.
        drop(up.await);
        return;
    }
    up.abort();
    if how == End::Reset {
        to_client.as_ref().set_zero_linger().unwrap();
    }
}

/// A server with something to save, and a place for backups.
struct Saving {
    mesh: Mesh,
    place: PathBuf,
}

impl Saving {
    async fn begin() -> Self {
        let mesh = Mesh::start(MeshOptions::without_envoy()).await.unwrap();
        let client = mesh.client("pilot").await.unwrap();
        let puts = (0..SECRETS).map(|number| {
            let client = client.clone();
            let value = [("value", format!("{number} ").repeat(5_000))];
            tokio::spawn(async move { client.put_secret(&format!("many/{number}"), value).await.unwrap() })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        let place = mesh.directory().join("backups");
        std::fs::create_dir(&place).unwrap();
        Self { mesh, place }
    }

    fn out(&self) -> PathBuf {
        self.place.join("nexus.backup")
    }

    /// What lies in the place of backups.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.place).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The environment of a command line that reaches the server by this wire.
    fn environment(&self, wire: SocketAddr) -> Vec<(&'static str, String)> {
        let mut environment = self.mesh.environment("pilot");
        for (name, value) in &mut environment {
            if *name == "SPIKE_NEXUS_API_URL" {
                *value = format!("https://localhost:{}", wire.port());
            }
        }
        // How long nothing may come.
        environment.push(("SPIKE_HTTP_CLIENT_RESPONSE_HEADER_TIMEOUT", "2s".to_owned()));
        environment
    }

    /// Starts a backup over a wire.
    fn take(&self, wire: &Wire, flags: &[&str]) -> JoinHandle<Said> {
        let spike = Spike::ours(&self.environment(wire.address)).unwrap();
        let out = self.out().display().to_string();
        let words = [&["operator", "backup", "--out", &out], flags].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            spike.run(&words).unwrap()
        })
    }

    /// Takes a whole backup over a wire, and gives how many bytes that was.
    async fn whole(&self) -> u64 {
        let wire = Wire::to(self.mesh.nexus_address(), u64::MAX).await;
        let said = self.take(&wire, &["--force"]).await.unwrap();
        assert_eq!(said.code, 0, "{}", said.err);
        wire.end(End::Closed).await
    }

    fn restore(&self, from: &Path) -> (i32, String) {
        let output = Command::new(workspace::built("spike-ext-authz").unwrap())
            .args(["restore-backup", "--config"])
            .arg(self.mesh.directory().join("spike-ext-authz.yaml"))
            .arg("--accept-rollback")
            .arg("--from")
            .arg(from)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// Waits until the server is done with so many backups, of which it takes one at a time; how many of them it could
    /// not send to their end.
    fn are_over(&mut self, backups: usize) -> usize {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.mesh.ext_authz().output();
            let seen = |what: &str| log.matches(what).count();
            let (whole, broken) = (seen("a backup was taken"), seen("a backup was begun and not finished"));
            if whole + broken >= backups {
                return broken;
            }
            assert!(Instant::now() < deadline, "{whole} and {broken} of {backups}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What must be said when the archive did not come to its end.
fn assert_cut(said: &Said, context: &str) {
    assert_eq!(said.code, UNAVAILABLE, "{context}: {}{}", said.out, said.err);
    let broke = said.err.starts_with("Error: The backup broke off after ");
    assert!(
        broke && said.err.contains("Nothing was saved: take it again."),
        "{context}: {}",
        said.err
    );
    assert_eq!(said.out, "", "{context}: it says that something was saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_server_is_killed_is_an_error_and_no_file() {
    let mut saving = Saving::begin().await;
    let all = saving.whole().await;
    let kept = std::fs::read(saving.out()).unwrap();
    for part in [all / 10, all / 2, all - all / 10] {
        let mut wire = Wire::to(saving.mesh.nexus_address(), part).await;
        let taking = saving.take(&wire, &["--force"]);
        assert!(wire.is_full().await, "nothing came");
        saving.mesh.ext_authz().kill().unwrap();
        assert_eq!(wire.end(End::Closed).await, part);
        let context = format!("killed after {part} of {all} bytes");
        assert_cut(&taking.await.unwrap(), &context);
        assert_eq!(saving.files(), [saving.out()], "{context}");
        assert!(
            std::fs::read(saving.out()).unwrap() == kept,
            "{context}: --force cost the old one"
        );
        saving.mesh.restart_ext_authz().unwrap();
    }
    // And without an old one there is none.
    std::fs::remove_file(saving.out()).unwrap();
    let mut wire = Wire::to(saving.mesh.nexus_address(), all / 2).await;
    let taking = saving.take(&wire, &[]);
    assert!(wire.is_full().await, "nothing came");
    saving.mesh.ext_authz().kill().unwrap();
    wire.end(End::Reset).await;
    assert_cut(&taking.await.unwrap(), "the last one");
    assert!(saving.files().is_empty(), "{:?}", saving.files());
    let (code, said) = saving.restore(&saving.out());
    assert!(
        code == UNAVAILABLE && said.contains("could not open it"),
        "{code} {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_byte_leaves_a_whole_backup_or_none() {
    let mut saving = Saving::begin().await;
    let all = saving.whole().await;
    let size = std::fs::metadata(saving.out()).unwrap().len();
    std::fs::remove_file(saving.out()).unwrap();
    assert!(size > 1 << 20 && all > size, "{size} bytes of {all}");
    // Through all of it, and then the last bytes, in which the end of the archive, of its encoding and of the
    // connection lie.
    let spread = (1..=20).map(|part| all * part / 21);
    let last = (1..=20).map(|part| all - 10 * part);
    let (mut cut, mut whole) = (0, 0);
    for (number, limit) in spread.chain(last).enumerate() {
        let end = if number % 2 == 0 { End::Closed } else { End::Reset };
        let mut wire = Wire::to(saving.mesh.nexus_address(), limit).await;
        let taking = saving.take(&wire, &[]);
        let full = wire.is_full().await;
        let carried = wire.end(end).await;
        let said = taking.await.unwrap();
        let context = format!("{end:?} after {carried} of {all} bytes");
        if said.code == 0 {
            // Only what comes behind the archive was cut off.
            assert!(carried > size, "{context}: {}", said.out);
            assert_eq!(std::fs::metadata(saving.out()).unwrap().len(), size, "{context}");
            assert_eq!(saving.files(), [saving.out()], "{context}");
            std::fs::remove_file(saving.out()).unwrap();
            whole += 1;
        } else {
            assert!(full, "{context}: {}", said.err);
            assert_cut(&said, &context);
            assert!(saving.files().is_empty(), "{context}: {:?}", saving.files());
            cut += 1;
        }
        // The first was a whole one.
        saving.are_over(number + 2);
    }
    assert_eq!(cut + whole, 40);
    assert!(cut > 20, "{cut} were cut off, {whole} were whole");
    let noticed = saving.are_over(41);
    assert!(noticed > 0, "the server has noticed none of {cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_command_leaves_does_not_pass_for_a_backup() {
    let mut saving = Saving::begin().await;
    let all = saving.whole().await;
    let whole = std::fs::read(saving.out()).unwrap();
    std::fs::remove_file(saving.out()).unwrap();
    let mut wire = Wire::to(saving.mesh.nexus_address(), all / 2).await;
    let mut command = Command::new(workspace::built("spike").unwrap())
        .args(["operator", "backup", "--out"])
        .arg(saving.out())
        .envs(saving.environment(wire.address))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wire.is_full().await, "nothing came");
    // Until what was carried is in the file, but for what the connection itself needs of it.
    let draft = loop {
        let files = saving.files();
        let written = files.iter().find(|file| file.metadata().unwrap().len() > all / 4);
        if let Some(draft) = written {
            break draft.clone();
        }
        tokio::task::yield_now().await;
    };
    command.kill().unwrap();
    command.wait().unwrap();
    wire.end(End::Closed).await;
    assert!(!saving.out().exists());
    assert_eq!(saving.files(), std::slice::from_ref(&draft));
    let left = std::fs::read(&draft).unwrap();
    assert!(left.len() < whole.len());
    saving.are_over(2);
    // It does not stand in the way of the next one.
    saving.whole().await;
    saving.mesh.ext_authz().kill().unwrap();
    let database = saving.mesh.directory().join("data/nexus.redb");
    let before = std::fs::read(&database).unwrap();
    let (code, said) = saving.restore(&draft);
    assert!(
        code == BAD_DATA && said.contains("it ends too early: it was cut off"),
        "{code} {said}"
    );
    assert!(std::fs::read(&database).unwrap() == before, "the database was touched");
    let (code, said) = saving.restore(&saving.out());
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_ends_with_an_error_in_time() {
    let saving = Saving::begin().await;
    let all = saving.whole().await;
    std::fs::remove_file(saving.out()).unwrap();
    let mut wire = Wire::to(saving.mesh.nexus_address(), all / 2).await;
    let taking = saving.take(&wire, &[]);
    assert!(wire.is_full().await, "nothing came");
    let ended = tokio::spawn(wire.end(End::Silent));
    let said = taking.await.unwrap();
    assert_cut(&said, "silence");
    assert!(said.err.contains("no answer in time"), "{}", said.err);
    assert!(saving.files().is_empty(), "{:?}", saving.files());
    ended.await.unwrap();
}
