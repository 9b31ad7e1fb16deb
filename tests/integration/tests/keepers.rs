//! Our Nexus with official Keepers and the official Bootstrap under real SPIRE: the root key comes, stays and goes as
//! in SPIKE, and shares and ciphertexts of one are good for the other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spike_integration::official::{self, Keepers, OfficialNexus, OfficialStore};
use spike_integration::{Caller, Program, Spire, workspace};

const SECRET: &str = "tenants/acme/db/creds";
/// How long anything may take; it only bounds a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Real SPIRE, three official Keepers, and callers.
struct Field {
    keepers: Keepers,
    pilot: Caller,
    lite: Caller,
    web: Caller,
    recover: Caller,
    restore: Caller,
    nexus: Caller,
    spire: Spire,
    directory: PathBuf,
    _kept: tempfile::TempDir,
}

/// Our Nexus, told by the same variables as the official one.
struct Ours {
    program: PathBuf,
    directory: PathBuf,
    variables: Vec<(&'static str, String)>,
    address: SocketAddr,
    running: Option<Program>,
}

impl Field {
    fn start() -> Self {
        let kept = tempfile::Builder::new().prefix("spike-").tempdir().unwrap();
        let directory = kept.path().to_owned();
        let mut spire = Spire::start(&directory).unwrap();
        spire.register_all(official::USERS).unwrap();
        Self {
            keepers: Keepers::start(&spire.socket(), &directory, 3).unwrap(),
            pilot: caller(&spire, official::PILOT),
            lite: caller(&spire, official::LITE),
            web: caller(&spire, official::WEB),
            recover: caller(&spire, official::RECOVER),
            restore: caller(&spire, official::RESTORE),
            nexus: caller(&spire, official::NEXUS),
            spire,
            directory,
            _kept: kept,
        }
    }

    fn ours(&self, store: &str) -> Ours {
        let directory = self.directory.join(format!("ours-{store}"));
        std::fs::create_dir(&directory).unwrap();
        std::os::unix::fs::chown(&directory, Some(official::NEXUS), Some(official::NEXUS)).unwrap();
        let address = official::free_address().unwrap();
        let mut variables = official::environment(&self.spire.socket());
        variables.extend([
            ("SPIKE_NEXUS_BACKEND_STORE", store.to_owned()),
            ("SPIKE_NEXUS_DATA_DIR", directory.display().to_string()),
            ("SPIKE_NEXUS_TLS_PORT", address.to_string()),
            ("SPIKE_NEXUS_KEEPER_PEERS", self.keepers.peers()),
            ("SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL", "250ms".to_owned()),
            ("SPIKE_NEXUS_SHAMIR_SHARES", "3".to_owned()),
            ("SPIKE_SYSTEM_LOG_LEVEL", "INFO".to_owned()),
        ]);
        let program = official::copied(&workspace::built("spike-nexus").unwrap(), &self.directory).unwrap();
        let mut ours = Ours {
            program,
            directory,
            variables,
            address,
            running: None,
        };
        ours.start();
        ours
    }

    fn bootstrap(&self, nexus: SocketAddr) -> String {
        official::bootstrap(&self.spire, &self.directory, &self.keepers, nexus).unwrap()
    }

    /// What the official command line says as this user, with this on its standard input.
    fn official(&self, user: u32, nexus: SocketAddr, arguments: &[&str], input: &str) -> String {
        let program = official::on_path("spike-official-spike", &self.directory).unwrap();
        let home = self.home(user);
        let mut child = official::client(&self.spire, user, &program, nexus)
            .args(arguments)
            .env("HOME", &home)
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn home(&self, user: u32) -> PathBuf {
        let home = self.directory.join(format!("home-{user}"));
        std::fs::create_dir_all(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(user), Some(user)).unwrap();
        home
    }

    /// The shares that the official command line saves from this Nexus, as it writes them (`spike:1:...`).
    fn recovered(&self, nexus: SocketAddr) -> Vec<String> {
        let said = self.official(official::RECOVER, nexus, &["operator", "recover"], "");
        let directory = self.home(official::RECOVER).join(".spike/recover");
        let share = |id: u8| {
            let file = directory.join(format!("spike.recovery.{id}.txt"));
            let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}\n{said}", file.display()));
            assert!(text.starts_with(&format!("spike:{id}:")), "{said}");
            text.trim().to_owned()
        };
        (1..=3).map(share).collect()
    }

    /// Feeds one share to a Nexus by the official command line.
    fn restored(&self, nexus: SocketAddr, share: &str) -> String {
        self.official(
            official::RESTORE,
            nexus,
            &["operator", "restore"],
            &format!("{share}\n"),
        )
    }

    /// All Keepers lose what they hold.
    fn empty_all_keepers(&mut self) {
        for index in 0..3 {
            self.keepers.kill(index).unwrap();
            self.keepers.start_again(index).unwrap();
        }
    }

    /// What a Keeper holds: asked as a Nexus asks.
    async fn shard(&self, index: usize) -> Option<Value> {
        let keeper = self.keepers.address(index).unwrap();
        let answer = self.nexus.raw(keeper, &post("/v1/store/shard", "{}")).await.unwrap();
        let body: Value = serde_json::from_str(&answer.text()).unwrap();
        (answer.status == 200).then(|| body["shard"].clone())
    }

    /// Waits until a Keeper holds this.
    async fn holds(&self, index: usize, shard: &Value) {
        let deadline = Instant::now() + PATIENCE;
        while self.shard(index).await.as_ref() != Some(shard) {
            assert!(Instant::now() < deadline, "Keeper {index} does not get its shard");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Ours {
    fn start(&mut self) {
        let mut command = Spire::run_as(official::NEXUS, &self.program);
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("HOME", &self.directory)
            .current_dir(&self.directory);
        let log = self.directory.parent().unwrap();
        let name = self.directory.file_name().unwrap().to_str().unwrap();
        let mut program = Program::start(name, command, log).unwrap();
        program.wait_for_line("\"serving\"").unwrap();
        self.running = Some(program);
    }

    fn wait_until_open(&mut self) {
        self.running
            .as_mut()
            .unwrap()
            .wait_for_line("spike-nexus ready:")
            .unwrap();
    }

    fn output(&self) -> String {
        self.running.as_ref().unwrap().output()
    }

    /// Crashes and starts again, sealed.
    fn restart(&mut self) {
        self.running.take().unwrap().kill().unwrap();
        self.start();
    }
}

fn caller(spire: &Spire, uid: u32) -> Caller {
    let directory = spire.write_svid(uid).unwrap();
    for (from, to) in [
        ("svid.0.pem", "svid.pem"),
        ("svid.0.key", "key.pem"),
        ("bundle.0.pem", "bundle.pem"),
    ] {
        std::fs::rename(directory.join(from), directory.join(to)).unwrap();
    }
    Caller::from_files(&directory).unwrap()
}

fn post(target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn asked(caller: &Caller, nexus: SocketAddr, target: &str, body: &str) -> (u16, Value) {
    let answer = caller.raw(nexus, &post(target, body)).await.unwrap();
    (
        answer.status,
        serde_json::from_str(&answer.text()).unwrap_or(Value::Null),
    )
}

async fn status(caller: &Caller, nexus: SocketAddr) -> u16 {
    asked(caller, nexus, "/v1/store/secrets?action=list", "{}").await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn our_nexus_opens_with_official_keepers_and_bootstrap_and_outlives_each_of_them() {
    let mut field = Field::start();
    let mut ours = field.ours("sqlite");
    assert_eq!(
        asked(&field.pilot, ours.address, "/v1/store/secrets?action=list", "{}").await,
        (503, json!({"err": "state_not_ready"}))
    );
    assert_eq!(asked(&field.pilot, ours.address, "/nowhere", "{}").await.0, 503);
    // It ends well only when our Nexus has proved that it holds the root key.
    let said = field.bootstrap(ours.address);
    ours.wait_until_open();
    assert_eq!(status(&field.pilot, ours.address).await, 200, "{said}");
    let pilot = |arguments: &[&str]| field.official(official::PILOT, ours.address, arguments, "");
    let said = pilot(&["secret", "put", SECRET, "password=s3cr3t"]);
    assert!(said.contains("OK"), "{said}");
    let mut shards = Vec::new();
    for index in 0..3 {
        shards.push(field.shard(index).await.unwrap());
    }

    for (index, shard) in shards.iter().enumerate() {
        field.keepers.kill(index).unwrap();
        field.keepers.start_again(index).unwrap();
        field.holds(index, shard).await;
        ours.restart();
        ours.wait_until_open();
        let said = field.official(official::PILOT, ours.address, &["secret", "get", SECRET], "");
        assert!(said.contains("password: s3cr3t"), "Keeper {index}: {said}");
    }
    // All three at once, while our Nexus lives.
    field.empty_all_keepers();
    for (index, shard) in shards.iter().enumerate() {
        field.holds(index, shard).await;
    }
    ours.restart();
    ours.wait_until_open();

    // A new root key goes to the official Keepers, and comes back from them.
    let (rekeyed, answer) = asked(&field.pilot, ours.address, "/v1/operator/rekey", "{}").await;
    assert_eq!(rekeyed, 200, "{answer}");
    for (index, old) in shards.iter().enumerate() {
        assert_ne!(field.shard(index).await.as_ref(), Some(old), "Keeper {index}");
    }
    ours.restart();
    ours.wait_until_open();
    let said = field.official(official::PILOT, ours.address, &["secret", "get", SECRET], "");
    assert!(said.contains("password: s3cr3t"), "{said}");

    // Bootstrapped anew, they hold a key that does not fit: it is not used, and nothing is lost.
    drop(ours.running.take());
    let elsewhere = official::free_address().unwrap();
    let program = official::on_path("spike-official-bootstrap", &field.directory).unwrap();
    drop(overwritten(&field, &program, elsewhere));
    ours.start();
    ours.running
        .as_mut()
        .unwrap()
        .wait_for_line("does not fit the database")
        .unwrap();
    assert_eq!(status(&field.pilot, ours.address).await, 503);
    assert!(!ours.output().contains("spike-nexus ready:"), "{}", ours.output());
}

/// Bootstrap gives the Keepers another root key; there is no Nexus that could prove anything.
fn overwritten(field: &Field, program: &Path, nexus: SocketAddr) -> std::process::Output {
    Spire::run_as(official::BOOTSTRAP, program)
        .arg("-init")
        .envs(official::environment(&field.spire.socket()))
        .env("SPIKE_NEXUS_KEEPER_PEERS", field.keepers.peers())
        .env("SPIKE_NEXUS_SHAMIR_SHARES", "3")
        .env("SPIKE_NEXUS_API_URL", format!("https://{nexus}"))
        .env("SPIKE_BOOTSTRAP_INIT_VERIFICATION_TIMEOUT", "1s")
        .env("HOME", &field.directory)
        .current_dir(&field.directory)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_and_ciphertexts_of_the_official_nexus_are_good_for_ours_and_shares_of_ours_for_it() {
    let mut field = Field::start();
    let mut theirs = OfficialNexus::start(
        &field.spire,
        &field.directory,
        OfficialStore::Sqlite,
        Some(&field.keepers),
    )
    .unwrap();
    field.bootstrap(theirs.address());
    theirs.wait_until_open().unwrap();
    let put = ["secret", "put", SECRET, "password=s3cr3t"];
    let said = field.official(official::PILOT, theirs.address(), &put, "");
    assert!(said.contains("OK"), "{said}");
    let mut ours = field.ours("sqlite");
    ours.wait_until_open();
    let said = field.official(official::PILOT, ours.address, &put, "");
    assert!(said.contains("OK"), "{said}");

    // What the official cipher sealed, in both of its modes, opens here.
    let (status_, sealed) = asked(
        &field.lite,
        theirs.address(),
        "/v1/cipher/encrypt",
        r#"{"plaintext":"aGk="}"#,
    )
    .await;
    assert_eq!(status_, 200, "{sealed}");
    assert_eq!(
        asked(&field.lite, ours.address, "/v1/cipher/decrypt", &sealed.to_string()).await,
        (200, json!({"plaintext": "aGk="}))
    );
    let stream = field.official(
        official::PILOT,
        theirs.address(),
        &["cipher", "encrypt", "--out", "sealed"],
        "attack",
    );
    let opened = field.official(
        official::PILOT,
        ours.address,
        &["cipher", "decrypt", "--file", "sealed"],
        "",
    );
    assert_eq!(opened, "attack", "{stream}");
    assert_eq!(
        asked(&field.web, ours.address, "/v1/cipher/decrypt", &sealed.to_string())
            .await
            .0,
        401
    );

    // Both hand out the same shares.
    let shares = field.recovered(theirs.address());
    assert_eq!(shares, field.recovered(ours.address));

    // The official ones open ours, and the Keepers hold them again.
    let shard = field.shard(0).await.unwrap();
    theirs.kill().unwrap();
    drop(ours.running.take());
    field.empty_all_keepers();
    ours.start();
    assert_eq!(status(&field.pilot, ours.address).await, 503);
    let said = field.restored(ours.address, &shares[2]);
    assert!(said.contains("Shards collected:  1"), "{said}");
    assert_eq!(status(&field.pilot, ours.address).await, 503);
    let said = field.restored(ours.address, &shares[0]);
    assert!(said.contains("restored and ready"), "{said}");
    let get = ["secret", "get", SECRET];
    let said = field.official(official::PILOT, ours.address, &get, "");
    assert!(said.contains("password: s3cr3t"), "{said}");
    field.holds(0, &shard).await;

    // Ours open the official one.
    let shares = field.recovered(ours.address);
    drop(ours.running.take());
    field.empty_all_keepers();
    theirs.start_again().unwrap();
    assert_eq!(status(&field.pilot, theirs.address()).await, 503);
    field.restored(theirs.address(), &shares[1]);
    let said = field.restored(theirs.address(), &shares[2]);
    assert!(said.contains("restored and ready"), "{said}");
    let said = field.official(official::PILOT, theirs.address(), &get, "");
    assert!(said.contains("password: s3cr3t"), "{said}");
    // And the Keepers that it filled open ours.
    field.holds(0, &shard).await;
    ours.start();
    ours.wait_until_open();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lite_nexus_of_ours_answers_as_the_official_one() {
    let field = Field::start();
    let mut theirs = OfficialNexus::start(
        &field.spire,
        &field.directory,
        OfficialStore::Lite,
        Some(&field.keepers),
    )
    .unwrap();
    field.bootstrap(theirs.address());
    theirs.wait_until_open().unwrap();
    let mut ours = field.ours("lite");
    ours.wait_until_open();
    let callers = [
        ("pilot", &field.pilot),
        ("lite", &field.lite),
        ("web", &field.web),
        ("recover", &field.recover),
        ("restore", &field.restore),
        ("nexus", &field.nexus),
    ];
    let requests = [
        ("/v1/store/secrets", r#"{"path":"a","values":{"k":"v"}}"#),
        ("/v1/store/secrets?action=get", r#"{"path":"a"}"#),
        ("/v1/store/secrets?action=list", "{}"),
        ("/v1/store/secrets?action=delete", r#"{"path":"a"}"#),
        ("/v1/store/secrets?action=undelete", r#"{"path":"a"}"#),
        ("/v1/store/secrets/metadata?action=get", r#"{"path":"a"}"#),
        ("/v1/acl/policy", "{}"),
        ("/v1/acl/policy?action=list", "{}"),
        ("/v1/acl/policy?action=get", r#"{"name":"a"}"#),
        ("/v1/acl/policy?action=delete", r#"{"name":"a"}"#),
        ("/v1/cipher/encrypt?action=x", "{}"),
        ("/v1/cipher/encrypt", "no json"),
        ("/v1/cipher/decrypt", "no json"),
        ("/v1/bootstrap/verify", "{}"),
        ("/v1/operator/restore", "{}"),
        ("/v1/operator/recover", "{}"),
        ("/nowhere", "{}"),
    ];
    let mut compared = 0;
    for (who, caller) in callers {
        for (target, body) in requests {
            let official = asked(caller, theirs.address(), target, body).await;
            let own = asked(caller, ours.address, target, body).await;
            assert_eq!(own, official, "{who} asks {target} with {body}");
            compared += 1;
        }
        let encrypt = ("/v1/cipher/encrypt", r#"{"plaintext":"aGk="}"#);
        let (official, sealed) = asked(caller, theirs.address(), encrypt.0, encrypt.1).await;
        let (own, sealed_here) = asked(caller, ours.address, encrypt.0, encrypt.1).await;
        assert_eq!(own, official, "{who}");
        for sealed in [sealed, sealed_here] {
            let opened = asked(caller, ours.address, "/v1/cipher/decrypt", &sealed.to_string()).await;
            assert_eq!(opened.0, official, "{who}: {}", opened.1);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 19);
    // What it sealed before a restart, it opens afterwards.
    let sealed = asked(
        &field.lite,
        ours.address,
        "/v1/cipher/encrypt",
        r#"{"plaintext":"aGk="}"#,
    )
    .await
    .1;
    ours.restart();
    ours.wait_until_open();
    assert_eq!(
        asked(&field.lite, ours.address, "/v1/cipher/decrypt", &sealed.to_string()).await,
        (200, json!({"plaintext": "aGk="}))
    );
}
