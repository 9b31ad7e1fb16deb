//! Authorities of the trust domain that most tests live in, and identities under them.

use spike_identity::authority::TestAuthority;
use spike_identity::{Bundles, Identity, SvidMaterial};

pub(crate) const NEXUS: &str = "/spike/nexus";
pub(crate) const WEB: &str = "/web";

/// An authority of `example.org`: with every call another one.
pub(crate) fn new_authority() -> TestAuthority {
    TestAuthority::new("example.org").unwrap()
}

/// Bundles in which all of these count.
pub(crate) fn bundles_of(authorities: &[&TestAuthority]) -> Bundles {
    let mut bundles = Bundles::default();
    for authority in authorities {
        authority.join(&mut bundles).unwrap();
    }
    bundles
}

pub(crate) fn svid_of(authority: &TestAuthority, path: &str) -> SvidMaterial {
    authority.svid(path).unwrap().material().unwrap()
}

/// An identity that one authority signed, and that believes those of the bundles.
pub(crate) fn identity_of(authority: &TestAuthority, path: &str, bundles: &Bundles) -> Identity {
    Identity::from_material(&svid_of(authority, path), bundles.clone())
}
