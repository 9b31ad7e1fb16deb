//! Reading every policy, on all processors: one thread reads rows, some open them, one makes the set of them.
//!
//! A start waits for this, and most of it is opening records and reading patterns.
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use spike_policy::{Generation, Policy, PolicyId, PolicyName, PolicySet, Prepared};

use super::{BrokenPolicies, LoadedPolicies, columns_of, decode, id_of};
use crate::store::broken::BrokenRecord;
use crate::store::ledger::{Roll, Standing, Tracked};
use crate::store::tables::{Row, Table};
use crate::vault::Vault;

/// Fewer rows than this are not worth a thread.
const FEW: u64 = 1024;
/// Rows that are handed on together.
const BATCH: usize = 256;
/// Batches that may wait: they bound the memory that this takes.
const WAITING: usize = 4;
/// Threads that open rows, at most.
const MOST_THREADS: usize = 4;

/// A row and what the ledger says about it; nothing when the row does not parse.
struct Found {
    key: Box<[u8]>,
    value: Box<[u8]>,
    standing: Option<Standing>,
}

type Opened = Result<Prepared, Box<(PolicyId, Option<PolicyName>, BrokenRecord)>>;

/// Some of the work, and its place in the whole.
struct Batch<T> {
    number: usize,
    items: Vec<T>,
}

/// Reads and opens every policy, ticking it off the roll.
pub(in crate::store) fn load(
    txn: &ReadTransaction,
    vault: &Vault,
    generation: Generation,
    roll: &mut Roll,
) -> Result<LoadedPolicies, redb::Error> {
    let table = txn.open_table(Table::Policies.definition())?;
    if table.len()? < FEW {
        let mut opened = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            opened.push(open(vault, &found(roll, key.value(), value.value())));
        }
        return Ok(build(generation, opened.into_iter()));
    }
    thread::scope(|scope| {
        let (rows, waiting) = sync_channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let (done, opened) = sync_channel(WAITING);
        let set = scope.spawn(move || build(generation, in_order(&opened)));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.min(MOST_THREADS) {
            let (waiting, done) = (Arc::clone(&waiting), done.clone());
            scope.spawn(move || open_all(vault, &waiting, &done));
        }
        // What is left of these two ends with the threads that use them, so that nobody waits for one that panicked.
        drop((waiting, done));
        let read = read(&table, roll, &rows);
        drop(rows);
        let loaded = set.join().unwrap_or_else(|panic| resume_unwind(panic));
        read.map(|()| loaded)
    })
}

fn read(
    table: &redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
    roll: &mut Roll,
    rows: &SyncSender<Batch<Found>>,
) -> Result<(), redb::Error> {
    let mut batch = Batch {
        number: 0,
        items: Vec::with_capacity(BATCH),
    };
    for entry in table.iter()? {
        let (key, value) = entry?;
        batch.items.push(found(roll, key.value(), value.value()));
        if batch.items.len() == BATCH {
            let next = Batch {
                number: batch.number + 1,
                items: Vec::with_capacity(BATCH),
            };
            if rows.send(std::mem::replace(&mut batch, next)).is_err() {
                return Ok(());
            }
        }
    }
    // Nobody takes it when a thread panicked, which is told when it is joined.
    drop(rows.send(batch));
    Ok(())
}

fn open_all(vault: &Vault, waiting: &Mutex<Receiver<Batch<Found>>>, done: &SyncSender<Batch<Opened>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Batch { number, items }) = next else { return };
        let items = items.iter().map(|found| open(vault, found)).collect();
        if done.send(Batch { number, items }).is_err() {
            return;
        }
    }
}

/// The rows in the order of the table, however the threads finish.
fn in_order(opened: &Receiver<Batch<Opened>>) -> impl Iterator<Item = Opened> {
    let mut early: Vec<Batch<Opened>> = Vec::new();
    let batches = (0..).map_while(move |number| {
        loop {
            if let Some(at) = early.iter().position(|batch| batch.number == number) {
                return Some(early.swap_remove(at).items);
            }
            early.push(opened.recv().ok()?);
        }
    });
    batches.flat_map(Vec::into_iter)
}

fn build(generation: Generation, opened: impl Iterator<Item = Opened>) -> LoadedPolicies {
    let mut broken = BrokenPolicies::new();
    let served = opened.filter_map(|opened| match opened {
        Ok(policy) => Some(policy),
        Err(unusable) => {
            let (id, name, record) = *unusable;
            broken.insert(id, (name, record));
            None
        }
    });
    let set = Arc::new(PolicySet::of_prepared(generation, served));
    LoadedPolicies { set, broken }
}

fn found(roll: &mut Roll, key: &[u8], value: &[u8]) -> Found {
    // Ticked off even when it does not open: a damaged row is not also a missing one.
    let row = Row::parse(value).ok();
    Found {
        key: key.into(),
        value: value.into(),
        standing: row.map(|row| roll.tick(Tracked::Policy, key, row.revision)),
    }
}

fn open(vault: &Vault, found: &Found) -> Opened {
    policy(vault, found).map_err(|reason| {
        let id = id_of(&found.key);
        let clear = Row::parse(&found.value).ok().and_then(|row| columns_of(row.clear));
        let name = clear.map(|(_, _, name)| name);
        let record = BrokenRecord::policy(id, name.as_ref(), reason);
        Box::new((id, name, record))
    })
}

fn policy(vault: &Vault, found: &Found) -> Result<Prepared, String> {
    let row = Row::parse(&found.value).map_err(|error| error.to_string())?;
    let plain = row
        .open(vault, Table::Policies, &found.key)
        .map_err(|error| error.to_string())?;
    found.standing.map_or(Ok(()), Standing::check)?;
    let (created_at, updated_at, name) = columns_of(row.clear).ok_or("its clear columns do not parse")?;
    let id = found.key.first_chunk::<16>().ok_or("its key is no policy id")?;
    decode(name, &plain, |rule| Policy {
        id: PolicyId::from_bytes(*id),
        rule,
        created_at,
        updated_at,
    })
}
