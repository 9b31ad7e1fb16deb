//! `spike cipher …`
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with texts that SPIKE Nexus seals and opens.
#[derive(Debug, Subcommand)]
pub(crate) enum CipherCommand {
    /// Encrypt a file or standard input
    #[command(
        after_help = "Without --plaintext the result is binary: version, nonce and ciphertext in one piece.\n\
        With it the result is JSON. `spike cipher decrypt` reads both. A text has at most 65,520 bytes.\n\n\
        Examples:\n  \
        spike cipher encrypt -f secret.txt -o secret.enc\n  \
        echo hello | spike cipher encrypt | spike cipher decrypt\n  \
        spike cipher encrypt --plaintext aGVsbG8= | spike cipher decrypt"
    )]
    Encrypt(Encrypt),
    /// Decrypt what `encrypt` gave, from a file, standard input or flags
    #[command(after_help = "Examples:\n  \
        spike cipher decrypt -f secret.enc -o secret.txt\n  \
        spike cipher decrypt --version 1 --nonce BASE64 --ciphertext BASE64")]
    Decrypt(Decrypt),
}

/// `spike cipher encrypt`
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// What to encrypt [default: standard input]
    #[arg(short, long, value_name = "FILE", conflicts_with = "plaintext")]
    pub(crate) file: Option<PathBuf>,
    /// Where to write the result [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// What to encrypt, in base64; the result is JSON
    #[arg(long, value_name = "BASE64")]
    pub(crate) plaintext: Option<String>,
    /// Sent along and ignored: the algorithm is always AES-256-GCM
    #[arg(long, default_value = "")]
    pub(crate) algorithm: String,
}

/// `spike cipher decrypt`
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// What to decrypt [default: standard input]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["version", "nonce", "ciphertext"])]
    pub(crate) file: Option<PathBuf>,
    /// Where to write the result, mode 0600 [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Version of the parts that are given as flags [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) version: Option<String>,
    /// The nonce, in base64
    #[arg(long, value_name = "BASE64", requires = "ciphertext")]
    pub(crate) nonce: Option<String>,
    /// The ciphertext, in base64
    #[arg(long, value_name = "BASE64", requires = "nonce")]
    pub(crate) ciphertext: Option<String>,
    /// Sent along and ignored: the algorithm is always AES-256-GCM
    #[arg(long, default_value = "")]
    pub(crate) algorithm: String,
}
