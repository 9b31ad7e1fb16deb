//! What has to hold for a policy to give an access.
use std::fmt;

/// One link of the chain between a policy and an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// The SPIFFE ID pattern matches.
    Identity,
    /// The path pattern matches.
    Path,
    /// The permission is given.
    Permission,
    /// The reserved-namespace guard lets the policy through. Asked only when the path matches.
    Guard,
}

impl Link {
    /// Every link, in the order of a decision.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Path, Self::Permission, Self::Guard];

    /// The low-cardinality word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Path => "path",
            Self::Permission => "permission",
            Self::Guard => "guard",
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
