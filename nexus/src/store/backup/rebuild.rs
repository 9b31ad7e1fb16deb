//! Making a database out of an archive, and believing nothing of it before it is shown.
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use redb::WriteTransaction;
use redb::backends::FileBackend;
use spike_policy::SecretPath;
use spike_wire::backup::{Header, InvalidArchive, Part, Reader, encode_end, encode_row, encode_table};
use uuid::Uuid;

use super::restore::RestoreError;
use crate::store::open::{OpenError, Opened, builder, failed, open_checked, refusal, storage};
use crate::store::secrets::{self, RowError};
use crate::store::slots::{Slot, Slots};
use crate::store::tables::{self, KEYRING_KEY, KEYRING_NEXT_KEY, SCHEMA, SCHEMA_KEY, STORE_KEY, Table};
use crate::vault::private_file::{Draft, open_to_write};
use crate::vault::{Code, Coded, KeyTerm, RootKey, SealLimits};

/// Damaged records that are named, at most.
const MOST_NAMED: usize = 20;
const PIECE: usize = 64 << 10;
/// Rows of the table `meta` that are held in memory, at most.
const MOST_META: usize = 64;

/// An archive that is being read.
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    piece: Vec<u8>,
    reader: Reader,
}

impl Archive {
    /// Opens it and reads its head.
    pub(super) fn open(path: &Path) -> Result<(Self, Header), RestoreError> {
        let file = File::open(path).map_err(|source| RestoreError::Io {
            path: path.to_owned(),
            action: "open it",
            source,
        })?;
        let mut archive = Self {
            path: path.to_owned(),
            file,
            piece: vec![0; PIECE],
            reader: Reader::default(),
        };
        match archive.next()? {
            Part::Header(header) => Ok((archive, header)),
            Part::Table(_) | Part::Row { .. } | Part::End { .. } => Err(archive.damaged("it has no head")),
        }
    }

    /// The same archive from its first row on, on a handle of its own.
    fn again(&self) -> Result<Self, RestoreError> {
        Ok(Self::open(&self.path)?.0)
    }

    fn next(&mut self) -> Result<Part, RestoreError> {
        loop {
            if let Some(part) = self.reader.next().map_err(|why| self.invalid(why))? {
                return Ok(part);
            }
            if !self.fill()? {
                let ended = self.reader.finish().err().unwrap_or(InvalidArchive::Truncated);
                return Err(self.invalid(ended));
            }
        }
    }

    /// Nothing may follow the end.
    fn finish(&mut self) -> Result<(), RestoreError> {
        while self.fill()? {
            self.reader.finish().map_err(|why| self.invalid(why))?;
        }
        self.reader.finish().map_err(|why| self.invalid(why))
    }

    fn fill(&mut self) -> Result<bool, RestoreError> {
        let count = self.file.read(&mut self.piece).map_err(|source| RestoreError::Io {
            path: self.path.clone(),
            action: "read it",
            source,
        })?;
        self.reader.push(self.piece.get(..count).unwrap_or_default());
        Ok(count != 0)
    }

    fn invalid(&self, why: InvalidArchive) -> RestoreError {
        RestoreError::Archive {
            path: self.path.clone(),
            why,
        }
    }

    fn damaged(&self, what: &'static str) -> RestoreError {
        self.invalid(InvalidArchive::Damaged(what))
    }
}

/// A database that holds what an archive holds, complete and checked, under a temporary name.
pub(super) struct Rebuilt {
    pub(super) opened: Opened,
    pub(super) draft: Draft,
    pub(super) file: File,
    pub(super) rows: u64,
    /// Records that do not open; they did not in the store that the backup was taken of.
    pub(super) damaged: Damaged,
}

/// Records that do not open.
#[derive(Debug, Default)]
pub(super) struct Damaged {
    pub(super) count: usize,
    pub(super) named: Vec<String>,
}

impl Damaged {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(what());
        }
    }
}

/// Builds the database beside `path`.
pub(super) fn rebuild(
    (archive, header): (&mut Archive, &Header),
    root: &RootKey,
    path: &Path,
    limits: SealLimits,
) -> Result<Rebuilt, RestoreError> {
    // Read once for its code alone, so that a damaged archive costs no disk; then again, for its rows and its code.
    let mut first = archive.again()?;
    Copying::checking(&mut first).run(None, header, root)?;
    let (draft, file) = Draft::create(path).map_err(|source| failed(path, "write beside it", source))?;
    let place = draft.temporary().to_owned();
    let copy = file.try_clone().map_err(|source| failed(&place, "write it", source))?;
    let backend = FileBackend::new(copy).map_err(|error| refusal(&place, error))?;
    let db = builder()
        .create_with_backend(backend)
        .map_err(|error| refusal(&place, error))?;
    let mut copying = Copying {
        archive,
        place: &place,
        rows: 0,
    };
    let mut txn = db.begin_write().map_err(|error| storage(&place, error.into()))?;
    txn.set_two_phase_commit(true);
    copying.run(Some(&txn), header, root)?;
    let rows = copying.rows;
    for table in Table::ALL {
        drop(open_table(&txn, table, &place)?);
    }
    txn.commit().map_err(|error| storage(&place, error.into()))?;
    db.close().map_err(|error| refusal(&place, error))?;
    let mut opened = open(&place, root, limits)?;
    let mut damaged = Damaged::default();
    check(archive, header, &opened, &mut damaged)?;
    let root_fits_alone = match opened.slot {
        Slot::Current => opened.undo_rekey(),
        Slot::Next => opened.finish_rekey(root),
    };
    root_fits_alone.map_err(|_| archive.damaged("its change of the root key cannot be ended"))?;
    Ok(Rebuilt {
        opened,
        draft,
        file,
        rows,
        damaged,
    })
}

/// Opens the copy as any store is opened: from the checksums to the ledger.
fn open(place: &Path, root: &RootKey, limits: SealLimits) -> Result<Opened, OpenError> {
    let file = open_to_write(place).map_err(|source| failed(place, "open it", source))?;
    let backend = FileBackend::new(file).map_err(|error| refusal(place, error))?;
    open_checked((place, Box::new(backend)), root, limits, &|_, _| Ok(()))
}

/// The head must say what the manifest says, and every version of a secret must be there.
fn check(archive: &Archive, header: &Header, opened: &Opened, damaged: &mut Damaged) -> Result<(), RestoreError> {
    let manifest = &opened.manifest;
    let said = (header.revision, header.generation, header.term);
    if said != (manifest.revision, manifest.generation.0, manifest.term.get()) {
        return Err(archive.damaged("its head does not fit its manifest"));
    }
    for record in opened.broken.records() {
        damaged.add(|| record.to_string());
    }
    check_values(opened, damaged).map_err(|error| storage(&archive.path, error).into())
}

fn check_values(opened: &Opened, damaged: &mut Damaged) -> Result<(), redb::Error> {
    let txn = tables::begin_read(&opened.db)?;
    for path in secrets::paths(&txn, &opened.broken.secrets)? {
        match check_secret(&txn, opened, &path) {
            Ok(()) => {}
            Err(RowError::Damaged(_, reason)) => damaged.add(|| format!("secret `{path}`: {reason}")),
            Err(RowError::Storage(error)) => return Err(error),
        }
    }
    Ok(())
}

fn check_secret(txn: &redb::ReadTransaction, opened: &Opened, path: &SecretPath) -> Result<(), RowError> {
    let Some(history) = secrets::history(txn, &opened.vault, path)? else {
        return Ok(());
    };
    for (number, version) in history.versions.iter().filter(|(_, version)| version.has_values()) {
        drop(secrets::value(
            txn,
            &opened.vault,
            &secrets::value_key(path, *number),
            *version,
        )?);
    }
    Ok(())
}

/// Keys and values.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// The rows on their way from the archive into the new file, or nowhere.
struct Copying<'a> {
    archive: &'a mut Archive,
    place: &'a Path,
    rows: u64,
}

type Bytes<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

impl<'a> Copying<'a> {
    fn checking(archive: &'a mut Archive) -> Self {
        Self {
            archive,
            place: Path::new(""),
            rows: 0,
        }
    }

    /// Everything after the head. It fails unless the archive's code fits all that was read.
    fn run(&mut self, txn: Option<&WriteTransaction>, header: &Header, root: &RootKey) -> Result<(), RestoreError> {
        let (meta, mut part) = self.read_meta()?;
        let mut code = self.unlock(header, root, &meta)?;
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        encode_table(Table::Meta.name(), &mut bytes);
        code.update(&bytes);
        {
            let mut table = self.open_in(txn, Table::Meta)?;
            for (key, value) in &meta {
                self.put(&mut table, (key, value), &mut code)?;
            }
        }
        loop {
            part = match part {
                Part::Table(name) => self.table(txn, &name, &mut code)?,
                Part::End { rows, mac } => {
                    let mut end = Vec::new();
                    encode_end(rows, &mut end);
                    code.update(&end);
                    if !code.is(&mac) {
                        return Err(self.archive.damaged("its code does not fit: it was altered"));
                    }
                    break;
                }
                Part::Header(_) | Part::Row { .. } => return Err(self.archive.damaged("a part out of its order")),
            };
        }
        self.archive.finish()
    }

    /// The table `meta` comes first: it holds the keyring, without which nothing else can be judged.
    fn read_meta(&mut self) -> Result<(Rows, Part), RestoreError> {
        match self.archive.next()? {
            Part::Table(name) if name == Table::Meta.name() => {}
            Part::Table(_) | Part::Header(_) | Part::Row { .. } | Part::End { .. } => {
                return Err(self.archive.damaged("its first table is not `meta`"));
            }
        }
        let mut rows = Vec::new();
        loop {
            match self.archive.next()? {
                Part::Row { key, value } if rows.len() < MOST_META => rows.push((key, value)),
                Part::Row { .. } => return Err(self.archive.damaged("its table `meta` is too large")),
                other @ (Part::Header(_) | Part::Table(_) | Part::End { .. }) => return Ok((rows, other)),
            }
        }
    }

    fn unlock(&self, header: &Header, root: &RootKey, meta: &[(Vec<u8>, Vec<u8>)]) -> Result<Code, RestoreError> {
        let row = |wanted: &[u8]| meta.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
        let schema = row(SCHEMA_KEY).and_then(|value| value.as_slice().try_into().ok());
        let schema = schema.map(u32::from_be_bytes);
        match schema {
            Some(found) if found > SCHEMA => {
                return Err(RestoreError::NewerSchema {
                    path: self.archive.path.clone(),
                    found,
                });
            }
            Some(_) => {}
            None => return Err(self.archive.damaged("its schema is gone")),
        }
        let store = row(STORE_KEY).and_then(|value| Uuid::from_slice(value).ok());
        let store = store.filter(|store| *store.as_bytes() == header.store);
        let keyring = row(KEYRING_KEY).cloned();
        let (Some(store), Some(current)) = (store, keyring) else {
            return Err(self.archive.damaged("its store or its keyring is gone"));
        };
        let next = row(KEYRING_NEXT_KEY).cloned();
        let unlocked = Slots { store, current, next }.unlock(root, SealLimits::default());
        let (vault, _) = unlocked.map_err(|error| match error {
            crate::vault::UnlockError::WrongKey => RestoreError::WrongKey(self.archive.path.clone()),
            crate::vault::UnlockError::Damaged => self.archive.damaged("its keyring does not open"),
        })?;
        let term = KeyTerm::try_from(header.term).ok();
        let code = term.and_then(|term| vault.code(term, Coded::Backup));
        code.ok_or_else(|| self.archive.damaged("its head names a key that it does not hold"))
    }

    /// Copies the rows of a table; gives the part after them.
    fn table(&mut self, txn: Option<&WriteTransaction>, name: &str, code: &mut Code) -> Result<Part, RestoreError> {
        let known = Table::ALL.into_iter().find(|table| table.name() == name);
        let Some(kind) = known else {
            return Err(self.archive.damaged("it has a table that this version does not know"));
        };
        let mut bytes = Vec::new();
        encode_table(name, &mut bytes);
        code.update(&bytes);
        let mut table = self.open_in(txn, kind)?;
        loop {
            let (key, value) = match self.archive.next()? {
                Part::Row { key, value } => (key, value),
                other @ (Part::Header(_) | Part::Table(_) | Part::End { .. }) => return Ok(other),
            };
            self.put(&mut table, (&key, &value), code)?;
        }
    }

    fn put(
        &mut self,
        table: &mut Option<Bytes<'_>>,
        (key, value): (&[u8], &[u8]),
        code: &mut Code,
    ) -> Result<(), RestoreError> {
        let mut bytes = Vec::with_capacity(9 + key.len() + value.len());
        encode_row(key, value, &mut bytes);
        code.update(&bytes);
        self.rows += 1;
        let Some(table) = table else { return Ok(()) };
        let before = table
            .insert(key, value)
            .map_err(|error| storage(self.place, error.into()))?;
        let twice = before.is_some();
        drop(before);
        if twice {
            return Err(self.archive.damaged("a row is in it twice"));
        }
        Ok(())
    }

    fn open_in<'t>(&self, txn: Option<&'t WriteTransaction>, table: Table) -> Result<Option<Bytes<'t>>, OpenError> {
        txn.map(|txn| open_table(txn, table, self.place)).transpose()
    }
}

fn open_table<'t>(txn: &'t WriteTransaction, table: Table, place: &Path) -> Result<Bytes<'t>, OpenError> {
    txn.open_table(table.definition())
        .map_err(|error| storage(place, error.into()))
}
