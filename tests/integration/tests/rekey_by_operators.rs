//! A root key that people keep, through the real programs: `spike-nexus` with `key: operator` and `spike operator …`.
//! They open it with their shards, change the key, and from then on only the new shards open it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use spike_integration::{Mesh, MeshOptions, Program, workspace};

const SHARDS: usize = 3;
const DENIED: i32 = 77;
const BAD_DATA: i32 = 65;
const UNAVAILABLE: i32 = 69;

/// A mesh whose separate Nexus was made with a key file and is run with `key: operator` from then on.
struct Custody {
    mesh: Mesh,
    nexus: Option<Program>,
}

/// The files of one set of shards.
#[derive(Clone, Debug)]
struct Shards(Vec<PathBuf>);

impl Shards {
    /// Those that a command has written into this directory.
    fn in_directory(directory: &Path) -> Self {
        let file = |number: usize| directory.join(format!("spike.recovery.{number}.txt"));
        let files: Vec<PathBuf> = (1..=SHARDS).map(file).collect();
        for file in &files {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        Self(files)
    }

    fn file(&self, number: usize) -> &str {
        self.0.get(number - 1).unwrap().to_str().unwrap()
    }

    fn text(&self, number: usize) -> String {
        std::fs::read_to_string(self.file(number)).unwrap()
    }
}

impl Custody {
    /// An open Nexus with one secret, and then the same database without a key on the machine: its shards are all that
    /// is left of it.
    async fn begin() -> (Self, Shards) {
        let mesh = Mesh::start(MeshOptions::without_envoy().apart()).await.unwrap();
        let mut custody = Self { mesh, nexus: None };
        custody.done("pilot", &["secret", "put", "kept", "v=1"]);
        let old = custody.recover("first");
        custody.mesh.separate_nexus().unwrap().stop().unwrap();
        std::fs::remove_file(custody.directory().join("data/root.key")).unwrap();
        let file = custody.directory().join("spike-nexus.yaml");
        let yaml = std::fs::read_to_string(&file).unwrap();
        let (port, ours) = ("listen: \"127.0.0.1:0\"", custody.mesh.nexus_address());
        let changed = yaml
            .replace(port, &format!("listen: \"{ours}\""))
            .replace("store: {", "store: {key: operator, ");
        assert!(changed.contains("key: operator") && !changed.contains(port), "{yaml}");
        std::fs::write(&file, changed).unwrap();
        custody.start_sealed();
        (custody, old)
    }

    fn directory(&self) -> &Path {
        self.mesh.directory()
    }

    /// Starts it again; it waits for its key.
    fn start_sealed(&mut self) {
        if let Some(mut running) = self.nexus.take() {
            running.stop().unwrap();
        }
        let mut command = Command::new(workspace::built("spike-nexus").unwrap());
        command.arg("--config").arg(self.directory().join("spike-nexus.yaml"));
        let mut nexus = Program::start("spike-nexus-sealed", command, self.directory()).unwrap();
        nexus.wait_for_line("\"serving\"").unwrap();
        self.nexus = Some(nexus);
        assert_eq!(self.secret(), Err(UNAVAILABLE), "it serves without its key");
        assert!(self.status().contains("State         : sealed"));
    }

    fn nexus(&mut self) -> &mut Program {
        self.nexus.as_mut().unwrap()
    }

    fn run(&self, who: &str, words: &[&str], input: &str) -> (i32, String, String) {
        let said = self.mesh.spike_as(who).unwrap().run_with(words, input).unwrap();
        (said.code, said.out, said.err)
    }

    /// What a command printed that must succeed.
    fn done(&self, who: &str, words: &[&str]) -> String {
        let (code, out, err) = self.run(who, words, "");
        assert_eq!(code, 0, "{who} {words:?}: {err}");
        out
    }

    /// What a command said that must fail like this.
    fn refused(&self, who: &str, words: &[&str], code: i32) -> String {
        let (got, out, err) = self.run(who, words, "");
        assert_eq!(got, code, "{who} {words:?}: {out}{err}");
        err
    }

    fn status(&self) -> String {
        self.done("pilot", &["operator", "status"])
    }

    fn secret(&self) -> Result<String, i32> {
        let (code, out, _) = self.run("pilot", &["secret", "get", "kept"], "");
        if code == 0 {
            Ok(out.trim().to_owned())
        } else {
            Err(code)
        }
    }

    /// Fetches the shards of the key in force.
    fn recover(&self, name: &str) -> Shards {
        let base = self.directory().join(name);
        self.done(
            "recover",
            &["operator", "recover", "--directory", base.to_str().unwrap()],
        );
        Shards::in_directory(&base.join("recover"))
    }

    /// Begins a change of the key; the shards of the new one.
    fn rekey(&self, name: &str) -> Shards {
        let base = self.directory().join(name);
        let words = ["operator", "rekey", "--directory", base.to_str().unwrap()];
        assert!(self.refused("pilot", &words, DENIED).contains("'recover' SPIFFE ID"));
        let said = self.done("recover", &words);
        assert!(said.contains("Saved 3 shards of the new root key"), "{said}");
        assert!(said.contains("spike operator rekey --confirm"), "{said}");
        assert!(self.status().contains("Rekey         : pending"));
        Shards::in_directory(&base.join("rekey"))
    }

    /// Hands two shards in, as two people do: one types it, the other has a file.
    fn restore(&mut self, shards: &Shards, (one, other): (usize, usize)) {
        let (code, out, err) = self.run("restore", &["operator", "restore"], &shards.text(one));
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("Shards collected:  1\n Shards remaining:  1"), "{out}");
        let out = self.done("restore", &["operator", "restore", "--file", shards.file(other)]);
        assert!(out.contains("SPIKE is now restored and ready to use."), "{out}");
        self.nexus().wait_for_line("ready: nexus=").unwrap();
        assert!(self.secret().unwrap().contains('1'), "{:?}", self.secret());
    }

    /// Hands one shard of the new key in.
    fn confirm(&self, shards: &Shards, number: usize) -> (i32, String, String) {
        let words = ["operator", "rekey", "--confirm", "--file", shards.file(number)];
        self.run("recover", &words, "")
    }

    /// Two shards that must not open it, and after which it is as sealed as before.
    fn is_refused(&mut self, one: &str, other: &str) {
        let words = ["operator", "restore", "--file", one, "--file", other];
        let said = self.refused("restore", &words, BAD_DATA);
        let why = "the shards that were handed in give a root key that does not fit the database";
        assert!(
            said.contains(why) && said.contains("all must be handed in again"),
            "{said}"
        );
        assert_eq!(self.secret(), Err(UNAVAILABLE));
        let status = self.status();
        assert!(status.contains("State         : sealed"), "{status}");
        assert!(!status.contains("handed in"), "they are forgotten: {status}");
        let why = "the shares give a root key that does not fit the database; they are forgotten";
        self.nexus().wait_for_line(why).unwrap();
    }

    /// No key lies on the machine, and no shard was ever said.
    fn kept_nothing(mut self, sets: &[&Shards]) {
        self.nexus().stop().unwrap();
        let data = self.directory().join("data");
        let names = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().file_name());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["nexus.redb"], "in {}", data.display());
        let log = std::fs::read_to_string(self.directory().join("spike-nexus-sealed.log")).unwrap();
        let shards = sets.iter().flat_map(|set| (1..=SHARDS).map(|number| set.text(number)));
        let mut looked = 0;
        for shard in shards {
            let hex = shard.trim().rsplit(':').next().unwrap().to_owned();
            assert_eq!(hex.len(), 64);
            assert!(!log.contains(&hex), "a shard is in the log or the audit");
            looked += 1;
        }
        assert_eq!(looked, sets.len() * SHARDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_change_their_key_and_only_the_new_shards_open_the_next_start() {
    let (mut custody, old) = Custody::begin().await;
    custody.restore(&old, (3, 1));
    let new = custody.rekey("changed");

    // Until it is confirmed the old key is the one in force, over a restart, too.
    assert_eq!(custody.recover("in-force").text(1), old.text(1));
    custody.start_sealed();
    custody.restore(&old, (1, 2));
    assert!(custody.status().contains("Rekey         : pending"));
    // Who hands in the old shards has not shown that the new ones arrived.
    assert_eq!(custody.confirm(&old, 1).0, 0);
    let (code, _, said) = custody.confirm(&old, 2);
    assert_eq!(code, BAD_DATA, "{said}");
    assert!(said.contains("the shares do not give the new root key"), "{said}");
    let (code, out, err) = custody.confirm(&new, 2);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Shards collected: 1\nShards remaining: 1"), "{out}");
    let (code, out, err) = custody.confirm(&new, 3);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("The new root key is in force"), "{out}");
    assert!(custody.status().contains("Rekey         : none"));
    assert!(custody.secret().is_ok());

    // What can be fetched now are the shards that were given out.
    let fetched = custody.recover("fetched");
    for number in 1..=SHARDS {
        assert_eq!(fetched.text(number), new.text(number), "shard {number}");
        assert_ne!(fetched.text(number), old.text(number), "shard {number}");
    }
    custody.start_sealed();
    custody.is_refused(old.file(1), old.file(2));
    custody.is_refused(old.file(1), fetched.file(2));
    custody.restore(&fetched, (2, 1));
    custody.kept_nothing(&[&old, &new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_shards_that_open_the_next_start_end_the_change_by_themselves() {
    let (mut custody, old) = Custody::begin().await;
    custody.restore(&old, (1, 2));
    let new = custody.rekey("changed");
    // The server dies before anybody has confirmed.
    custody.nexus().kill().unwrap();
    custody.nexus = None;
    custody.start_sealed();
    custody.restore(&new, (1, 3));
    assert!(custody.status().contains("Rekey         : none"));
    custody.start_sealed();
    custody.is_refused(old.file(2), old.file(3));
    custody.restore(&new, (2, 3));

    // A second change that is given up leaves the key as it is.
    let dropped = custody.rekey("dropped");
    let said = custody.done("recover", &["operator", "rekey", "--cancel"]);
    assert!(said.contains("The old root key stays"), "{said}");
    custody.start_sealed();
    custody.is_refused(dropped.file(1), dropped.file(2));
    custody.restore(&new, (3, 2));
    custody.kept_nothing(&[&old, &new, &dropped]);
}
