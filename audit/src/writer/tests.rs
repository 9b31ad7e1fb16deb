#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use spike_runtime::clock::FakeClock;
use spike_runtime::metrics::Registry;

use crate::chain::Head;
use crate::file::Rotate;
use crate::journal::Journal;
use crate::line::{Line, Outcome};
use crate::queue::Program;
use crate::settings::{Settings, Target, WhenFull};
use crate::sink::Memory;
use crate::verify::{self, Fault, Options, Report, Source};
use crate::writer::{OpenError, Writer};

const PROGRAM: Program = Program {
    name: "test",
    version: "0",
};

/// Longer than anything here takes; it only bounds a hang.
const LOOKS: usize = 20_000;

fn open(settings: &Settings) -> (Journal, Writer) {
    let clock = FakeClock::at_unix(1_763_800_000);
    let (journal, writer) = Journal::open(settings, PROGRAM, clock.shared(), &Registry::new("t", "0")).unwrap();
    (journal, writer.unwrap())
}

fn line(number: u64) -> Line {
    let mut line = Line::new("check");
    line.number("number", number);
    line
}

fn record(journal: &Journal, numbers: impl IntoIterator<Item = u64>) -> usize {
    let at = UNIX_EPOCH + Duration::from_secs(1_763_800_000);
    numbers
        .into_iter()
        .filter(|number| journal.record(at, line(*number)).is_err())
        .count()
}

fn check(text: &str) -> Report {
    verify::verify(vec![Source::of("memory", text.into())], &Options::default()).unwrap()
}

fn check_path(path: &Path) -> Report {
    let mut logs = verify::sources(&[path.to_owned()]).unwrap();
    assert_eq!(logs.len(), 1);
    verify::verify(logs.remove(0), &Options::default()).unwrap()
}

/// The numbers of the lines of ours, in order.
fn numbers(text: &str) -> Vec<u64> {
    let values = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    values
        .filter(|value| value["event"] == "check")
        .map(|value| value["number"].as_u64().unwrap())
        .collect()
}

fn wait(what: &str, mut seen: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if seen() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("never: {what}");
}

fn all(path: &Path) -> String {
    let mut files = crate::file::finished(path).unwrap();
    files.push(path.to_owned());
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn file(directory: &tempfile::TempDir) -> (PathBuf, Settings) {
    let path = directory.path().join("audit.log");
    (path.clone(), Settings::to(Target::File(path)))
}

#[test]
fn a_log_begins_and_ends_with_lines_of_its_own() {
    let memory = Memory::default();
    let (journal, writer) = open(&Settings::to(Target::Memory(memory.clone())));
    assert_eq!(record(&journal, 0..3), 0);
    writer.finish();
    let text = memory.text();
    let events: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].to_string())
        .collect();
    assert_eq!(events.join(" "), r#""audit.begin" "check" "check" "check" "audit.end""#);
    assert!(text.starts_with(
        r#"{"time":"2025-11-22T08:26:40Z","event":"audit.begin","why":"new","program":"test","version":"0","pid":"#
    ));
    let report = check(&text);
    assert_eq!(
        (report.broken, report.lines, report.ended, report.lost),
        (None, 5, true, 0)
    );
    assert_eq!(record(&journal, [9]), 1, "nobody writes any more");
    assert_eq!(journal.dropped(), 1);
}

#[tokio::test]
async fn who_waits_until_lines_are_settled_finds_them_written() {
    let memory = Memory::default();
    let (journal, writer) = open(&Settings::to(Target::Memory(memory.clone())));
    for round in 0..20 {
        assert_eq!(record(&journal, round * 10..(round + 1) * 10), 0);
        journal.settled().await;
        assert_eq!(numbers(&memory.text()).len() as u64, (round + 1) * 10);
    }
    writer.finish();
    journal.settled().await;
    Journal::off().settled().await;
}

#[test]
fn what_does_not_fit_is_dropped_counted_and_told_by_the_log() {
    let memory = Memory::default();
    let settings = Settings {
        queue: 8,
        ..Settings::to(Target::Memory(memory.clone()))
    };
    let (journal, writer) = open(&settings);
    let lost = memory.while_stuck(|| record(&journal, 0..1_000));
    assert!(lost > 900 && journal.dropped() == lost as u64, "{lost}");
    writer.finish();
    let report = check(&memory.text());
    assert_eq!((report.broken, report.lost), (None, lost as u64));
    assert_eq!(numbers(&memory.text()).len() + lost, 1_000);
}

#[test]
fn a_full_disk_loses_lines_that_the_log_tells_about_once_there_is_room() {
    for room in (0..3_000).step_by(37) {
        let memory = Memory::default();
        memory.set_room(room);
        let (journal, writer) = open(&Settings::to(Target::Memory(memory.clone())));
        assert_eq!(record(&journal, 0..20), 0);
        // All of it is written, or given up for now.
        wait("20 lines are dealt with", || {
            let written = memory.text().matches("\"check\"").count() as u64;
            journal.dropped() + written >= 20 || memory.text().len() == room && journal.dropped() > 0
        });
        memory.set_room(usize::MAX);
        assert_eq!(record(&journal, 20..23), 0);
        writer.finish();
        let text = memory.text();
        let report = check(&text);
        assert_eq!(report.broken, None, "room for {room}: {text}");
        assert_eq!(report.lost, journal.dropped());
        assert_eq!(numbers(&text).len() as u64 + report.lost, 23, "room for {room}");
        assert_eq!(numbers(&text)[numbers(&text).len() - 3..], [20, 21, 22]);
    }
}

#[test]
fn where_no_line_may_be_lost_a_full_disk_refuses_calls_and_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (room, when_full) in [(0, WhenFull::Deny), (600, WhenFull::Deny), (700, WhenFull::Block)] {
        let memory = Memory::default();
        memory.set_room(room);
        let settings = Settings {
            when_full,
            queue: 16,
            ..Settings::to(Target::Memory(memory.clone()))
        };
        let (journal, writer) = open(&settings);
        let lost = record(&journal, 0..8);
        assert_eq!(lost, 0, "there were places for all");
        wait("the disk is full", || journal.refuses());
        assert!(runtime.block_on(journal.place()).is_err());
        memory.set_room(usize::MAX);
        wait("there is room", || !journal.refuses());
        let place = runtime.block_on(journal.place()).unwrap();
        place.record(UNIX_EPOCH, line(8));
        writer.finish();
        assert_eq!((journal.dropped(), numbers(&memory.text())), (0, (0..9).collect()));
        assert_eq!(check(&memory.text()).broken, None);
    }
}

#[test]
fn a_place_is_kept_for_its_call_and_given_back_without_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let memory = Memory::default();
    let settings = Settings {
        when_full: WhenFull::Deny,
        queue: 4,
        ..Settings::to(Target::Memory(memory.clone()))
    };
    let (journal, writer) = open(&settings);
    let places: Vec<_> = (0..4).map(|_| runtime.block_on(journal.place()).unwrap()).collect();
    assert!(runtime.block_on(journal.place()).is_err(), "all four are taken");
    assert_eq!(record(&journal, [7]), 1, "by whomever");
    // What happens without a call has room of its own, and takes nobody's place.
    journal.lifecycle("key_opened", "operators");
    journal.happened("rekeyed", "key file", Outcome::Ok);
    assert!(runtime.block_on(journal.place()).is_err());
    let mut places = places.into_iter();
    drop(places.next());
    assert_eq!(record(&journal, [8]), 0, "one was given back");
    places.for_each(|place| place.record(UNIX_EPOCH, line(9)));
    writer.finish();
    let (text, report) = (memory.text(), check(&memory.text()));
    assert_eq!((numbers(&text), report.lost), (vec![8, 9, 9, 9], 1));
    assert!(text.contains("key_opened") && text.contains("rekeyed"), "{text}");
}

#[test]
fn rotation_under_load_loses_nothing_and_the_chain_goes_on_over_files() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut settings) = file(&directory);
    settings.rotate.size = 20_000;
    settings.queue = 100_000;
    let (journal, writer) = open(&settings);
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let journal = journal.clone();
            std::thread::spawn(move || record(&journal, (0..5_000).map(|number| thread * 5_000 + number)))
        })
        .collect();
    assert_eq!(
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(),
        0
    );
    writer.finish();
    let report = check_path(&path);
    assert_eq!((report.broken, report.lost, report.ended), (None, 0, true));
    assert!(report.files > 3, "{} files", report.files);
    let mut found = numbers(&all(&path));
    found.sort_unstable();
    assert_eq!(found, (0..20_000).collect::<Vec<_>>());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn only_so_many_finished_files_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut settings) = file(&directory);
    settings.rotate = Rotate {
        size: 1,
        age: Duration::ZERO,
        keep: 2,
    };
    for number in 0..6 {
        let (journal, writer) = open(&settings);
        assert_eq!(record(&journal, [number]), 0);
        writer.finish();
    }
    let finished = crate::file::finished(&path).unwrap();
    assert_eq!(finished.len(), 2, "{finished:?}");
    let report = check_path(&path);
    assert!(report.broken.is_none() && report.behind.is_some(), "{report:?}");
}

#[test]
fn a_file_grows_old() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut settings) = file(&directory);
    settings.rotate.age = Duration::from_secs(3_600);
    let clock = FakeClock::at_unix(1_763_800_000);
    let start = || {
        let (journal, writer) = Journal::open(&settings, PROGRAM, clock.shared(), &Registry::new("t", "0")).unwrap();
        assert_eq!(record(&journal, [0]), 0);
        writer.unwrap().finish();
    };
    start();
    clock.advance(Duration::from_secs(3_599));
    start();
    assert_eq!(crate::file::finished(&path).unwrap().len(), 0);
    clock.advance(Duration::from_secs(1));
    start();
    assert_eq!(crate::file::finished(&path).unwrap().len(), 1);
    assert_eq!(check_path(&path).chains.len(), 3);
}

#[test]
fn half_a_line_of_a_killed_process_is_named_and_the_chain_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = file(&directory);
    let (journal, writer) = open(&settings);
    assert_eq!(record(&journal, 0..5), 0);
    writer.finish();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap()
        + 1;
    let mut tried = 0;
    for cut in (last + 1..whole.len()).step_by(7) {
        fs::write(&path, &whole[..cut]).unwrap();
        let report = check_path(&path);
        let bytes = (cut - last) as u64;
        let broken = report.broken.unwrap();
        assert_eq!((broken.line, broken.fault), (7, Fault::TornTail { bytes }));
        let (journal, writer) = open(&settings);
        assert_eq!(record(&journal, [5]), 0);
        writer.finish();
        let report = check_path(&path);
        assert_eq!((report.broken, report.ended), (None, true));
        assert_eq!(report.torn.len(), 1);
        assert_eq!((report.torn[0].line, report.torn[0].bytes), (7, bytes));
        assert_eq!(report.chains.len(), 2);
        // Whoever changes that half line afterwards is found.
        let mut text = fs::read(&path).unwrap();
        text[last] ^= 1;
        fs::write(&path, text).unwrap();
        let broken = check_path(&path).broken.unwrap();
        assert_eq!((broken.line, broken.fault), (7, Fault::Inserted));
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn two_processes_cannot_write_to_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = file(&directory);
    let (_, writer) = open(&settings);
    let clock = FakeClock::at_unix(0);
    let refused = Journal::open(&settings, PROGRAM, clock.shared(), &Registry::new("t", "0")).unwrap_err();
    let expected = format!(
        "cannot open the audit log file:{}: another process writes to it",
        path.display()
    );
    assert_eq!(refused.to_string(), expected);
    writer.finish();
    open(&settings).1.finish();
    assert!(matches!(
        Journal::open(
            &Settings::to(Target::File(directory.path().to_owned())),
            PROGRAM,
            clock.shared(),
            &Registry::new("t", "0")
        ),
        Err(OpenError::Target { .. })
    ));
}

#[test]
fn several_programs_on_one_stream_are_told_apart() {
    let memory = Memory::default();
    let settings = Settings::to(Target::Memory(memory.clone()));
    let both = [open(&settings), open(&settings)];
    for number in 0..50 {
        for (journal, _) in &both {
            assert_eq!(record(journal, [number]), 0);
        }
    }
    for (_, writer) in both {
        writer.finish();
    }
    let text = format!("{{\"level\":\"INFO\"}}\n{}plain\n", memory.text());
    let stream = Options {
        stream: true,
        ..Options::default()
    };
    let sources = |text: &str| vec![Source::of("stdout", text.into())];
    let report = verify::verify(sources(&text), &stream).unwrap();
    assert_eq!((report.broken, report.foreign, report.lines), (None, 2, 104));
    assert_eq!(report.chains.len(), 2);
    assert!(check(&memory.text()).broken.is_some(), "as a file it would be wrong");
    let without: String = text
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != 60)
        .flat_map(|(_, line)| [line, "\n"])
        .collect();
    let broken = verify::verify(sources(&without), &stream).unwrap().broken.unwrap();
    assert_eq!(broken.fault, Fault::Removed(Some(1)));
}

#[test]
fn a_file_that_somebody_renamed_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = file(&directory);
    let (journal, writer) = open(&settings);
    assert_eq!(record(&journal, [1]), 0);
    wait("the first line is written", || {
        fs::read_to_string(&path).unwrap().contains("\"number\":1")
    });
    let old = directory.path().join("moved.log");
    fs::rename(&path, &old).unwrap();
    journal.reopen();
    wait("it is opened again", || path.exists());
    assert_eq!(record(&journal, [2]), 0);
    writer.finish();
    let mut logs = verify::sources(&[old.clone(), path.clone()]).unwrap();
    let report = verify::verify(logs.remove(0), &Options::default()).unwrap();
    assert_eq!((report.broken, report.files, report.ended), (None, 2, true));
    assert!(fs::read_to_string(&path).unwrap().contains("\"why\":\"reopened\""));
}

#[test]
fn a_file_without_a_line_of_ours_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = file(&directory);
    fs::write(&path, "{\"time\":\"2025\",\"event\":\"check\"}\n").unwrap();
    open(&settings).1.finish();
    assert!(fs::read_to_string(&path).unwrap().contains("\"set_aside\":"));
    assert_eq!(crate::file::finished(&path).unwrap().len(), 1);
    let report = verify::verify(vec![Source::of("new", fs::read(&path).unwrap())], &Options::default()).unwrap();
    assert_eq!(report.broken, None);
}

#[test]
fn a_crash_between_rename_and_new_file_keeps_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = file(&directory);
    open(&settings).1.finish();
    fs::rename(&path, directory.path().join("audit.log.000001")).unwrap();
    open(&settings).1.finish();
    let report = check_path(&path);
    assert_eq!((report.broken, report.files, report.chains.len()), (None, 2, 2));
}

#[test]
fn a_device_is_written_to_as_it_is() {
    let (journal, writer) = open(&Settings::to(Target::File("/dev/full".into())));
    assert_eq!(record(&journal, [1]), 0);
    writer.finish();
    assert_eq!(journal.dropped(), 1);
    let strict = Settings {
        when_full: WhenFull::Deny,
        ..Settings::to(Target::File("/dev/full".into()))
    };
    let (journal, writer) = open(&strict);
    wait("it fails", || journal.refuses());
    assert_eq!(record(&journal, [1]), 0);
    writer.finish();
    assert_eq!(journal.dropped(), 1, "given up when the program ends, and counted");
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_, settings) = file(&directory);
    let key = directory.path().join("key");
    let settings = Settings {
        key: Some(key.clone()),
        ..settings
    };
    let refusal = || {
        let clock = FakeClock::at_unix(0);
        let opened = Journal::open(&settings, PROGRAM, clock.shared(), &Registry::new("t", "0"));
        opened
            .map(|(_, writer)| writer.unwrap().finish())
            .err()
            .map(|error| error.to_string())
    };
    assert!(refusal().unwrap().contains("cannot be read"));
    fs::write(&key, "ab".repeat(32) + "\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refusal().unwrap().contains("may be read by others (mode 0640)"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(refusal(), None);
    fs::write(&key, "short").unwrap();
    assert!(refusal().unwrap().contains("neither 32 bytes nor 64"));
}

/// What the log of the program says can be given to `spike audit verify --anchor`.
#[test]
fn the_head_is_an_anchor() {
    let memory = Memory::default();
    let (journal, writer) = open(&Settings::to(Target::Memory(memory.clone())));
    assert_eq!(record(&journal, 0..3), 0);
    writer.finish();
    let head = check(&memory.text()).head.unwrap();
    assert_eq!(head.to_string().parse::<Head>(), Ok(head));
    assert_eq!(head.seq, 5);
}
