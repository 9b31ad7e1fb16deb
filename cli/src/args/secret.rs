//! `spike secret …`
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::FormatFlag;

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Put secrets at the specified path
    #[command(
        after_help = "Other users of this machine can see a value on the command line while the command runs, but\n\
        not one from a file or from standard input. A file is taken as it is, with its last line end."
    )]
    Put(Put),
    /// Get secrets from the specified path
    Get {
        /// Where
        path: String,
        /// Only this key's value
        key: Option<String>,
        /// Specific version to retrieve; 0 is the current one
        #[arg(short, long, default_value_t = 0)]
        version: u32,
        #[command(flatten)]
        format: FormatFlag,
    },
    /// List all secret paths
    List {
        #[command(flatten)]
        format: FormatFlag,
    },
    /// Delete secrets at the specified path
    #[command(
        after_help = "Version 0 is the current version. Without -v, the current version is deleted.\n\n\
        Examples:\n  \
        spike secret delete secret/apocalyptica           # the current version\n  \
        spike secret delete secret/apocalyptica -v 1,2,3  # these versions\n  \
        spike secret delete secret/apocalyptica -v 0,1,2  # the current version, 1 and 2"
    )]
    Delete(SecretVersions),
    /// Undelete secrets at the specified path
    #[command(after_help = "Without -v, the version that was deleted last comes back.\n\n\
        Examples:\n  \
        spike secret undelete secret/ella           # what was deleted last\n  \
        spike secret undelete secret/ella -v 1,2,3  # these versions")]
    Undelete(SecretVersions),
    /// Manage secret metadata
    #[command(subcommand)]
    Metadata(MetadataCommand),
}

/// `spike secret put`
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Where
    pub(crate) path: String,
    /// What: the whole content of the new version
    #[arg(required_unless_present = "from_file", value_name = "KEY=VALUE")]
    pub(crate) pairs: Vec<Pair>,
    /// A key whose value is the content of a file, or of standard input (-); may be repeated
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) from_file: Vec<Pair>,
}

/// A `key=value` as typed, not looked at yet. Holds a secret.
#[derive(Clone)]
pub(crate) struct Pair(Zeroizing<String>);

impl Pair {
    /// Key and value: what stands before and after the first `=`.
    pub(crate) fn split(&self) -> Option<(&str, &str)> {
        self.0.split_once('=')
    }
}

impl FromStr for Pair {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(..)")
    }
}

/// A secret and some of its versions.
#[derive(Debug, Args)]
pub(crate) struct SecretVersions {
    /// Where
    pub(crate) path: String,
    /// Comma-separated list of versions
    // With a hyphen the refusal is our own, which says what is wrong.
    #[arg(short, long, default_value = "0", value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) versions: String,
}

/// What to do with metadata.
#[derive(Debug, Subcommand)]
pub(crate) enum MetadataCommand {
    /// Gets secret metadata from the specified path
    Get {
        /// Where
        path: String,
        /// Specific version to ask about; 0 is the current one
        #[arg(short, long, default_value_t = 0)]
        version: u32,
        #[command(flatten)]
        format: FormatFlag,
    },
}
