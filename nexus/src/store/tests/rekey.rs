//! A change of the root key, step by step: under every fault, and with the power cut at every operation. At no point
//! is there a database that no key opens, and after it is finished the old key opens nothing.
use std::sync::Arc;

use super::test_disk::{Fault, TestDisk};
use super::*;
use crate::store::{Mode, RekeyPhase, RekeyRefused, Stage, WriteError};
use crate::vault::SealError;

const NEW: [u8; 32] = [8; 32];

fn new_root() -> Arc<RootKey> {
    Arc::new(RootKey::take(&mut NEW.clone()))
}

fn open_with(disk: &TestDisk, mut key: [u8; 32]) -> Result<Store, OpenError> {
    Store::start(disk.disk(), RootKey::take(&mut key), tuning())
}

/// Which of the two keys open a copy of this image.
fn openers(image: &[u8]) -> (bool, bool) {
    let opens = |key| match open_with(&TestDisk::new(image.to_vec()), key) {
        Ok(store) => {
            check(&store);
            true
        }
        Err(OpenError::WrongKey(_)) => false,
        Err(error) => panic!("{error}"),
    };
    (opens(ROOT), opens(NEW))
}

fn check(store: &Store) {
    assert_eq!(password(store, "kept").unwrap(), "kept");
    assert_eq!(served(store)["kept"], "^kept$");
    assert!(store.broken().is_empty(), "{:?}", store.broken());
}

fn baseline() -> TestDisk {
    let disk = TestDisk::new(Vec::new());
    let store = create(&disk.disk());
    wait(store.put_secret(path("kept"), value("kept"), at(1))).unwrap();
    wait(store.put_policy(rule("kept", "^kept$"), Mode::Upsert, at(1))).unwrap();
    drop(store);
    disk
}

#[test]
fn while_the_root_key_is_changed_both_open_the_store_and_then_one_of_them() {
    let disk = baseline();
    assert_eq!(openers(&disk.image()), (true, false));
    let store = open_with(&disk, ROOT).unwrap();
    assert_eq!(store.rekey_phase(), RekeyPhase::None);
    let message = wait(store.seal_message(b"of a caller")).unwrap();
    let refused = |error: RekeyRefused| Err::<(), _>(WriteError::Rekey(error));
    assert_eq!(wait(store.finish_rekey(new_root())), refused(RekeyRefused::NotPending));
    assert_eq!(wait(store.undo_rekey()), refused(RekeyRefused::NotPending));
    wait(store.begin_rekey(new_root())).unwrap();
    assert_eq!(store.rekey_phase(), RekeyPhase::Pending);
    assert_eq!(wait(store.begin_rekey(new_root())), refused(RekeyRefused::Pending));
    let other = Arc::new(RootKey::take(&mut [9; 32]));
    assert_eq!(wait(store.finish_rekey(other)), refused(RekeyRefused::OtherKey));
    assert_eq!(
        wait(store.finish_rekey(Arc::new(root()))),
        refused(RekeyRefused::OtherKey)
    );
    assert_eq!(openers(&disk.image()), (true, true));
    wait(store.undo_rekey()).unwrap();
    assert_eq!(openers(&disk.image()), (true, false));
    wait(store.begin_rekey(new_root())).unwrap();
    wait(store.finish_rekey(new_root())).unwrap();
    assert_eq!(store.rekey_phase(), RekeyPhase::None);
    check(&store);
    wait(store.put_secret(path("after"), value("after"), at(2))).unwrap();
    drop(store);
    assert_eq!(openers(&disk.image()), (false, true));
    let store = open_with(&disk, NEW).unwrap();
    assert_eq!(password(&store, "after").unwrap(), "after");
    assert_eq!(
        *store.open_message(&message.nonce, &message.sealed).unwrap(),
        b"of a caller"
    );
}

#[test]
fn a_rotation_in_the_middle_is_in_both_keyrings() {
    let disk = baseline();
    let store = open_with(&disk, ROOT).unwrap();
    wait(store.begin_rekey(new_root())).unwrap();
    wait(store.rotate()).unwrap();
    let mut progress = store.re_encryption();
    wait(progress.wait_for(|now| now.stage == Stage::Done)).unwrap();
    wait(store.put_secret(path("after"), value("after"), at(2))).unwrap();
    assert_eq!(openers(&disk.image()), (true, true));
    wait(store.finish_rekey(new_root())).unwrap();
    drop(store);
    assert_eq!(openers(&disk.image()), (false, true));
    let store = open_with(&disk, NEW).unwrap();
    assert_eq!(
        (password(&store, "after").unwrap().as_str(), store.stats().term),
        ("after", 2)
    );
}

#[test]
fn where_people_keep_the_key_the_change_goes_on_over_a_restart_until_the_new_key_is_brought() {
    let disk = baseline();
    let store = open_with(&disk, ROOT).unwrap();
    wait(store.begin_rekey(new_root())).unwrap();
    drop(store);
    // The old shares again: nothing is decided, and the keyring must not change.
    let store = open_with(&disk, ROOT).unwrap();
    assert_eq!(store.rekey_phase(), RekeyPhase::Pending);
    check(&store);
    assert_eq!(
        wait(store.rotate()).unwrap_err(),
        WriteError::Seal(SealError::RekeyPending)
    );
    wait(store.put_secret(path("between"), value("between"), at(2))).unwrap();
    drop(store);
    assert_eq!(openers(&disk.image()), (true, true));
    // The new ones: whoever has them has shown it.
    let store = open_with(&disk, NEW).unwrap();
    assert_eq!(store.rekey_phase(), RekeyPhase::None);
    assert_eq!(password(&store, "between").unwrap(), "between");
    wait(store.rotate()).unwrap();
    drop(store);
    assert_eq!(openers(&disk.image()), (false, true));
}

#[test]
fn a_change_that_was_confirmed_after_a_restart_is_finished_and_re_encryption_goes_on() {
    let disk = baseline();
    let store = open_with(&disk, ROOT).unwrap();
    wait(store.rotate()).unwrap();
    wait(store.begin_rekey(new_root())).unwrap();
    drop(store);
    let store = open_with(&disk, ROOT).unwrap();
    let mut progress = store.re_encryption();
    let stage = wait(progress.wait_for(|now| matches!(now.stage, Stage::Rekey | Stage::Done)))
        .unwrap()
        .stage;
    let old_terms = store.stats().old_terms;
    assert_eq!(stage == Stage::Rekey, old_terms == 1, "{stage:?} {old_terms}");
    wait(store.finish_rekey(new_root())).unwrap();
    wait(progress.wait_for(|now| now.stage == Stage::Done)).unwrap();
    assert_eq!(store.stats().old_terms, 0);
    drop(store);
    assert_eq!(openers(&disk.image()), (false, true));
}

/// The steps of a change. Each starts from what the one before left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Finish,
    Undo,
}

impl Step {
    fn from(self) -> (Vec<u8>, (bool, bool)) {
        let disk = baseline();
        if self != Self::Begin {
            wait(open_with(&disk, ROOT).unwrap().begin_rekey(new_root())).unwrap();
        }
        let image = disk.image();
        let openers = openers(&image);
        (image, openers)
    }

    fn to(self) -> (bool, bool) {
        match self {
            Self::Begin => (true, true),
            Self::Finish => (false, true),
            Self::Undo => (true, false),
        }
    }

    fn run(self, store: &Store) -> Result<(), WriteError> {
        match self {
            Self::Begin => wait(store.begin_rekey(new_root())),
            Self::Finish => wait(store.finish_rekey(new_root())),
            Self::Undo => wait(store.undo_rekey()),
        }
    }
}

const STEPS: [Step; 3] = [Step::Begin, Step::Finish, Step::Undo];

#[test]
fn every_step_under_every_single_fault_is_done_not_done_or_unknown() {
    for fault in [Fault::Once, Fault::From] {
        for step in STEPS {
            let (image, before) = step.from();
            let (mut unknown, mut tried) = (0, 0);
            for n in 1.. {
                let disk = TestDisk::new(image.clone());
                let store = open_with(&disk, ROOT).unwrap();
                disk.arm(fault(n));
                let answer = step.run(&store);
                let met = disk.failures() > 0;
                drop(store);
                disk.heal();
                let found = openers(&disk.image());
                match answer {
                    Ok(()) => assert_eq!(found, step.to(), "{step:?} {n}"),
                    Err(WriteError::OutcomeUnknown) => {
                        assert!(found == before || found == step.to(), "{step:?} {n}: {found:?}");
                        unknown += 1;
                    }
                    Err(WriteError::Unavailable(_)) => assert_eq!(found, before, "{step:?} {n}"),
                    Err(other) => panic!("{step:?} {n}: {other}"),
                }
                tried = n;
                if !met {
                    break;
                }
            }
            assert!(
                tried > 5 && unknown > 0,
                "{step:?}: {tried} operations, {unknown} unknown"
            );
        }
    }
}

#[test]
fn after_an_unknown_outcome_the_open_store_knows_which_key_is_in_force() {
    let mut unknown = 0;
    for step in STEPS {
        let (image, _) = step.from();
        for n in 1.. {
            let disk = TestDisk::new(image.clone());
            let store = open_with(&disk, ROOT).unwrap();
            disk.arm(Fault::Once(n));
            let answer = step.run(&store);
            if disk.failures() == 0 {
                break;
            }
            disk.heal();
            // A write waits for the reopening.
            wait(store.put_secret(path("next"), value("next"), at(3))).unwrap();
            unknown += u32::from(answer == Err(WriteError::OutcomeUnknown));
            let (old, new) = openers(&disk.image());
            let pending = store.rekey_phase() == RekeyPhase::Pending;
            assert_eq!(pending, old && new, "{step:?} {n}");
            assert!(old || new);
            let in_force = store.root_key().unwrap().copy();
            assert_eq!(*in_force == NEW, !old, "{step:?} {n}");
        }
    }
    assert!(unknown > 3, "{unknown}");
}

#[test]
fn a_power_cut_at_any_operation_of_any_step_leaves_a_key_that_opens_everything() {
    let mut chance = Chance::new(0x5eed_0002);
    let seed = chance.seed;
    let (mut cut, mut cut_again, mut between) = (0, 0, 0);
    for step in STEPS {
        let (image, before) = step.from();
        for n in 1.. {
            let mut met = false;
            for round in 0..8 {
                let disk = TestDisk::new(image.clone());
                let store = open_with(&disk, ROOT).unwrap();
                disk.arm(Fault::PowerCut(n));
                let answer = step.run(&store);
                drop(store);
                if disk.failures() == 0 {
                    break;
                }
                met = true;
                cut += 1;
                let mut image = disk.after_power_cut(&mut chance);
                if chance.one_in(2) {
                    // The power fails again while the next start settles it.
                    let recovering = TestDisk::new(image);
                    recovering.arm(Fault::PowerCut(1 + u64::try_from(chance.below(60)).unwrap()));
                    drop(open_with(&recovering, if chance.one_in(2) { ROOT } else { NEW }));
                    cut_again += u32::from(recovering.failures() > 0);
                    image = recovering.after_power_cut(&mut chance);
                }
                let found = openers(&image);
                let context = format!("seed {seed} {step:?} {n} round {round}: {found:?}");
                if answer.is_ok() {
                    // A start with the new key, cut off, may have finished what was only begun.
                    let settled = found == (false, true) && step == Step::Begin;
                    assert!(found == step.to() || settled, "{context}");
                } else {
                    let settled = found == (false, true) && (before.1 || step.to().1);
                    assert!(found == before || found == step.to() || settled, "{context}");
                }
                between += u32::from(found == (true, true));
            }
            if !met {
                break;
            }
        }
    }
    assert!(
        cut > 100 && cut_again > 20 && between > 10,
        "{cut} cuts, {cut_again} twice, {between} in between"
    );
}
