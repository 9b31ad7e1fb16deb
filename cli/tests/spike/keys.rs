//! How the keys are, new ones, and shards on their way back.
use std::fs;

use crate::run::{Ended, Spike};
use crate::world::{Who, World};

const SHARD: &str = "spike:1:0101010101010101010101010101010101010101010101010101010101010101";

#[test]
fn the_status_of_the_keys_comes_in_all_formats() {
    let world = World::new();
    let human = world.done(&["operator", "status"]);
    let words = [
        "State         : ready\n",
        "Root key      : memory\n",
        "Rekey         : none\n",
        "Data key      : 1 (",
    ];
    for word in words {
        assert!(human.contains(word), "{word}: {human}");
    }
    let json = world.done(&["operator", "status", "-f", "json"]);
    assert!(json.starts_with("{\n  \"store\": \""), "{json}");
    assert!(json.contains("\n  \"reEncryption\": \"done\",\n"), "{json}");
    let yaml = world.done(&["operator", "status", "--format", "yaml"]);
    assert!(
        yaml.contains("\nkeySource: memory\n") || yaml.starts_with("keySource: memory\n"),
        "{yaml}"
    );
    let wrong = world.run(Who::Pilot, &["operator", "status", "-f", "xml"]);
    assert_eq!(wrong.code, 64);
    let denied = world.run(Who::App, &["operator", "status"]);
    assert_eq!((denied.code, denied.out.as_str()), (77, ""));
    assert!(denied.err.contains("role/superuser"), "{}", denied.err);
}

#[test]
fn a_new_data_key_is_told_and_only_pilot_gets_it() {
    let world = World::new();
    let said = world.done(&["operator", "rotate"]);
    assert!(
        said.starts_with("Records are sealed under data key 2 from now on.\n"),
        "{said}"
    );
    assert!(world.done(&["operator", "status"]).contains("Data key      : 2 ("));
    assert_eq!(world.run(Who::App, &["operator", "rotate"]).code, 77);
}

#[test]
fn a_root_key_that_is_gone_with_the_server_cannot_be_changed() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    let place = home.path().to_str().unwrap();
    let refused = world.run(Who::Pilot, &["operator", "rekey", "--directory", place]);
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (65, "Error: this server keeps nothing: there is no root key to change\n")
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left behind");
    let nothing = world.run(Who::Pilot, &["operator", "rekey", "--cancel", "--directory", place]);
    assert_eq!(
        (nothing.code, nothing.err.as_str()),
        (65, "Error: the root key is not being changed\n")
    );
    let unconfirmed = world
        .command(Who::Pilot, &["operator", "rekey", "--confirm"])
        .stdin(SHARD)
        .run();
    assert_eq!(unconfirmed.code, 77);
    assert!(unconfirmed.err.contains("'recover' SPIFFE ID"), "{}", unconfirmed.err);
}

#[test]
fn a_shard_is_read_before_anything_is_asked_and_a_wrong_one_is_not_repeated() {
    let restore = |input: &str| Spike::with(&["operator", "restore"]).stdin(input).run();
    for (input, said) in [
        ("nonsense\n", "Error: Invalid shard format.\n"),
        ("spike:x:00\n", "Error: Invalid shard index.\n"),
        ("spike:1:zz\n", "Error: Failed to decode recovery shard.\n"),
        ("spike:1:c0ffee\n", "Error: Invalid shard length: 3 (expected 32).\n"),
    ] {
        let expected = Ended {
            code: 65,
            // What does not come from a terminal is not asked for, as SPIKE does it.
            out: String::new(),
            err: said.to_owned(),
        };
        assert_eq!(restore(input), expected, "{input}");
    }
    assert_eq!(restore("").code, 64);
    // A good one gets as far as the agent, which is not there.
    assert_eq!(restore(SHARD).code, 69);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shard");
    fs::write(&file, format!("{SHARD}\n\n")).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(Spike::with(&["operator", "restore", "--file", path]).run().code, 69);
    assert_eq!(
        Spike::with(&["operator", "restore", "--file", "-"])
            .stdin(SHARD)
            .run()
            .code,
        69
    );
    fs::write(&file, "\n").unwrap();
    let empty = Spike::with(&["operator", "restore", "--file", path]).run();
    assert_eq!(empty.code, 65);
    assert!(empty.err.contains("there is no shard in it"), "{}", empty.err);
    assert_eq!(
        Spike::with(&["operator", "restore", "--file", "/nowhere"]).run().code,
        70
    );
    assert_eq!(
        Spike::with(&["operator", "rekey", "--confirm", "--cancel"]).run().code,
        64
    );
    assert_eq!(Spike::with(&["operator", "rekey", "--file", path]).run().code, 64);
}

#[test]
fn only_who_may_restore_hands_in_a_shard() {
    let world = World::new();
    let denied = world.command(Who::App, &["operator", "restore"]).stdin(SHARD).run();
    // This server keeps nothing, which it says before it looks who asks, as SPIKE does.
    assert_eq!(denied.code, 65, "{}", denied.err);
}
