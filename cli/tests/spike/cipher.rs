//! Cipher and operator commands against a real Nexus.
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::run::Ended;
use crate::world::{Who, World};

#[test]
fn what_is_encrypted_is_decrypted_from_files_pipes_flags_and_json() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (plain, sealed, back) = (path("plain"), path("sealed"), path("back"));
    fs::write(&plain, b"grey\n\x00\xff").unwrap();
    assert_eq!(world.done(&["cipher", "encrypt", "-f", &plain, "-o", &sealed]), "");
    let bytes = fs::read(&sealed).unwrap();
    assert_eq!((bytes.first(), bytes.len()), (Some(&1), 1 + 12 + 7 + 16));
    assert_eq!(
        world.done(&["cipher", "decrypt", "--file", &sealed, "--out", &back]),
        ""
    );
    assert_eq!(fs::read(&back).unwrap(), b"grey\n\x00\xff");
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o600);

    let json = world.done(&["cipher", "encrypt", "--plaintext", "aGVsbG8=", "--algorithm", "any"]);
    let ended = world.command(Who::Pilot, &["cipher", "decrypt"]).stdin(&json).run();
    assert_eq!(ended, Ended::done("hello"));
    let part = |name: &str| {
        let after = json.split(&format!("\"{name}\": \"")).nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let (nonce, ciphertext) = (part("nonce"), part("ciphertext"));
    let flags = [
        "cipher",
        "decrypt",
        "--nonce",
        &nonce,
        "--ciphertext",
        &ciphertext,
        "--version",
        "1",
    ];
    assert_eq!(world.done(&flags), "hello");
    let ended = world
        .command(Who::Pilot, &["cipher", "encrypt", "-o", &sealed])
        .stdin("piped")
        .run();
    assert_eq!(ended, Ended::done(""));
    assert_eq!(world.done(&["cipher", "decrypt", "-f", &sealed]), "piped");
}

#[test]
fn what_cannot_be_decrypted_says_so_and_leaves_files_alone() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let (kept, large) = (directory.path().join("kept"), directory.path().join("large"));
    fs::write(&kept, "kept").unwrap();
    fs::write(&large, vec![b'x'; 65_521]).unwrap();
    let (kept_path, large_path) = (kept.to_str().unwrap(), large.to_str().unwrap());
    let invalid = "Error: Invalid request.\n";
    for (who, words, stdin, code, text) in [
        (
            Who::Pilot,
            &["cipher", "decrypt", "-o", kept_path][..],
            "x",
            65,
            invalid,
        ),
        (
            Who::Pilot,
            &["cipher", "encrypt", "-f", large_path, "-o", kept_path],
            "",
            65,
            invalid,
        ),
        (
            Who::App,
            &["cipher", "encrypt"],
            "x",
            77,
            "Error: Unauthorized access.\n",
        ),
        (
            Who::Pilot,
            &["cipher", "decrypt"],
            "{",
            65,
            "Error: this is neither what `cipher encrypt` writes nor its JSON: line 1, column 1\n",
        ),
        (
            Who::Pilot,
            &["cipher", "encrypt", "--plaintext", "hunter2"],
            "",
            65,
            "Error: --plaintext: this is not padded base64\n",
        ),
        (
            Who::Pilot,
            &["cipher", "decrypt", "--version", "1"],
            "",
            64,
            "Error: --version needs --nonce and --ciphertext\n",
        ),
    ] {
        let ended = world.command(who, words).stdin(stdin).run();
        assert_eq!(ended, Ended::failed(code, text), "{words:?}");
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
    world.allow("cipher", "^spike/system/cipher/exec$", "execute");
    let ended = world.run(Who::App, &["cipher", "encrypt", "-f", "/dev/null", "-o", kept_path]);
    assert_eq!(ended, Ended::done(""));
    assert_eq!(fs::read(&kept).unwrap().len(), 1 + 12 + 16);
}

#[test]
fn shards_are_refused_to_others_and_by_a_nexus_that_keeps_nothing() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let old = directory.path().join("recover/spike.recovery.9.txt");
    fs::create_dir(directory.path().join("recover")).unwrap();
    fs::write(&old, "old").unwrap();
    for who in [Who::Pilot, Who::App] {
        let ended = world.run(who, &["operator", "recover", "--directory", path]);
        assert_eq!(ended, Ended::failed(65, "Error: Invalid request.\n"));
    }
    assert_eq!(
        fs::read_to_string(&old).unwrap(),
        "old",
        "kept until there are new ones"
    );
    let nowhere = world.run(Who::Pilot, &["operator", "recover"]);
    assert_eq!(nowhere.err, "Error: there is no home directory: give --directory\n");
}
