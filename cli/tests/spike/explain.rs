//! `spike policy explain`, asked of files and of a real Nexus.
use crate::run::{Ended, Spike, spike};
use crate::world::{Who, World};

const POLICIES: &str = r"
name: web
spiffeid: ^spiffe://example\.org/web$
path: ^secrets/web/.*$
permissions: [read, list]
---
name: db
spiffeid: ^spiffe://example\.org/db$
path: ^secrets/web/db$
permissions: [write]
";

const WEB: &str = "--spiffeid=spiffe://example.org/web";

fn explain(words: &[&str]) -> Ended {
    let words = [&["policy", "explain", "--file=-"], words].concat();
    Spike::with(&words).stdin(POLICIES).run()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn files_are_asked_without_an_agent_and_a_denial_ends_in_77() {
    let yes = explain(&[WEB, "--path=secrets/web/db", "--permission=read"]);
    assert_eq!(
        yes,
        Ended::done(concat!(
            "allowed: read on secrets/web/db for spiffe://example.org/web\n",
            "  because of policy 'web'\n",
            "    SPIFFE ID pattern ^spiffe://example\\.org/web$\n",
            "    path pattern ^secrets/web/.*$\n",
            "    permissions read, list\n",
            "  generation 0 has 2 policies, 1 of which names this identity\n",
        ))
    );
    let no = explain(&[WEB, "--path=secrets/web/db", "--permission=write"]);
    assert_eq!(
        (no.code, no.err.as_str(), no.out.as_str()),
        (
            77,
            "",
            concat!(
                "denied: write on secrets/web/db for spiffe://example.org/web\n",
                "  because policies name this identity and this path, but the permission is missing ",
                "(permission_missing)\n",
                "  generation 0 has 2 policies, 1 of which names this identity\n",
                "near misses, nearest first:\n",
                "  policy 'web' misses permission\n",
                "    it gives read, list, not write\n",
                "  policy 'db' misses identity\n",
                "    SPIFFE ID pattern ^spiffe://example\\.org/db$ does not match: at character 22 it has \"db\" ",
                "instead of \"web\"\n",
            )
        )
    );
}

#[test]
fn json_and_yaml_say_the_same() {
    let words = [WEB, "--path=secrets/wab", "--permission=read"];
    let ended = explain(&[&words[..], &["-f", "json"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (77, ""));
    let from_json = json(&ended.out);
    assert_eq!(from_json.get("reason").unwrap(), "path_unmatched");
    let near = from_json.pointer("/nearMisses/0/pathDiffers").unwrap();
    assert_eq!(*near, json(r#"{"at":10,"wanted":"eb/","found":"ab"}"#));
    let ended = explain(&[&words[..], &["--format=yaml"]].concat());
    assert_eq!(ended.code, 77);
    let from_yaml: serde_json::Value = serde_saphyr::from_str(&ended.out).unwrap();
    assert_eq!(from_yaml, from_json, "{}", ended.out);
    for flag in [
        "--what-can=spiffe://example.org/web",
        "--who-can=secrets/web/db",
        "--who-can=elsewhere",
    ] {
        let (as_json, as_yaml) = (explain(&[flag, "-f", "j"]), explain(&[flag, "-f", "y"]));
        assert_eq!((as_json.code, as_yaml.code), (0, 0), "{flag}");
        let from_yaml: serde_json::Value = serde_saphyr::from_str(&as_yaml.out).unwrap();
        assert_eq!(from_yaml, json(&as_json.out), "{}", as_yaml.out);
    }
}

#[test]
fn the_lists_name_policies() {
    for (words, first, names) in [
        (
            &["--who-can=secrets/web/db"][..],
            "2 of 2 policies open secrets/web/db (generation 0)\n",
            &["db", "web"][..],
        ),
        (
            &["--who-can=secrets/web/db", "--permission=write"],
            "1 of 2 policies opens secrets/web/db for write (generation 0)\n",
            &["db"],
        ),
        (
            &["--what-can=spiffe://example.org/web"],
            "1 of 2 policies names spiffe://example.org/web (generation 0)\n",
            &["web"],
        ),
        (
            &["--what-can=spiffe://example.org/eve"],
            "0 of 2 policies name spiffe://example.org/eve (generation 0)\n",
            &[],
        ),
    ] {
        let ended = explain(words);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words:?}");
        assert!(ended.out.starts_with(first), "{words:?}: {}", ended.out);
        let told: Vec<_> = ended
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("policy '"))
            .collect();
        let told: Vec<_> = told.iter().filter_map(|line| line.split('\'').next()).collect();
        assert_eq!(told, names, "{words:?}");
    }
}

#[test]
fn what_cannot_be_asked_is_said_before_anybody_is_asked() {
    for (words, code) in [
        (&["policy", "explain"][..], 64),
        (&["policy", "explain", WEB, "--path=a"], 64),
        (
            &["policy", "explain", WEB, "--path=a", "--permission=read", "--who-can=a"],
            64,
        ),
        (
            &["policy", "explain", "--who-can=a", "--what-can=spiffe://example.org/a"],
            64,
        ),
        (
            &[
                "policy",
                "explain",
                "--what-can=spiffe://example.org/a",
                "--permission=read",
            ],
            64,
        ),
        (
            &["policy", "explain", WEB, "--path=a", "--permission=read", "-f", "xml"],
            64,
        ),
        (&["policy", "explain", WEB, "--path=a", "--permission=reed"], 65),
        (&["policy", "explain", WEB, "--path=", "--permission=read"], 65),
        (
            &["policy", "explain", "--spiffeid=web", "--path=a", "--permission=read"],
            65,
        ),
        (&["policy", "explain", "--what-can=web"], 65),
        (&["policy", "explain", "--who-can=a b"], 65),
        (&["policy", "explain", "--who-can=a", "--file=/nowhere.yaml"], 65),
        (&["policy", "explain", "--who-can=a"], 69),
    ] {
        let ended = spike(words);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{words:?}: {}", ended.err);
        assert!(!ended.err.is_empty(), "{words:?}");
    }
    let all = spike(&["policy", "explain", "--spiffeid=web", "--path=", "--permission=reed"]);
    assert_eq!(all.err.matches("Error: ").count(), 3, "{}", all.err);
}

#[test]
fn nexus_is_asked_and_knows_the_built_in_identities() {
    let world = World::new();
    world.allow("app", "^secrets/app$", "read");
    let of = |id: &str, path: &str| {
        let (id, path) = (format!("--spiffeid={id}"), format!("--path={path}"));
        world.run(Who::Pilot, &["policy", "explain", &id, &path, "--permission", "read"])
    };
    let yes = of("spiffe://example.org/app", "secrets/app");
    assert_eq!((yes.code, yes.err.as_str()), (0, ""));
    assert!(
        yes.out
            .starts_with("allowed: read on secrets/app for spiffe://example.org/app\n"),
        "{}",
        yes.out
    );
    let no = of("spiffe://example.org/app", "secrets/apps");
    assert_eq!((no.code, no.err.as_str()), (77, ""));
    let differs = "path pattern ^secrets/app$ does not match: it ends before character 12, where \"s\" follows\n";
    assert!(no.out.contains(differs), "{}", no.out);
    let pilot = of("spiffe://example.org/spike/pilot/role/superuser", "x");
    assert!(
        pilot.out.contains("because it has the built-in role superuser"),
        "{}",
        pilot.out
    );
    let lists = world.done(&["policy", "explain", "--who-can=secrets/app"]);
    assert!(
        lists.starts_with("1 of 1 policy opens secrets/app (generation 1)\npolicy 'app' gives read\n"),
        "{lists}"
    );
    let lists = world.done(&["policy", "explain", "--what-can=spiffe://example.org/app", "-f", "json"]);
    assert_eq!(json(&lists).pointer("/policies/0/name").unwrap(), "app");
    for words in [
        &[
            "policy",
            "explain",
            "--spiffeid=spiffe://example.org/app",
            "--path=a",
            "--permission=read",
        ][..],
        &["policy", "explain", "--who-can=a"],
    ] {
        assert_eq!(
            world.run(Who::App, words),
            Ended::failed(77, "Error: Unauthorized access.\n"),
            "{words:?}"
        );
    }
}
