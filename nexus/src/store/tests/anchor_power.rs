//! The power fails between any two operations on the anchor, and the database goes with it: what is left of both opens,
//! or is refused for what it is.
use std::path::PathBuf;
use std::sync::Arc;

use spike_audit::{Journal, Memory, Program, Settings, Target};
use spike_runtime::SystemClock;
use spike_runtime::metrics::Registry;

use super::test_disk::{Fault, TestDisk};
use super::test_volume::TestVolume;
use super::*;
use crate::store::anchor::{self, AnchorError, Anchoring, Found};
use crate::store::unfinished::Unfinished;
use crate::store::{Mode, Stage};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// How many selections are tried of what was not durable.
const TEARS: usize = 40;

fn anchor_path() -> PathBuf {
    PathBuf::from("/anchor")
}

/// A database and the volume of its anchor.
#[derive(Clone, Default)]
struct Image {
    database: Vec<u8>,
    files: Files,
}

/// The same, in use.
struct Machine {
    disk: TestDisk,
    volume: TestVolume,
}

impl Machine {
    fn of(image: &Image) -> Self {
        let disk = TestDisk::new(image.database.clone());
        let volume = TestVolume::new(&image.files, &disk);
        Self { disk, volume }
    }

    fn open(&self, accept_rollback: bool) -> Result<Store, OpenError> {
        let anchored = Tuning {
            anchor: Some(Anchoring {
                path: anchor_path(),
                accept_rollback,
            }),
            volume: Arc::new(self.volume.clone()),
            ..tuning()
        };
        Store::start(self.disk.disk(), root(), anchored)
    }

    /// What is there when the process has ended as it should.
    fn image(&self) -> Image {
        Image {
            database: self.disk.image(),
            files: self.volume.files(),
        }
    }

    fn after_power_cut(&self, chance: &mut Chance) -> Image {
        Image {
            database: self.disk.after_power_cut(chance),
            files: self.volume.after_power_cut(chance),
        }
    }

    /// What the anchor says to this database, and that one's last transaction.
    fn marks(&self) -> (Found, u64) {
        let seen = std::cell::Cell::new(None);
        let limits = tuning().seal_limits;
        let opened = self.disk.disk().open_if(&root(), limits, &|vault, manifest| {
            let found = anchor::look((&self.volume, &anchor_path()), vault)?;
            seen.set(Some((found, manifest.revision)));
            Ok(())
        });
        drop(opened.unwrap());
        seen.take().unwrap()
    }
}

/// An empty database that has never had an anchor.
fn new_database() -> Image {
    let disk = TestDisk::new(Vec::new());
    disk.disk().create(&root(), tuning().seal_limits).unwrap();
    Image {
        database: disk.image(),
        files: Files::new(),
    }
}

/// What a life of a store does with both, until the power is gone: three policies, and a new data key in between.
fn live(machine: &Machine, accept_rollback: bool) -> Result<Vec<String>, Vec<String>> {
    let mut kept = Vec::new();
    let Ok(store) = machine.open(accept_rollback) else {
        return Err(kept);
    };
    for name in ["one", "two", "three"] {
        if name == "two" {
            if wait(store.rotate()).is_err() {
                return Err(kept);
            }
            // Until the old data key is gone.
            while store.stats().re_encryption.stage != Stage::Done && !machine.volume.is_cut() {
                std::thread::yield_now();
            }
        }
        match wait(store.put_policy(rule(name, "^a$"), Mode::Upsert, at(1))) {
            // A commit that was answered stands, whatever happens to the anchor.
            Ok(_) => kept.push(name.to_owned()),
            Err(_) if machine.volume.is_cut() => return Err(kept),
            Err(other) => panic!("{other}"),
        }
    }
    let closed = wait(store.close());
    if machine.volume.is_cut() {
        return Err(kept);
    }
    closed.unwrap();
    Ok(kept)
}

/// How often each end was seen.
#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    opened: u64,
    refused: u64,
    without: u64,
    behind: u64,
    level: u64,
}

/// Cuts the power after each operation on the anchor, and looks at what is left.
fn every_cut(
    start: &Image,
    accept_rollback: bool,
    expected: impl Fn(&AnchorError) -> bool,
) -> (Tally, Vec<&'static str>) {
    let mut chance = Chance::new(0x5eed_0008);
    let seed = chance.seed;
    let mut tally = Tally::default();
    for n in 0.. {
        let machine = Machine::of(start);
        machine.volume.cut_after(n);
        let lived = live(&machine, accept_rollback);
        let Err(kept) = lived else {
            return (tally, machine.volume.operations());
        };
        tally.cuts += 1;
        for tear in 0..TEARS {
            let context = format!("seed {seed}, cut after {n} operations, tear {tear}");
            let left = Machine::of(&machine.after_power_cut(&mut chance));
            let (found, revision) = left.marks();
            match found {
                Found::Nothing => tally.without += 1,
                Found::Mark(mark) if mark.revision < revision => tally.behind += 1,
                Found::Mark(mark) if mark.revision == revision => tally.level += 1,
                Found::Mark(_) if accept_rollback => {}
                other => {
                    panic!("{context}: {other:?} for transaction {revision}: neither the old mark nor the new one")
                }
            }
            match left.open(false) {
                Ok(store) => {
                    let served = served(&store);
                    let whole = kept.iter().all(|name| served.contains_key(name));
                    assert!(whole, "{context}: {kept:?} were acknowledged, and {served:?} is there");
                    // It goes on as if nothing had been.
                    wait(store.put_policy(rule("later", "^b$"), Mode::Upsert, at(2))).unwrap();
                    wait(store.close()).unwrap();
                    drop(store);
                    let (found, revision) = left.marks();
                    assert!(
                        matches!(found, Found::Mark(mark) if mark.revision == revision),
                        "{context}: {found:?}"
                    );
                    tally.opened += 1;
                }
                Err(OpenError::Anchor(error)) if expected(&error) => {
                    assert!(kept.is_empty(), "{context}: {kept:?} were acknowledged: {error}");
                    tally.refused += 1;
                }
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
    unreachable!("the loop ends when no power fails")
}

#[test]
fn the_first_anchor_of_a_database_is_whole_or_not_there_whenever_the_power_fails() {
    let (tally, operations) = every_cut(&new_database(), false, |_| false);
    let made = ["create", "length", "write", "sync", "rename", "sync names"];
    assert_eq!(operations[..made.len()], made);
    assert!(tally.cuts > 10 && tally.refused == 0, "{tally:?}");
    assert!(tally.without > 0 && tally.behind > 0 && tally.level > 0, "{tally:?}");
}

#[test]
fn a_later_start_finds_the_old_mark_or_the_new_one_whenever_the_power_fails() {
    let machine = Machine::of(&new_database());
    live(&machine, false).unwrap();
    let (tally, operations) = every_cut(&machine.image(), false, |_| false);
    assert_eq!(operations[..3], ["write", "sync", "sync names"]);
    assert!(tally.cuts > 5 && tally.refused == 0 && tally.without == 0, "{tally:?}");
    assert!(tally.behind > 0 && tally.level > 0, "{tally:?}");
}

/// A database before and after a life, and the anchor after it.
fn rolled_back() -> (Image, Image) {
    let machine = Machine::of(&new_database());
    live(&machine, false).unwrap();
    let older = machine.image();
    live(&machine, false).unwrap();
    let newer = machine.image();
    let rolled_back = Image {
        database: older.database,
        files: newer.files.clone(),
    };
    (rolled_back, newer)
}

#[test]
fn a_rollback_is_accepted_as_a_whole_or_refused_again_whenever_the_power_fails() {
    let (rolled_back, newer) = rolled_back();
    let refused = Machine::of(&rolled_back).open(false).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Anchor(AnchorError::RolledBack { .. })),
        "{refused}"
    );
    let (tally, _) = every_cut(&rolled_back, true, |error| {
        matches!(error, AnchorError::RolledBack { .. })
    });
    assert!(tally.cuts > 5 && tally.opened > 0, "{tally:?}");
    // The newer one is the older one after that.
    let machine = Machine::of(&rolled_back);
    live(&machine, true).unwrap();
    let swapped = Image {
        database: newer.database,
        files: machine.volume.files(),
    };
    assert!(matches!(
        Machine::of(&swapped).open(false).unwrap_err(),
        OpenError::Anchor(AnchorError::RolledBack { .. })
    ));
}

#[test]
fn an_anchor_that_was_gone_is_made_anew_or_still_missed_whenever_the_power_fails() {
    let machine = Machine::of(&new_database());
    live(&machine, false).unwrap();
    let gone = Image {
        files: Files::new(),
        ..machine.image()
    };
    let (tally, _) = every_cut(&gone, true, |error| matches!(error, AnchorError::Gone(_)));
    assert!(tally.cuts > 10 && tally.opened > 0 && tally.refused > 0, "{tally:?}");
}

/// A machine whose store records what it does there.
fn recorded(machine: &Machine, root_key: RootKey, memory: &Memory, work: impl FnOnce(&Store)) {
    let settings = Settings::to(Target::Memory(memory.clone()));
    let program = Program {
        name: "test",
        version: "0",
    };
    let registry = Registry::new("test", "0");
    let (audit, writer) = Journal::open(&settings, program, SystemClock::shared(), &registry).unwrap();
    let told = Tuning {
        anchor: Some(Anchoring {
            path: anchor_path(),
            accept_rollback: false,
        }),
        volume: Arc::new(machine.volume.clone()),
        audit,
        unfinished: Unfinished::TakenBack,
        ..tuning()
    };
    work(&Store::start(machine.disk.disk(), root_key, told).unwrap());
    writer.unwrap().finish();
}

/// What happened: each `what` with its outcome.
fn happened(memory: &Memory) -> Vec<(String, String)> {
    let text = memory.text();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told = lines.filter(|line| line["event"] == "lifecycle");
    let word = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
    told.map(|line| (word(&line, "what"), word(&line, "outcome"))).collect()
}

fn is_told(memory: &Memory, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, outcome)| ((*what).to_owned(), (*outcome).to_owned()))
        .collect();
    assert_eq!(happened(memory), expected);
}

#[test]
fn an_anchor_that_cannot_be_written_any_more_is_told_once_and_the_store_goes_on() {
    let (machine, memory) = (Machine::of(&new_database()), Memory::default());
    recorded(&machine, root(), &memory, |store| {
        machine.volume.fill_up();
        for name in ["one", "two", "three"] {
            wait(store.put_policy(rule(name, "^a$"), Mode::Upsert, at(1))).unwrap();
        }
        machine.volume.make_room();
        wait(store.put_policy(rule("four", "^a$"), Mode::Upsert, at(1))).unwrap();
        wait(store.close()).unwrap();
    });
    is_told(
        &memory,
        &[
            ("anchor_written", "ok"),
            ("anchor_written", "failed"),
            ("anchor_written", "ok"),
        ],
    );
    assert!(
        memory.text().contains("/anchor: transaction 5, generation 4"),
        "{}",
        memory.text()
    );
    assert_eq!(served(&machine.open(false).unwrap()).len(), 4);
}

fn done(store: &Store) {
    while store.stats().re_encryption.stage != Stage::Done {
        std::thread::yield_now();
    }
    wait(store.close()).unwrap();
}

#[test]
fn a_start_that_ends_a_change_of_the_root_key_tells_so() {
    let new = || RootKey::take(&mut [8; 32]);
    for (key, what) in [(new(), "rekey_finished"), (root(), "rekey_taken_back")] {
        let (machine, memory) = (Machine::of(&new_database()), Memory::default());
        let store = machine.open(false).unwrap();
        wait(store.begin_rekey(Arc::new(new()))).unwrap();
        wait(store.close()).unwrap();
        drop(store);
        recorded(&machine, key, &memory, done);
        is_told(&memory, &[(what, "ok"), ("anchor_written", "ok")]);
        assert!(
            memory.text().contains("\"subject\":\"cut off before, "),
            "{}",
            memory.text()
        );
    }
}

#[test]
fn a_start_that_goes_on_with_a_rotation_tells_so_and_its_end() {
    let start = Machine::of(&new_database());
    live(&start, false).unwrap();
    let start = start.image();
    let mut chance = Chance::new(0x5eed_0009);
    let mut resumed = 0;
    for n in 1..=60 {
        let machine = Machine::of(&start);
        let store = machine.open(false).unwrap();
        machine.disk.arm(Fault::PowerCut(n));
        // Whatever becomes of it.
        drop(wait(store.rotate()));
        drop(store);
        let left = Machine::of(&machine.after_power_cut(&mut chance));
        let memory = Memory::default();
        recorded(&left, root(), &memory, done);
        let told = happened(&memory);
        let said = |what: &str| told.contains(&(what.to_owned(), "ok".to_owned()));
        assert_eq!(
            said("rotation_resumed"),
            said("rotation_finished"),
            "cut after {n}: {told:?}"
        );
        assert!(!said("rotation_begun"), "cut after {n}: {told:?}");
        resumed += u32::from(said("rotation_resumed"));
    }
    assert!(
        resumed > 0,
        "no cut fell between the new data key and the end of the old one"
    );
}
