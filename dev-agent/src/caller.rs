//! Who is calling, and through which door.
//!
//! **Owns** the reading of a socket's peer credentials and the matching of selectors. **Refuses** whatever a caller
//! says about itself. **Invariant**: an identity goes only to a caller of its own socket, or to a caller of the common
//! socket that has all of its selectors.

use std::path::PathBuf;

use tokio::net::unix::UCred;
use tonic::Extensions;
use tonic::transport::server::UdsConnectInfo;

use crate::config::{Entry, Selector};

/// The socket that a call came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// A socket that stands for identities, by its path in the configuration.
    Own(PathBuf),
    /// The common socket.
    Common,
}

/// A calling process, as the kernel knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    uid: Option<u32>,
    gid: Option<u32>,
    program: Option<PathBuf>,
}

impl Caller {
    /// From the connection of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let credentials = extensions.get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
        Self {
            uid: credentials.map(|peer| peer.uid()),
            gid: credentials.map(|peer| peer.gid()),
            program: credentials.as_ref().and_then(program),
        }
    }

    fn has(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Uid(uid) => self.uid == Some(*uid),
            Selector::Gid(gid) => self.gid == Some(*gid),
            Selector::Path(path) => self.program.as_ref() == Some(path),
        }
    }
}

impl Door {
    /// Whether an entry's identity goes to this caller.
    pub(crate) fn gives(&self, entry: &Entry, caller: &Caller) -> bool {
        match self {
            Self::Own(socket) => entry.socket.as_ref() == Some(socket),
            Self::Common => !entry.selectors.is_empty() && entry.selectors.iter().all(|selector| caller.has(selector)),
        }
    }
}

/// The program that a process runs. Unknown when it runs as somebody else or has hardened itself.
fn program(peer: &UCred) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/exe", peer.pid()?)).ok()
}

#[cfg(test)]
mod tests;
