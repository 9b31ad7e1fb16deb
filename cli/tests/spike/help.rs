//! Help needs no agent, goes to standard output and ends in success.
use crate::golden::assert_golden;
use crate::run::spike;

const COMMANDS: [&[&str]; 38] = [
    &[],
    &["status"],
    &["watch"],
    &["migrate"],
    &["audit"],
    &["audit", "verify"],
    &["cipher"],
    &["cipher", "encrypt"],
    &["cipher", "decrypt"],
    &["operator"],
    &["operator", "recover"],
    &["operator", "restore"],
    &["operator", "rotate"],
    &["operator", "rekey"],
    &["operator", "status"],
    &["operator", "backup"],
    &["operator", "restore-backup"],
    &["completion"],
    &["policy"],
    &["policy", "create"],
    &["policy", "apply"],
    &["policy", "list"],
    &["policy", "get"],
    &["policy", "delete"],
    &["policy", "validate"],
    &["policy", "lint"],
    &["policy", "explain"],
    &["policy", "diff"],
    &["policy", "test"],
    &["policy", "export"],
    &["secret"],
    &["secret", "put"],
    &["secret", "get"],
    &["secret", "list"],
    &["secret", "delete"],
    &["secret", "undelete"],
    &["secret", "metadata"],
    &["secret", "metadata", "get"],
];

#[test]
fn every_command_has_its_help() {
    for words in COMMANDS {
        let with_flag = [words, &["--help"]].concat();
        let ended = spike(&with_flag);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words:?}");
        let name = [&["help"], words].concat().join("-");
        assert_golden(&name, &ended.out);
    }
}

#[test]
fn a_group_without_a_command_and_the_help_command_print_help_too() {
    for words in [&[][..], &["policy"], &["secret"], &["secret", "metadata"]] {
        let bare = spike(words);
        assert_eq!((bare.code, bare.err.as_str()), (0, ""), "{words:?}");
        assert!(bare.out.contains("Usage: spike"), "{words:?}");
        let asked = spike(&[&["help"], words].concat());
        assert_eq!(asked.code, 0, "{words:?}");
        assert!(asked.out.contains("Usage: spike"), "{words:?}");
    }
}

#[test]
fn the_version_is_printed() {
    let ended = spike(&["--version"]);
    assert_eq!(
        (ended.code, ended.out),
        (0, format!("spike {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn every_shell_gets_a_completion_script_that_names_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = spike(&["completion", shell]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{shell}");
        for word in ["policy", "undelete", "spiffeid-pattern"] {
            assert!(ended.out.contains(word), "{shell} has no {word}");
        }
    }
}
