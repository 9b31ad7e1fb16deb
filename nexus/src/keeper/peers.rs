//! Which Keepers there are, and which share each holds.
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;

use crate::vault::Sharing;

/// Where one Keeper is: `https://host[:port][/prefix]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperUrl {
    base: String,
    authority: String,
    prefix: String,
}

/// The Keepers in the order of the shares that they hold: the first one holds share 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers(Arc<[KeeperUrl]>);

/// What is wrong with a list of Keepers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeers {
    /// An item of the list is blank.
    #[error("blank")]
    Blank,
    /// Two positions, one Keeper: it would hold the later share only.
    #[error("Keeper `{0}` is named twice")]
    Repeated(String),
    /// Not an address of a Keeper.
    #[error("not an https address, or one with a user, a query or a fragment")]
    Address,
    /// None, or more than there can be shares.
    #[error("{0} Keepers; there are 1 to {most} shares", most = Sharing::MOST)]
    Count(usize),
}

impl KeeperUrl {
    /// Host and port.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The address of one of its routes.
    pub(super) fn route(&self, path: &str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(Scheme::HTTPS)
            .authority(self.authority.as_str())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
    }
}

impl FromStr for KeeperUrl {
    type Err = InvalidPeers;

    fn from_str(text: &str) -> Result<Self, InvalidPeers> {
        if text.is_empty() {
            return Err(InvalidPeers::Blank);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidPeers::Address)?;
        let authority = uri.authority().ok_or(InvalidPeers::Address)?;
        let plain = uri.scheme() == Some(&Scheme::HTTPS)
            && uri.query().is_none()
            && !text.contains('#')
            && !authority.as_str().contains('@')
            && !authority.host().is_empty();
        if !plain {
            return Err(InvalidPeers::Address);
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let authority = authority.as_str().to_ascii_lowercase();
        Ok(Self {
            base: format!("https://{authority}{prefix}"),
            authority,
            prefix,
        })
    }
}

impl fmt::Display for KeeperUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl Peers {
    /// These, in this order.
    ///
    /// # Errors
    /// When there are none, more than there can be shares, or one is named twice.
    pub fn new(peers: Vec<KeeperUrl>) -> Result<Self, InvalidPeers> {
        let twice = peers
            .iter()
            .enumerate()
            .find(|(at, peer)| peers.iter().take(*at).any(|other| other == *peer));
        match (twice, peers.len()) {
            (Some((_, peer)), _) => Err(InvalidPeers::Repeated(peer.to_string())),
            (None, count) if count == 0 || count > usize::from(Sharing::MOST) => Err(InvalidPeers::Count(count)),
            (None, _) => Ok(Self(peers.into())),
        }
    }

    /// How many Keepers there are: at least one.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Each Keeper with the number of the share that it holds.
    pub fn numbered(&self) -> impl Iterator<Item = (u16, &KeeperUrl)> {
        (1..=Sharing::MOST).zip(self.0.iter())
    }
}
