//! Whether the store can be used, and what it says when it cannot.

/// Whether the store can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It waits for its root key.
    Sealed,
    /// It can.
    Ready,
    /// A disk error happened; the store is being reopened. Policies are served meanwhile unless a commit is in doubt.
    Recovering,
    /// Reopening failed for good: stop the process, so that its supervisor starts a new one.
    Failed,
    /// Closed on request.
    Closed,
}

/// Why the store cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It waits for its root key.
    #[error("the store waits for its root key")]
    Sealed,
    /// A disk error happened; the store is being reopened.
    #[error("the store is recovering from a disk error")]
    Recovering,
    /// Reopening failed for good.
    #[error("the store failed")]
    Failed,
    /// It was closed.
    #[error("the store is closed")]
    Closed,
}

impl Health {
    /// Why nothing can be read or written, if so.
    pub(super) fn unavailable(self) -> Option<Unavailable> {
        match self {
            Self::Ready => None,
            Self::Sealed => Some(Unavailable::Sealed),
            Self::Recovering => Some(Unavailable::Recovering),
            Self::Failed => Some(Unavailable::Failed),
            Self::Closed => Some(Unavailable::Closed),
        }
    }
}
