//! What may become our own SVID or a bundle, and what is never shown of it.

use crate::trust::{NEXUS, WEB, new_authority};
use spike_identity::authority::TestSvid;
use spike_identity::{Bundles, Expect, Identity, InvalidMaterial};

#[test]
fn a_key_of_another_certificate_is_not_taken_as_ours() {
    let authority = new_authority();
    let (one, other) = (authority.svid(NEXUS).unwrap(), authority.svid(NEXUS).unwrap());
    let mixed = TestSvid {
        chain: one.chain,
        key: other.key,
    };
    assert_eq!(mixed.material().unwrap_err(), InvalidMaterial::Mismatch);
    let garbage = TestSvid {
        chain: mixed.chain,
        key: b"no key".to_vec(),
    };
    assert_eq!(garbage.material().unwrap_err(), InvalidMaterial::Key);
}

#[test]
fn a_bundle_takes_only_authorities() {
    let authority = new_authority();
    let mut bundles = Bundles::default();
    let domain = "example.org".parse().unwrap();
    assert!(bundles.add(&domain, &authority.svid(WEB).unwrap().chain[0]).is_err());
    assert!(bundles.add(&domain, b"no certificate").is_err());
    assert_eq!(bundles.trust_domains().count(), 0);
}

#[test]
fn no_private_key_is_ever_printed() {
    let authority = new_authority();
    let svid = authority.svid(NEXUS).unwrap();
    let identity = Identity::from_material(&svid.material().unwrap(), authority.bundles().unwrap());
    let printed = format!(
        "{identity:?} {:?} {:?}",
        svid.material().unwrap(),
        identity.connector(Expect::Any)
    );
    assert!(printed.contains("example.org"));
    for form in [format!("{:?}", svid.key), format!("{:?}", &svid.key[36..68])] {
        assert!(!printed.contains(form.trim_matches(['[', ']'])));
    }
}
