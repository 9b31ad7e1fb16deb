#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::sample;

fn roles() -> Roles {
    sample::roles_under("spike.ist, example.org")
}

fn role(path: &str) -> Role {
    roles().of(&format!("spiffe://example.org{path}").parse().unwrap())
}

/// The bases of spike.md §2.1 and design D4: each counts as it is and with anything below.
const BASES: [(&str, Role); 9] = [
    ("/spike/nexus", Role::Nexus),
    ("/spike/ext-authz", Role::ExtAuthz),
    ("/spike/keeper", Role::Keeper),
    ("/spike/bootstrap", Role::Bootstrap),
    ("/spike/pilot/role/superuser", Role::Superuser),
    ("/spike/pilot/alice", Role::Superuser),
    ("/spike/pilot/role/recover", Role::Recover),
    ("/spike/pilot/role/restore", Role::Restore),
    ("/spike/workload/role/lite", Role::LiteWorkload),
];

#[test]
fn each_base_counts_as_it_is_and_below() {
    for (base, expected) in BASES {
        assert_eq!(role(base), expected, "{base}");
        for below in ["/0", "/a/b", "/role/superuser"] {
            assert_eq!(role(&format!("{base}{below}")), expected, "{base}{below}");
        }
    }
}

#[test]
fn a_segment_is_whole_or_nothing() {
    for path in [
        "",
        "/spike",
        "/spike/nexusx",
        "/spike/nexus-2",
        "/spike/Nexus",
        "/spikex/nexus",
        "/x/spike/nexus",
        "/spike/pilot",
        "/spike/pilot/role",
        "/spike/pilot/role/superuserx",
        "/spike/pilot/role/recoverx",
        "/spike/pilot/role/super",
        "/spike/pilot/role/admin/superuser",
        "/spike/pilotx/alice",
        "/spike/workload",
        "/spike/workload/role",
        "/spike/workload/lite",
        "/spike/workload/role/litex",
        "/spike/workload/role/full",
        "/spike/ext-authzx",
        "/spike/ext",
        "/web",
    ] {
        assert_eq!(role(path), Role::Workload, "{path}");
    }
    assert_eq!(role("/spike/pilot/rolex"), Role::Superuser);
    assert_eq!(role("/spike/pilot/roles/superuser"), Role::Superuser);
}

#[test]
fn a_base_counts_only_under_its_own_trust_roots() {
    let everywhere = roles();
    for (base, expected) in BASES {
        let here: SpiffeId = format!("spiffe://spike.ist{base}").parse().unwrap();
        let elsewhere: SpiffeId = format!("spiffe://spike.ist.evil.test{base}").parse().unwrap();
        assert_eq!(everywhere.of(&here), expected);
        assert_eq!(everywhere.of(&elsewhere), Role::Workload);
        assert_eq!(Roles::default().of(&here), Role::Workload);
        let without = match expected {
            Role::Nexus | Role::ExtAuthz => Roles {
                nexus: TrustRoots::default(),
                ..roles()
            },
            Role::Keeper => Roles {
                keeper: TrustRoots::default(),
                ..roles()
            },
            Role::Bootstrap => Roles {
                bootstrap: TrustRoots::default(),
                ..roles()
            },
            Role::LiteWorkload => Roles {
                lite_workload: TrustRoots::default(),
                ..roles()
            },
            Role::Superuser | Role::Recover | Role::Restore => Roles {
                pilot: TrustRoots::default(),
                ..roles()
            },
            Role::Workload => roles(),
        };
        assert_eq!(without.of(&here), Role::Workload, "{base}");
    }
}

/// Every path of up to five of these words: the role follows from the first four segments alone.
#[test]
fn what_stands_below_a_role_never_changes_it() {
    let words = [
        "spike",
        "pilot",
        "role",
        "superuser",
        "recover",
        "nexus",
        "workload",
        "lite",
        "x",
    ];
    let mut paths = vec![String::new()];
    let mut tried = 0;
    for length in 1..=5 {
        paths = paths
            .iter()
            .flat_map(|path| words.map(|word| format!("{path}/{word}")))
            .collect();
        for path in &paths {
            let found = role(path);
            if length == 5 {
                let four = path.rsplit_once('/').unwrap().0;
                assert_eq!(found, role(four), "{path}");
            }
            let superuser = path.starts_with("/spike/pilot/role/superuser")
                || (path.starts_with("/spike/pilot/") && !path.starts_with("/spike/pilot/role"));
            assert_eq!(found == Role::Superuser, superuser, "{path}");
            tried += 1;
        }
    }
    assert_eq!(tried, 9 + 81 + 729 + 6_561 + 59_049);
}

#[test]
fn a_list_of_trust_roots_has_no_empty_item() {
    let roots = TrustRoots::parse(" spike.ist ,a.test").unwrap();
    assert_eq!(
        roots.iter().map(TrustDomain::as_str).collect::<Vec<_>>(),
        ["spike.ist", "a.test"]
    );
    for (list, item) in [("", 1), (" ", 1), ("a.test,", 2), (",a.test", 1), ("a.test,,b.test", 2)] {
        let error = TrustRoots::parse(list).unwrap_err();
        assert_eq!(
            error,
            InvalidTrustRoots::EmptyItem {
                list: list.to_owned(),
                item
            }
        );
        assert!(error.to_string().contains(&format!("item {item} is empty")));
    }
    assert!(
        TrustRoots::parse("Spike.ist")
            .unwrap_err()
            .to_string()
            .contains("lower-case")
    );
}
