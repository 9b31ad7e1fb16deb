//! The writes that a store takes, and what each is answered.
use std::sync::Arc;

use spike_policy::{Generation, Policy, PolicyId, PolicyName, Rule, SecretPath, UnixMillis};
use tokio::sync::oneshot;

use super::health::Unavailable;
use super::import::{ImportMode, Imported, PolicyImport, SecretImport};
use super::meter::Meter;
use super::rekey::{Rekey, RekeyRefused};
use super::sealed::UnsealStoreError;
use super::version::{SecretVersion, VersionChoice};
use crate::vault::{KeyTerm, RootKey, SealError, SecretValue};

/// How a policy put treats a name that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Create or update.
    Upsert,
    /// Create only: an existing name is [`WriteError::Exists`].
    CreateOnly,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The name was new.
    Created,
    /// The rule changed.
    Updated,
    /// The same rule was there already: nothing was written, the generation stands.
    Unchanged,
}

impl PutOutcome {
    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An acknowledged put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The policy as it is stored.
    pub policy: Arc<Policy>,
    /// What happened.
    pub outcome: PutOutcome,
    /// The generation that has it (or had it already).
    pub generation: Generation,
}

/// An acknowledged apply: one entry per rule, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What happened to each.
    pub policies: Vec<(Arc<Policy>, PutOutcome)>,
    /// The generation that has them all.
    pub generation: Generation,
}

/// An acknowledged deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Its name; `None` for a damaged record whose name cannot be read.
    pub name: Option<PolicyName>,
    /// Its id.
    pub id: PolicyId,
    /// The first generation without it.
    pub generation: Generation,
}

/// Why a write was not acknowledged. Except for [`WriteError::OutcomeUnknown`], nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No such policy or secret, or nothing to undelete.
    #[error("not found")]
    NotFound,
    /// [`Mode::CreateOnly`] and the name is taken.
    #[error("a policy named `{0}` exists")]
    Exists(PolicyName),
    /// One apply names a policy twice.
    #[error("the policy `{0}` is named twice")]
    Repeated(PolicyName),
    /// The secret's record is damaged, so nothing can be added to it.
    #[error("a stored record is damaged")]
    Damaged,
    /// The secret has used up all 2³² - 1 version numbers.
    #[error("the secret has no version number left")]
    NoVersionLeft,
    /// Too many writes wait; try again.
    #[error("too many writes are waiting")]
    Busy,
    /// A step of a change of the root key was refused.
    #[error(transparent)]
    Rekey(#[from] RekeyRefused),
    /// Sealing was refused (no random bytes, exhausted key).
    #[error("could not encrypt: {0}")]
    Seal(#[from] SealError),
    /// The store is closed, failed or recovering.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The disk failed during the commit: the write may or may not be there after recovery. Read, then decide; an
    /// upsert may simply be repeated.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
}

/// Who waits for an answer, and who counts it.
pub(super) struct Reply<T> {
    to: oneshot::Sender<Result<T, WriteError>>,
    meter: Arc<Meter>,
}

impl<T> Reply<T> {
    pub(super) fn new(meter: &Arc<Meter>) -> (Self, oneshot::Receiver<Result<T, WriteError>>) {
        let (to, answer) = oneshot::channel();
        let meter = Arc::clone(meter);
        (Self { to, meter }, answer)
    }
}

/// One unit of the writer's work.
pub(super) enum Job {
    /// A change of the data: many of them share a transaction.
    Write(Write),
    /// Something that needs the store for itself.
    Control(Control),
}

pub(super) enum Write {
    PutPolicy {
        rule: Rule,
        mode: Mode,
        now: UnixMillis,
        reply: Reply<Put>,
    },
    ApplyPolicies {
        rules: Vec<Rule>,
        now: UnixMillis,
        reply: Reply<Applied>,
    },
    DeletePolicy {
        key: String,
        reply: Reply<Deleted>,
    },
    PutSecret {
        path: SecretPath,
        value: SecretValue,
        now: UnixMillis,
        reply: Reply<SecretVersion>,
    },
    DeleteVersions {
        path: SecretPath,
        versions: Vec<VersionChoice>,
        now: UnixMillis,
        reply: Reply<()>,
    },
    UndeleteVersions {
        path: SecretPath,
        versions: Vec<VersionChoice>,
        now: UnixMillis,
        reply: Reply<()>,
    },
    ImportSecret {
        import: Box<SecretImport>,
        now: UnixMillis,
        reply: Reply<Imported>,
    },
    ImportPolicies {
        policies: Vec<PolicyImport>,
        mode: ImportMode,
        now: UnixMillis,
        reply: Reply<Vec<(Arc<Policy>, Imported)>>,
    },
}

/// Messages of callers that may be sealed under a term: durable before anyone hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) term: KeyTerm,
    pub(super) messages: u64,
}

pub(super) enum Control {
    Rotate {
        reply: Reply<KeyTerm>,
    },
    /// A step of a change of the root key.
    Rekey(Rekey),
    /// Reserves messages of callers under the current term, or under a new one.
    Reserve {
        reply: Reply<Reserved>,
    },
    /// Opens a sealed store.
    Unseal {
        root: Arc<RootKey>,
        /// Whether a database that is not there may be made under this key.
        create: bool,
        reply: oneshot::Sender<Result<(), UnsealStoreError>>,
    },
    Recover,
    Close {
        reply: oneshot::Sender<Result<(), Unavailable>>,
    },
}

impl Job {
    /// Answers a job that will not be done.
    pub(super) fn refuse(self, why: Unavailable) {
        match self {
            Self::Write(write) => write.refuse(why),
            Self::Control(Control::Rotate { reply }) => send(reply, Err(why.into())),
            Self::Control(Control::Rekey(
                Rekey::Begin { reply, .. } | Rekey::Finish { reply, .. } | Rekey::Undo { reply },
            )) => send(reply, Err(why.into())),
            Self::Control(Control::Reserve { reply }) => send(reply, Err(why.into())),
            Self::Control(Control::Unseal { reply, .. }) => drop(reply.send(Err(why.into()))),
            Self::Control(Control::Recover) => {}
            Self::Control(Control::Close { reply }) => drop(reply.send(Ok(()))),
        }
    }
}

impl Write {
    pub(super) fn refuse(self, why: Unavailable) {
        match self {
            Self::PutPolicy { reply, .. } => send(reply, Err(why.into())),
            Self::ApplyPolicies { reply, .. } => send(reply, Err(why.into())),
            Self::DeletePolicy { reply, .. } => send(reply, Err(why.into())),
            Self::PutSecret { reply, .. } => send(reply, Err(why.into())),
            Self::DeleteVersions { reply, .. } | Self::UndeleteVersions { reply, .. } => send(reply, Err(why.into())),
            Self::ImportSecret { reply, .. } => send(reply, Err(why.into())),
            Self::ImportPolicies { reply, .. } => send(reply, Err(why.into())),
        }
    }
}

/// An answer that waits for the commit. It is given the error of the whole transaction, if there was one.
pub(super) type Answer = Box<dyn FnOnce(Option<&WriteError>) + Send>;

pub(super) fn answer<T: Send + 'static>(reply: Reply<T>, result: Result<T, WriteError>) -> Answer {
    Box::new(move |failed| send(reply, failed.map_or(result, |error| Err(error.clone()))))
}

/// A caller that hung up does not undo a commit; there is nobody to tell.
pub(super) fn send<T>(reply: Reply<T>, result: Result<T, WriteError>) {
    reply.meter.answered(&result);
    drop(reply.to.send(result));
}
