//! The SDK's public surface, as Go's own documentation of its package lists it, and whether all of it has been seen.
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Call, module};

const PACKAGE: &str = "github.com/spiffe/spike-sdk-go/api";
/// The function by which almost every call sends its request; its errors are theirs.
const POST: &str = "github.com/spiffe/spike-sdk-go/net.Post";

const SUCCESS: &str = "success";
const UNAUTHORIZED: &str = "error access_unauthorized";
const BAD_REQUEST: &str = "error api_bad_request";
const NOT_FOUND: &str = "error api_not_found";
const UNREACHABLE: &str = "error net_peer_connection";
const NOT_READY: &str = "error state_not_ready";
const NO_SOURCE: &str = "error spiffe_nil_x509_source";
const NO_IDENTITY: &str = "error spiffe_unable_to_fetch_x509_source";

/// What each method must have given, unless [`NEVER`] says why it cannot.
const OUTCOMES: [&str; 7] = [
    SUCCESS,
    UNAUTHORIZED,
    BAD_REQUEST,
    NOT_FOUND,
    UNREACHABLE,
    NOT_READY,
    NO_SOURCE,
];

/// What the functions that ask nobody but an agent must have given.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("New", &[SUCCESS, NO_IDENTITY]),
    ("NewWithContext", &[SUCCESS, NO_IDENTITY]),
    ("NewWithSource", &[SUCCESS]),
    ("Close", &[SUCCESS]),
];

/// What a method cannot give, and why.
const NEVER: &[(&[&str], &str, &str)] = &[
    (
        &["PutSecret", "CreatePolicy"],
        NOT_FOUND,
        "it makes what it does not find",
    ),
    (
        &["ListSecretKeys", "ListPolicies", "ListAllPolicies"],
        NOT_FOUND,
        "the SDK makes an empty list of it",
    ),
    (
        &["ListSecretKeys", "ListAllPolicies", "Recover"],
        BAD_REQUEST,
        "it says nothing that could be wrong",
    ),
    (
        &[
            "CipherEncrypt",
            "CipherEncryptStream",
            "CipherDecrypt",
            "CipherDecryptStream",
            "Recover",
            "Restore",
            "Verify",
            "Contribute",
        ],
        NOT_FOUND,
        "it looks for nothing",
    ),
    (
        &["Recover", "Restore"],
        UNAUTHORIZED,
        "the SDK asks its own identity first, and ends the program",
    ),
    (&["Restore"], NOT_READY, "it is what makes a Nexus ready"),
    (
        &["Recover"],
        NOT_READY,
        "without a root key both Nexus answer 500 (§1.7)",
    ),
    (&["Contribute"], NOT_READY, "a Keeper is always ready"),
    (
        &["Contribute"],
        UNAUTHORIZED,
        "a Keeper does not even take the connection of anybody else",
    ),
];

/// The errors that the documentation names: how each shows, or why it cannot.
const DOCUMENTED: &[(&str, Result<&str, &str>)] = &[
    ("ErrAPIBadRequest", Ok(BAD_REQUEST)),
    ("ErrAPINotFound", Ok(NOT_FOUND)),
    ("ErrAccessUnauthorized", Ok(UNAUTHORIZED)),
    (
        "ErrCryptoCipherVerificationFailed",
        Ok("exit 1 crypto_cipher_verification_failed"),
    ),
    (
        "ErrCryptoInvalidEncryptionKeyLength",
        Ok("exit 1 crypto_invalid_encryption_key_length"),
    ),
    (
        "ErrDataMarshalFailure",
        Err("every argument that Go's types allow can be written as JSON"),
    ),
    (
        "ErrDataUnmarshalFailure",
        Err("neither Nexus answers with anything but JSON"),
    ),
    ("ErrNetPeerConnection", Ok(UNREACHABLE)),
    (
        "ErrNetReadingResponseBody",
        Err("neither Nexus breaks off within an answer"),
    ),
    (
        "ErrSPIFFEFailedToCreateX509Source",
        Err("only the documentation has it: the SDK's code has no such error"),
    ),
    ("ErrSPIFFENilX509Source", Ok(NO_SOURCE)),
    ("ErrSPIFFEUnableToFetchX509Source", Ok(NO_IDENTITY)),
    ("ErrStateNotReady", Ok(NOT_READY)),
];

/// What else a program can meet, without a word in the documentation of the package.
const UNDOCUMENTED: [&str; 3] = [
    "error net_peer_connection also access_unauthorized",
    "error spiffe_failed_to_extract_x509_svid",
    "exit 1 access_unauthorized",
];

/// The exported functions and methods of the package, and the errors that its documentation names.
#[derive(Debug)]
pub(crate) struct Surface {
    functions: BTreeSet<String>,
    errors: BTreeSet<String>,
}

impl Surface {
    /// Reads it from the documentation of the version that the Go program is built with.
    pub(crate) fn read() -> Result<Self> {
        let package = documentation(&["-all", PACKAGE])?;
        let functions: BTreeSet<String> = package.lines().filter_map(function).collect();
        let errors = [package, documentation(&[POST])?]
            .iter()
            .flat_map(|text| errors(text))
            .collect();
        ensure!(
            functions.contains("New") && functions.contains("Contribute"),
            "no documentation of the SDK, but {functions:?}"
        );
        Ok(Self { functions, errors })
    }

    /// Whether every function has been called, with each outcome that it can have, and every error has been met.
    pub(crate) fn ensure_seen(&self, seen: &[(Call, String)]) -> Result<()> {
        let pairs: BTreeSet<(&str, &str)> = seen
            .iter()
            .flat_map(|(call, outcome)| self.named(call).map(move |name| (name, kind(outcome))))
            .collect();
        let mut faults = String::new();
        for function in &self.functions {
            for outcome in expected(function) {
                let reason = impossible(function, outcome);
                match (pairs.contains(&(function, outcome)), reason) {
                    (false, None) => writeln!(faults, "{function}: nobody saw `{outcome}`")?,
                    (true, Some(reason)) => writeln!(faults, "{function}: `{outcome}` was seen, although {reason}")?,
                    (true, None) | (false, Some(_)) => {}
                }
            }
        }
        let listed = NEVER.iter().flat_map(|(functions, ..)| *functions);
        for function in listed.chain(CLIENTS.iter().map(|(function, _)| function)) {
            if !self.functions.contains(*function) {
                writeln!(faults, "the SDK has no `{function}`")?;
            }
        }
        self.ensure_met(seen, &mut faults)?;
        ensure!(faults.is_empty(), "of the SDK's surface:\n{faults}");
        Ok(())
    }

    fn ensure_met(&self, seen: &[(Call, String)], faults: &mut String) -> Result<()> {
        let known: BTreeSet<&str> = DOCUMENTED.iter().map(|(name, _)| *name).collect();
        for name in &self.errors {
            if !known.contains(name.as_str()) {
                writeln!(faults, "{name}: documented, and not in the list")?;
            }
        }
        for name in known {
            if !self.errors.contains(name) {
                writeln!(faults, "{name}: in the list, and not documented")?;
            }
        }
        let listed = DOCUMENTED.iter().filter_map(|(_, shows)| shows.ok());
        for wanted in listed.chain(UNDOCUMENTED) {
            if !seen.iter().any(|(_, outcome)| outcome == wanted) {
                writeln!(faults, "nobody saw `{wanted}`")?;
            }
        }
        Ok(())
    }

    /// The functions of the SDK that a call names: its method, and perhaps the one that makes its client.
    fn named<'a>(&self, call: &'a Call) -> impl Iterator<Item = &'a str> {
        let first_two = call.words.iter().take(2).map(String::as_str);
        let names: Vec<&str> = first_two.filter(|word| self.functions.contains(*word)).collect();
        names.into_iter()
    }
}

fn expected(function: &str) -> &'static [&'static str] {
    let client = CLIENTS.iter().find(|(name, _)| *name == function);
    client.map_or(&OUTCOMES, |(_, outcomes)| *outcomes)
}

fn impossible(function: &str, outcome: &str) -> Option<&'static str> {
    let row = NEVER
        .iter()
        .find(|(functions, never, _)| functions.contains(&function) && *never == outcome);
    row.map(|(.., reason)| *reason)
}

/// An outcome without what else is in the chain of its error.
fn kind(outcome: &str) -> &str {
    if outcome.starts_with("error ") || outcome.starts_with("exit ") {
        outcome.split(" also ").next().unwrap_or_default()
    } else {
        SUCCESS
    }
}

fn documentation(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("go");
    command.arg("doc").args(arguments).current_dir(module());
    let output = command.stderr(Stdio::inherit()).output().context("go doc")?;
    ensure!(output.status.success(), "go doc {arguments:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The name of the function or method that this line of the documentation declares.
fn function(line: &str) -> Option<String> {
    let declared = line.strip_prefix("func ")?;
    let declared = declared.strip_prefix("(a *API) ").unwrap_or(declared);
    declared.split_once('(').map(|(name, _)| name.to_owned())
}

/// The names of errors in a text.
fn errors(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .filter(|word| {
            word.strip_prefix("Err")
                .is_some_and(|rest| rest.starts_with(char::is_uppercase))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_function_that_nobody_calls_and_an_error_that_nobody_lists_fail() -> Result<()> {
    let surface = Surface {
        functions: BTreeSet::from(["New".to_owned(), "Renew".to_owned()]),
        errors: BTreeSet::from(["ErrOutOfTime".to_owned()]),
    };
    let called = [(Call::new(0, &["New", "Renew", "now"]), "true".to_owned())];
    let fault = surface.ensure_seen(&called).err().context("nothing is missing")?;
    let fault = fault.to_string();
    for (missing, text) in [
        (true, "Renew: nobody saw `error state_not_ready`"),
        (true, "New: nobody saw `error spiffe_unable_to_fetch_x509_source`"),
        (true, "ErrOutOfTime: documented, and not in the list"),
        (true, "the SDK has no `Contribute`"),
        (false, "nobody saw `success`"),
    ] {
        ensure!(fault.contains(text) == missing, "{text}: {fault}");
    }
    Ok(())
}
