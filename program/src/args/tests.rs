#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use super::*;

const LINE: CommandLine = CommandLine {
    program: Program {
        name: "spike-example",
        version: "1.2.3",
    },
    about: "Shows how it is done",
    config: "The file",
    example: "speed=9",
    check: "check-it",
};

/// What can be said to the example only; none of this stands in its help.
///
/// Not this, either.
#[derive(Debug, clap::Args)]
struct Own {
    /// Goes faster.
    #[arg(long)]
    fast: bool,
}

fn read(words: &[&str]) -> Result<Args<Own>, clap::Error> {
    let words = std::iter::once("spike-example").chain(words.iter().copied());
    // Wherever the test runs: not as wide as its terminal.
    let command = LINE.command::<Own>().term_width(100);
    let matches = command.try_get_matches_from(words)?;
    Args::from_arg_matches(&matches)
}

fn refused(words: &[&str]) -> clap::Error {
    match read(words) {
        Ok(args) => panic!("{words:?}: {args:?}"),
        Err(error) => error,
    }
}

#[test]
fn the_help_is_in_the_words_of_the_server_with_its_own_flags_last() {
    LINE.command::<Own>().debug_assert();
    let expected = "\
Shows how it is done

Usage: spike-example [OPTIONS]

Options:
  -c, --config <FILE>    The file
      --set <KEY=VALUE>  Overrides one key of the configuration, such as `speed=9`. May be repeated
      --check-it         Checks the configuration, prints the values in force and where each comes
                         from, and ends
      --fast             Goes faster
  -h, --help             Print help
  -V, --version          Print version
";
    for flag in ["-h", "--help"] {
        let help = refused(&[flag]);
        assert_eq!(
            (help.kind(), help.to_string().as_str()),
            (ErrorKind::DisplayHelp, expected)
        );
    }
    assert_eq!(refused(&["--version"]).to_string(), "spike-example 1.2.3\n");
}

#[test]
fn what_was_said_is_read_and_the_last_override_of_a_key_counts() {
    let nothing = read(&[]).unwrap();
    assert!(!nothing.is_check() && !nothing.own.fast && nothing.config.is_none());
    let args = read(&[
        "--fast",
        "--check-it",
        "--set",
        "a=1",
        "--set",
        "a=x=y",
        "-c",
        "/nonexistent",
    ])
    .unwrap();
    assert!(args.is_check() && args.own.fast);
    let layers = args.layers();
    assert_eq!(layers.root().key("a").string().or(String::new()), "x=y");
    let faults = layers.finish().unwrap_err().to_string();
    assert_eq!(
        faults,
        "/nonexistent: cannot read the configuration file: no such file or directory"
    );
}

#[test]
fn an_override_without_a_value_is_refused() {
    let error = refused(&["--set", "speed"]);
    assert!(error.use_stderr());
    assert!(error.to_string().contains(": write KEY=VALUE\n"), "{error}");
}

#[test]
fn a_flag_that_nobody_knows_is_refused() {
    for flag in ["--check", "--slow"] {
        assert_eq!(refused(&[flag]).kind(), ErrorKind::UnknownArgument, "{flag}");
    }
}
