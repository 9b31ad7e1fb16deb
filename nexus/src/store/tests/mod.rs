//! Tests of the store from inside: they edit rows through redb and put failing disks under it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod anchor_power;
mod backups;
mod bits;
mod faults;
mod group;
mod messages;
mod meter;
mod policies;
mod power;
mod rekey;
mod reseal;
mod secrets;
mod tamper;
mod test_disk;
mod test_volume;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use spike_policy::{Permissions, Rule, SecretPath, UnixMillis};

use super::disk::Disk;
use super::handle::Store;
use super::open::OpenError;
use super::options::Tuning;
use super::version::VersionChoice;
use crate::vault::{RootKey, SecretValue};

const ROOT: [u8; 32] = [7; 32];

fn root() -> RootKey {
    RootKey::take(&mut ROOT.clone())
}

fn tuning() -> Tuning {
    Tuning {
        reopen_pauses: vec![Duration::ZERO; 3],
        ..Tuning::default()
    }
}

/// A new, open store on this disk.
fn create(disk: &Disk) -> Store {
    disk.create(&root(), tuning().seal_limits).unwrap();
    open(disk).unwrap()
}

fn open(disk: &Disk) -> Result<Store, OpenError> {
    Store::start(disk.clone(), root(), tuning())
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A policy for the workload of that name.
fn rule(name: &str, path: &str) -> Rule {
    Rule {
        name: name.parse().unwrap(),
        spiffe_id: format!("^spiffe://example\\.org/workload/{}$", name.replace(' ', "-"))
            .parse()
            .unwrap(),
        path: path.parse().unwrap(),
        permissions: Permissions::parse(["read", "list"]).unwrap(),
    }
}

fn path(text: &str) -> SecretPath {
    text.parse().unwrap()
}

fn value(password: &str) -> SecretValue {
    [("password".to_owned(), password.to_owned())].into_iter().collect()
}

fn password(store: &Store, at: &str) -> Option<String> {
    let read = store.get_secret(&path(at), VersionChoice::Current).ok()?;
    read.value
        .expose_secret()
        .find(|(key, _)| *key == "password")
        .map(|(_, value)| value.to_owned())
}

/// What is served: path patterns by policy name.
fn served(store: &Store) -> BTreeMap<String, String> {
    let set = store.policies().unwrap();
    set.iter()
        .map(|policy| (policy.rule.name.to_string(), policy.rule.path.to_string()))
        .collect()
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis(millis)
}

fn versions(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).unwrap()
}

/// A small generator for repeatable tests (xorshift64*). `SEED=` sets its start; failures name it.
struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    fn new(default: u64) -> Self {
        let seed = option_env!("SEED")
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(default);
        Self {
            seed,
            state: seed.max(1),
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }
}
