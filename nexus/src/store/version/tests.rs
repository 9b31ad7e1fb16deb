#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn history(max: u32) -> History {
    History::new(NonZeroU32::new(max).unwrap(), UnixMillis(100))
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis(millis)
}

/// `2*` is a deleted version.
fn shown(history: &History) -> String {
    let mark = |version: &Version| if version.deleted_at.is_some() { "*" } else { "" };
    let all: Vec<String> = history
        .versions
        .iter()
        .map(|(number, version)| format!("{number}{}", mark(version)))
        .collect();
    let number = |version: Option<SecretVersion>| version.map_or(0, SecretVersion::get);
    format!(
        "{} current {} oldest {}",
        all.join(" "),
        number(history.current()),
        number(history.oldest())
    )
}

/// `p` puts, `d1,0` deletes versions 1 and current, `u2` undeletes version 2; `d` and `u` name none.
fn run(max: u32, script: &str) -> (History, Vec<bool>) {
    let (mut history, mut restored) = (history(max), Vec::new());
    for (step, now) in script.split_whitespace().zip(1000..) {
        let (verb, list) = step.split_at(1);
        let choices: Vec<VersionChoice> = list
            .split(',')
            .filter(|number| !number.is_empty())
            .map(|number| number.parse::<i64>().unwrap().into())
            .collect();
        match verb {
            "p" => drop(history.put(1, at(now)).unwrap()),
            "d" => history.delete(&choices, at(now)),
            _ => restored.push(history.undelete(&choices, at(now))),
        }
    }
    (history, restored)
}

#[test]
fn histories_follow_the_rules_of_spike_without_its_losses() {
    let table = [
        (10, "p p p", "1 2 3 current 3 oldest 1"),
        (10, "p p d", "1 2* current 1 oldest 1"),
        (10, "p p d0 d0", "1* 2* current 0 oldest 0"),
        (10, "p p d p", "1 2* 3 current 3 oldest 1"),
        (10, "p p d1,2 p", "1* 2* 3 current 3 oldest 3"),
        (10, "p p d u", "1 2 current 2 oldest 1"),
        (10, "p p d0 u0", "1 2 current 2 oldest 1"),
        (10, "p p d1,2 u", "1* 2 current 2 oldest 2"),
        (10, "p p d1,2 u1", "1 2* current 1 oldest 1"),
        (10, "p p p d1 u2", "1* 2 3 current 3 oldest 2"),
        (10, "p d7,-1", "1 current 1 oldest 1"),
        (2, "p p p p", "3 4 current 4 oldest 3"),
        (2, "p p d1,2 p", "2* 3 current 3 oldest 3"),
        (1, "p p", "2 current 2 oldest 2"),
    ];
    for (max, script, expected) in table {
        assert_eq!(shown(&run(max, script).0), expected, "{script}");
    }
}

#[test]
fn an_undelete_says_whether_it_restored_anything() {
    for (script, expected) in [
        ("p u", false),
        ("p d u", true),
        ("p p d1 u0", false),
        ("p p d1 u1", true),
        ("p u5,-3", false),
    ] {
        assert_eq!(run(10, script).1, [expected], "{script}");
    }
}

#[test]
fn the_update_time_follows_the_current_version_and_never_goes_back() {
    let mut history = history(10);
    history.put(1, at(500)).unwrap();
    history.put(1, at(400)).unwrap();
    assert_eq!((history.created_at, history.updated_at), (at(100), at(500)));
    history.delete(&[1.into()], at(600));
    assert_eq!(history.updated_at, at(500), "the current version did not change");
    history.delete(&[], at(700));
    assert_eq!(history.updated_at, at(700));
}

#[test]
fn deleting_again_refreshes_the_time_of_deletion() {
    let mut history = history(10);
    history.put(1, at(1)).unwrap();
    history.delete(&[1.into()], at(2));
    history.delete(&[1.into()], at(9));
    assert_eq!(
        history
            .versions
            .values()
            .map(|version| version.deleted_at)
            .collect::<Vec<_>>(),
        [Some(at(9))]
    );
}

#[test]
fn the_last_number_is_not_followed_by_another() {
    let mut history = history(10);
    let last = SecretVersion::try_from(u32::MAX).unwrap();
    let version = Version {
        created_at: at(1),
        deleted_at: None,
        revision: 1,
    };
    history.versions.insert(last, version);
    assert_eq!(history.put(1, at(1)), None);
    assert_eq!(shown(&history), "4294967295 current 4294967295 oldest 4294967295");
}

#[test]
fn wire_numbers_name_the_current_version_a_version_or_none() {
    assert_eq!(VersionChoice::from(0), VersionChoice::Current);
    assert_eq!(
        VersionChoice::from(3),
        VersionChoice::Number(SecretVersion::try_from(3).unwrap())
    );
    for number in [-1, i64::MIN, i64::MAX, i64::from(u32::MAX) + 1] {
        assert_eq!(VersionChoice::from(number), VersionChoice::Absent, "{number}");
    }
}
