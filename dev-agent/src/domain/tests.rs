#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const TTL: Duration = Duration::from_secs(600);

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn domain(keep: Option<Keep>) -> Domain {
    Domain::open("example.org".parse().unwrap(), TTL, keep, start()).unwrap()
}

#[test]
fn an_authority_is_trusted_before_it_signs_and_until_it_ends() {
    let mut domain = domain(None);
    let first = domain.bundle().x509;
    let at = |seconds| start() + Duration::from_secs(seconds);
    assert_eq!(domain.due(), at(300));
    assert_eq!(domain.age(at(299)).unwrap(), Aged::Nothing);
    assert_eq!(
        domain.age(at(300)).unwrap(),
        Aged::Bundle,
        "prepared at half of its life"
    );
    let both = domain.bundle().x509;
    assert_eq!(both.len(), 2);
    assert!(both.starts_with(&first));
    assert_eq!(domain.due(), at(500));
    assert_eq!(domain.age(at(499)).unwrap(), Aged::Nothing);
    assert_eq!(domain.age(at(500)).unwrap(), Aged::Signer, "activated at five sixths");
    let mut now = domain.bundle().x509;
    now.reverse();
    assert_eq!(now, both, "the old one is still trusted");
    assert_eq!(domain.age(at(600)).unwrap(), Aged::Bundle, "dropped at its end");
    assert_eq!(
        domain.bundle().x509.len(),
        2,
        "the second, and the third that is prepared at half of its life"
    );
    assert!(!domain.bundle().x509.starts_with(&first));
}

#[test]
fn an_old_authority_is_kept_or_dropped_as_told() {
    for (old, trusted) in [(Old::Keep, 2), (Old::Drop, 1)] {
        let mut domain = domain(None);
        let before = domain.bundle();
        domain.activate(old, start()).unwrap();
        let after = domain.bundle();
        assert_eq!((after.x509.len(), after.jwt.len()), (trusted, trusted), "{old:?}");
        assert_ne!(after.x509.first(), before.x509.first());
        assert_eq!(domain.drop_old(), old == Old::Keep);
        assert_eq!(domain.bundle().x509.len(), 1);
    }
}

#[test]
fn a_kept_authority_survives_a_restart_and_an_expired_one_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let keep = Keep(directory.path().join("authority"));
    let first = domain(Some(keep.clone())).bundle();
    assert_eq!(domain(Some(keep.clone())).bundle(), first);
    let later = Domain::open("example.org".parse().unwrap(), TTL, Some(keep.clone()), start() + TTL).unwrap();
    assert_ne!(later.bundle(), first);
    for name in ["ca.key", "jwt.key", "ca.crt"] {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join("authority/example.org").join(name);
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[test]
fn a_damaged_authority_is_refused_by_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let keep = Keep(directory.path().to_owned());
    domain(Some(keep.clone()));
    for name in ["jwt.key", "ca.key", "ca.crt"] {
        let path = directory.path().join("example.org").join(name);
        std::fs::write(&path, "nothing").unwrap();
        let error = Domain::open("example.org".parse().unwrap(), TTL, Some(keep.clone()), start()).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}
