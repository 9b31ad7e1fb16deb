//! `spike policy …`
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FormatFlag, non_empty};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Create a new policy
    #[command(after_help = "Example:\n  \
        spike policy create --name=db-access \\\n    \
        --spiffeid-pattern='^spiffe://example\\.org/service/.*$' \\\n    \
        --path-pattern='^db/.*$' --permissions=read,write\n\n\
        Valid permissions: read, write, list, execute, super")]
    Create(Create),
    /// Create or update policies, from YAML files or flags
    #[command(after_help = "Example YAML file:\n  \
        name: db-access\n  \
        spiffeidPattern: ^spiffe://example\\.org/service/.*$\n  \
        pathPattern: ^secrets/database/production/.*$\n  \
        permissions:\n    \
        - read\n    \
        - write\n\n\
        A file may hold several documents, separated by a line of three dashes. Several policies are\n\
        applied together: all of them, or none.")]
    Apply(Apply),
    /// List policies, optionally filtering by path pattern or SPIFFE ID pattern
    List(List),
    /// Get policy details by name or id
    Get(Get),
    /// Delete a policy by name or id
    Delete(Delete),
    /// Check policy files without a SPIKE Nexus
    Validate(Files),
    /// Say what policies mean that their author hardly meant, without a SPIKE Nexus
    Lint(Lint),
    /// Say whether an identity has access to a path, and why
    #[command(after_help = "Examples:\n  \
        spike policy explain --spiffeid=spiffe://example.org/service/web \\\n    \
        --path=secrets/web/db --permission=read\n  \
        spike policy explain --who-can=secrets/web/db --permission=read\n  \
        spike policy explain --what-can=spiffe://example.org/service/web --file=policies/\n\n\
        Exits with 0 when the access is allowed and with 77 when it is denied. Built-in identities,\n\
        such as SPIKE Pilot, need no policy: only SPIKE Nexus knows them, and the two lists do not.")]
    Explain(Explain),
    /// Say what applying files would change
    #[command(
        after_help = "A + stands before a policy that SPIKE Nexus does not have, a ~ before one that differs, and with\n\
        --prune a - before one that the files do not hold."
    )]
    Diff(Diff),
    /// Check that policies allow and deny what they should, case by case
    #[command(after_help = "Example of a file of cases:\n  \
        - name: the web reads its database password\n    \
        spiffeid: spiffe://example.org/service/web\n    \
        path: secrets/web/db\n    \
        permission: read\n    \
        expect: allow\n    \
        policy: web-reads      # optional: which policy decides\n  \
        - spiffeid: spiffe://example.org/service/batch\n    \
        path: secrets/web/db\n    \
        permission: read\n    \
        expect: deny\n    \
        reason: identity_unmatched   # optional: why\n\n\
        Exits with 65 when a case is not as expected.")]
    Test(Test),
    /// Print or write every policy as `apply` reads it
    #[command(after_help = "Examples:\n  \
        spike policy export > policies.yaml\n  \
        spike policy export --out policies/   # one file for each policy")]
    Export(Export),
}

/// The four flags that describe a policy. All optional here: what is missing is said in SPIKE's words.
#[derive(Debug, Args)]
pub(crate) struct PolicyFlags {
    /// Policy name
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[arg(
        long,
        value_name = "REGEX",
        allow_hyphen_values = true,
        help = r"SPIFFE ID regex pattern, e.g., '^spiffe://example\.org/service/.*$'"
    )]
    pub(crate) spiffeid_pattern: Option<String>,
    /// Resource path regex pattern, e.g., '^secrets/database/production/.*$'
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub(crate) path_pattern: Option<String>,
    /// Comma-separated permissions: read, write, list, execute, super
    #[arg(long, value_name = "LIST")]
    pub(crate) permissions: Option<String>,
}

/// `spike policy create`
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
}

/// `spike policy apply`
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
    /// YAML file with policies, a directory of them, or - for standard input; may be repeated
    #[arg(
        short,
        long = "file",
        value_name = "FILE",
        conflicts_with_all = ["name", "spiffeid_pattern", "path_pattern", "permissions"]
    )]
    pub(crate) files: Vec<PathBuf>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Also delete every policy that the files do not hold
    #[arg(long, requires = "files")]
    pub(crate) prune: bool,
    /// Do not ask before policies are deleted by --prune
    #[arg(short, long, requires = "prune")]
    pub(crate) yes: bool,
}

/// `spike policy list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only policies with exactly this path pattern, e.g., '^secrets/web/db$'
    #[arg(
        long,
        value_name = "REGEX",
        allow_hyphen_values = true,
        conflicts_with = "spiffeid_pattern"
    )]
    pub(crate) path_pattern: Option<String>,
    #[arg(
        long,
        value_name = "REGEX",
        allow_hyphen_values = true,
        help = r"Only policies with exactly this SPIFFE ID pattern, e.g., '^spiffe://example\.org/service/finance$'"
    )]
    pub(crate) spiffeid_pattern: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatFlag,
}

/// One policy, by position or flag; the position wins.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Policy name or id
    #[arg(value_name = "NAME|ID", value_parser = non_empty())]
    pub(crate) name_or_id: Option<String>,
    /// Policy name or id (alternative to the argument)
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) name: Option<String>,
}

/// `spike policy get`
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) format: FormatFlag,
}

/// `spike policy delete`
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `spike policy validate`
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// YAML file with policies, a directory of them, or - for standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `spike policy lint`
#[derive(Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Exit with 65 when there is a finding
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `spike policy explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// SPIFFE ID that asks
    #[arg(long, value_name = "ID", required_unless_present_any = ["who_can", "what_can"])]
    pub(crate) spiffeid: Option<String>,
    /// Path that it asks for
    #[arg(long, required_unless_present_any = ["who_can", "what_can"])]
    pub(crate) path: Option<String>,
    /// Permission that it asks for: read, write, list, execute or super
    #[arg(long, required_unless_present_any = ["who_can", "what_can"])]
    pub(crate) permission: Option<String>,
    /// List the policies that open this path, to whomever
    #[arg(long, value_name = "PATH", conflicts_with_all = ["spiffeid", "path"])]
    pub(crate) who_can: Option<String>,
    /// List the policies of this SPIFFE ID
    #[arg(long, value_name = "ID", conflicts_with_all = ["spiffeid", "path", "permission", "who_can"])]
    pub(crate) what_can: Option<String>,
    /// Ask policy files instead of SPIKE Nexus: a YAML file, a directory of them, or - for standard input; may be
    /// repeated
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatFlag,
}

/// `spike policy diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Also show policies that the files do not hold
    #[arg(long)]
    pub(crate) prune: bool,
    /// Exit with 65 when there is a difference
    #[arg(long)]
    pub(crate) strict: bool,
    /// Output format: human/h/plain/p, json/j, or yaml/y
    #[arg(long, default_value = "human", value_name = "FORMAT")]
    pub(crate) format: String,
}

/// `spike policy test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// YAML file with cases, or - for standard input; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) cases: Vec<PathBuf>,
    /// Test policy files instead of SPIKE Nexus: a YAML file or a directory of them; may be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Output format: human/h/plain/p, json/j, or yaml/y
    #[arg(long, default_value = "human", value_name = "FORMAT")]
    pub(crate) format: String,
}

/// `spike policy export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Write one file for each policy into this directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Output format: yaml/y (several documents), or json/j (a list, or one file each)
    #[arg(short, long, default_value = "yaml", value_name = "FORMAT")]
    pub(crate) format: String,
}
