#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
use std::path::Path;
use std::time::Duration;

use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;

use super::*;
use crate::file::Rotate;
use crate::journal::Journal;
use crate::line::Line;
use crate::queue::Program;
use crate::settings::{Settings, Target};

const PROGRAM: Program = Program {
    name: "test",
    version: "0",
};

/// A small generator whose seed is printed: mutations are random, but the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most
    }
}

/// Lines of each file, with their line feeds.
type Log = Vec<(String, Vec<Vec<u8>>)>;

fn read(directory: &Path) -> Log {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort_by_key(|file| crate::file::number_of(file).unwrap_or(u64::MAX));
    let lines = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    files
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), lines(path)))
        .collect()
}

/// A log of the real writer: three starts, several files, lines of all kinds.
fn written(dice: &mut Dice, key: Option<&Path>) -> Log {
    let directory = tempfile::tempdir().unwrap();
    let clock = FakeClock::at_unix(1_700_000_000);
    for _ in 0..3 {
        let settings = Settings {
            rotate: Rotate {
                // Each start finds a file that is large enough, whatever was written together.
                size: 1_000,
                age: Duration::ZERO,
                keep: 0,
            },
            key: key.map(Path::to_owned),
            ..Settings::to(Target::File(directory.path().join("audit.log")))
        };
        let (journal, writer) = Journal::open(&settings, PROGRAM, clock.shared(), &Registry::new("t", "0")).unwrap();
        for number in 0..4 + dice.below(8) {
            clock.advance(Duration::from_millis(7));
            let mut line = Line::new("check");
            line.text("path", &vec![b'\n'; dice.below(40)], 100);
            line.number("number", number as u64);
            journal.record(spike_runtime::Clock::now(&clock), line).unwrap();
        }
        writer.unwrap().finish();
    }
    read(directory.path())
}

fn verify_log(log: &Log, options: &Options) -> Report {
    let sources = log
        .iter()
        .map(|(name, lines)| Source::of(name, lines.concat()))
        .collect();
    verify(sources, options).unwrap()
}

/// Where a line stands once the log was changed: the file that has it, and its number from 1.
fn place(log: &Log, mut at: usize) -> (String, u64) {
    for (name, lines) in log {
        if at < lines.len() {
            return (name.clone(), at as u64 + 1);
        }
        at -= lines.len();
    }
    panic!("no such line")
}

fn line_of(log: &mut Log, mut at: usize) -> (&mut Vec<Vec<u8>>, usize) {
    for (_, lines) in log {
        if at < lines.len() {
            return (lines, at);
        }
        at -= lines.len();
    }
    panic!("no such line")
}

/// What was done to a log: the line that must be named, and the words that may be used.
struct Mutation {
    what: &'static str,
    at: usize,
    words: &'static [&'static str],
}

fn edit(log: &mut Log, dice: &mut Dice, total: usize) -> Mutation {
    let at = dice.below(total);
    let (lines, index) = line_of(log, at);
    let byte = dice.below(lines[index].len() - 1);
    let old = lines[index][byte];
    while lines[index][byte] == old {
        lines[index][byte] = if dice.below(4) == 0 {
            b"\n0,\"}"[dice.below(5)]
        } else {
            u8::try_from(dice.below(256)).unwrap()
        };
    }
    let words: &[&str] = match at {
        0 => &["edited", "removed"],
        // Nothing behind it says what its number was.
        at if at + 1 == total => &["edited", "removed", "duplicated", "torn_tail"],
        _ => &["edited"],
    };
    Mutation {
        what: "edit",
        at,
        words,
    }
}

fn delete(log: &mut Log, dice: &mut Dice, total: usize) -> Mutation {
    let at = dice.below(total - 1);
    let (lines, index) = line_of(log, at);
    lines.remove(index);
    Mutation {
        what: "delete",
        at,
        words: &["removed"],
    }
}

fn insert(log: &mut Log, dice: &mut Dice, total: usize) -> Mutation {
    let at = 1 + dice.below(total - 1);
    let mut forged = line_of(log, at).0[0].clone();
    match dice.below(3) {
        0 => forged = b"garbage\n".to_vec(),
        1 => forged = b"\n".to_vec(),
        _ => {
            let digit = forged.len() - 10;
            forged[digit] = if forged[digit] == b'0' { b'1' } else { b'0' };
        }
    }
    let (lines, index) = line_of(log, at);
    lines.insert(index, forged);
    Mutation {
        what: "insert",
        at,
        words: &["inserted", "duplicated"],
    }
}

fn duplicate(log: &mut Log, dice: &mut Dice, total: usize) -> Mutation {
    let (from, to) = (dice.below(total), 1 + dice.below(total));
    let (lines, index) = line_of(log, from);
    let copy = lines[index].clone();
    if to == total {
        let (_, lines) = log.last_mut().unwrap();
        lines.push(copy);
    } else {
        let (lines, index) = line_of(log, to);
        lines.insert(index, copy);
    }
    // A copy right before its original is the original; then that is the copy.
    let at = if from == to { to + 1 } else { to };
    let words: &[&str] = if at <= from {
        &["inserted"]
    } else {
        &["duplicated", "unlinked"]
    };
    Mutation {
        what: "duplicate",
        at,
        words,
    }
}

fn swap(log: &mut Log, dice: &mut Dice, total: usize) -> Mutation {
    let first = 1 + dice.below(total - 2);
    let second = first + 1 + dice.below(total - first - 1);
    let copy = |log: &mut Log, at| {
        let (lines, index) = line_of(log, at);
        lines[index].clone()
    };
    let (one, other) = (copy(log, first), copy(log, second));
    for (at, line) in [(first, other), (second, one)] {
        let (lines, index) = line_of(log, at);
        lines[index] = line;
    }
    Mutation {
        what: "swap",
        at: first,
        words: &["reordered"],
    }
}

fn mutations_are_found(key: Option<&Path>, (seed, logs, each): (u64, usize, usize)) -> usize {
    let mut dice = Dice(seed);
    let options = Options {
        seal: key.map_or(Seal::Plain, |key| Seal::from_file(key).unwrap()),
        ..Options::default()
    };
    let mut tried = 0;
    for _ in 0..logs {
        let log = written(&mut dice, key);
        let whole = verify_log(&log, &options);
        assert_eq!(whole.broken, None);
        assert!(
            whole.ended && log.len() > 1 && whole.chains.len() == 3,
            "{} files: {whole:?}",
            log.len()
        );
        let total = usize::try_from(whole.lines).unwrap();
        for _ in 0..each {
            let mut changed = log.clone();
            let mutate = [edit, delete, insert, duplicate, swap][dice.below(5)];
            let mutation = mutate(&mut changed, &mut dice, total);
            let broken = verify_log(&changed, &options).broken;
            let broken =
                broken.unwrap_or_else(|| panic!("seed {seed}: {} at {} is not seen", mutation.what, mutation.at));
            let found = (broken.file.clone(), broken.line);
            let expected = place(&changed, mutation.at);
            assert!(
                found == expected && mutation.words.contains(&broken.fault.as_str()),
                "seed {seed}: {} at {} ({expected:?}) is called {broken:?}",
                mutation.what,
                mutation.at
            );
            tried += 1;
        }
    }
    tried
}

#[test]
fn any_change_of_a_single_line_is_found_at_that_line() {
    let tried = mutations_are_found(None, (0x5eed_0001, 10, 1_000));
    assert_eq!(tried, 10_000);
}

#[test]
fn the_same_holds_for_a_log_that_is_sealed_with_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), "key", 7);
    assert_eq!(mutations_are_found(Some(&key), (0x5eed_0002, 2, 1_000)), 2_000);
}

fn key_file(directory: &Path, name: &str, byte: u8) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let key = directory.join(name);
    std::fs::write(&key, [byte; 32]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    key
}

#[test]
fn a_cut_end_is_seen_inside_a_line_and_with_an_anchor() {
    let mut dice = Dice(0x5eed_0003);
    let log = written(&mut dice, None);
    let whole = verify_log(&log, &Options::default());
    let anchored = Options {
        anchors: vec![whole.head.unwrap()],
        ..Options::default()
    };
    assert_eq!(verify_log(&log, &anchored).broken, None);
    let mut seen = (0, 0);
    for _ in 0..500 {
        let mut cut = log.clone();
        let (name, lines) = cut.last_mut().unwrap();
        let name = name.clone();
        let mut bytes = lines.concat();
        bytes.truncate(dice.below(bytes.len()));
        *lines = bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let (count, whole_lines) = (lines.len() as u64, bytes.is_empty() || bytes.ends_with(b"\n"));
        let torn = bytes.len() - bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let report = verify_log(&cut, &Options::default());
        if whole_lines {
            seen.0 += 1;
            assert!(report.broken.is_none() && !report.ended);
        } else {
            seen.1 += 1;
            let fault = Fault::TornTail { bytes: torn as u64 };
            let expected = Broken {
                file: name,
                line: count,
                fault,
            };
            assert_eq!(report.broken, Some(expected));
        }
        let broken = verify_log(&cut, &anchored).broken.unwrap();
        assert!(["anchor_missing", "torn_tail"].contains(&broken.fault.as_str()));
    }
    assert!(seen.1 > 400, "{seen:?}");
}

#[test]
fn a_missing_file_is_seen_but_the_oldest_may_be_gone() {
    let mut dice = Dice(0x5eed_0004);
    let log = written(&mut dice, None);
    assert!(log.len() > 2, "{}", log.len());
    let report = verify_log(&log[1..].to_vec(), &Options::default());
    assert_eq!(
        (report.broken, report.behind.map(|head| head.seq)),
        (None, Some(log[0].1.len() as u64))
    );
    let mut gap = log.clone();
    let (_, gone) = gap.remove(1);
    let broken = verify_log(&gap, &Options::default()).broken.unwrap();
    assert_eq!(
        (broken.line, broken.fault),
        (1, Fault::Removed(Some(gone.len() as u64)))
    );
    assert_eq!(broken.file, log[2].0);
}

#[test]
fn without_the_key_a_log_cannot_be_written_anew() {
    let directory = tempfile::tempdir().unwrap();
    let [key, other] = [1, 2].map(|byte| key_file(directory.path(), &byte.to_string(), byte));
    let mut dice = Dice(0x5eed_0005);
    let (sealed, plain) = (written(&mut dice, Some(&key)), written(&mut dice, None));
    let given = |log: &Log, seal: Seal| {
        let sources = log
            .iter()
            .map(|(name, lines)| Source::of(name, lines.concat()))
            .collect();
        verify(
            sources,
            &Options {
                seal,
                ..Options::default()
            },
        )
    };
    let seal = |key: &Path| Seal::from_file(key).unwrap();
    assert!(given(&sealed, seal(&key)).unwrap().broken.is_none());
    assert_eq!(
        given(&sealed, seal(&other)).unwrap().broken.unwrap().fault,
        Fault::Edited
    );
    assert!(matches!(given(&sealed, Seal::Plain), Err(VerifyError::Seal { .. })));
    assert!(matches!(given(&plain, seal(&key)), Err(VerifyError::Seal { .. })));
}
