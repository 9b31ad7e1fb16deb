//! The commands: every one of SPIKE's command line with every flag, and how each fails.
use spike_integration::official;

use super::{Line, keys, policies};

pub(super) const SECRET: &str = "tenants/acme/db";

/// What an operator does on an ordinary day, and what can go wrong.
pub(crate) fn everyday() -> Vec<Line> {
    [
        general(),
        secrets(),
        versions(),
        policies::named(),
        policies::files(),
        keys::cipher(),
    ]
    .concat()
}

pub(super) fn lines(group: &str, commands: &[(&str, &[&str])]) -> Vec<Line> {
    let named = |(name, arguments): &(&str, &[&str])| Line::new(&format!("{group}.{name}"), arguments);
    commands.iter().map(named).collect()
}

fn general() -> Vec<Line> {
    let mut all = lines(
        "general",
        &[
            ("unknown-command", &["bogus"]),
            ("unknown-subcommand", &["secret", "bogus"]),
            ("unknown-flag", &["secret", "list", "--bogus"]),
            ("help", &["--help"]),
            ("help-of-group", &["policy", "--help"]),
            ("help-of-command", &["secret", "put", "--help"]),
            ("group-alone", &["policy"]),
            ("completion-of-no-shell", &["completion", "nosuchshell"]),
        ],
    );
    let list = |name: &str| Line::new(&format!("general.{name}"), &["policy", "list"]);
    all.push(list("nobody-listens").with_variable("SPIKE_NEXUS_API_URL", "https://127.0.0.1:1"));
    all.push(list("slash-behind-the-address").with_variable("SPIKE_NEXUS_API_URL", "{url}/"));
    all.push(list("other-trust-root").with_variable("SPIKE_TRUST_ROOT_NEXUS", "other.org"));
    all.push(list("bad-socket").with_variable("SPIFFE_ENDPOINT_SOCKET", "nonsense"));
    all.push(list("no-pilot").by(official::WEB));
    all.push(list("no-pilot-in-that-root").with_variable("SPIKE_TRUST_ROOT_PILOT", "other.org"));
    all
}

fn secrets() -> Vec<Line> {
    let mut all = lines(
        "secret",
        &[
            ("list.none", &["secret", "list"]),
            ("list.none-json", &["secret", "list", "--format", "json"]),
            ("list.none-yaml", &["secret", "list", "--format", "yaml"]),
            ("put", &["secret", "put", SECRET, "username=orders", "password=s3cr3t"]),
            (
                "put.equals-in-value",
                &["secret", "put", "tenants/acme/api", "key=a=b==", "empty="],
            ),
            ("put.no-equals", &["secret", "put", "tenants/acme/none", "key"]),
            (
                "put.one-without-equals",
                &["secret", "put", "tenants/acme/some", "key", "k=v"],
            ),
            ("put.no-key", &["secret", "put", "tenants/acme/none", "=v"]),
            ("put.bad-key", &["secret", "put", "tenants/acme/none", "tls.crt=x"]),
            ("put.bad-path", &["secret", "put", "tenants/acme none", "k=v"]),
            ("put.leading-slash", &["secret", "put", "/tenants/acme", "k=v"]),
            ("put.no-arguments", &["secret", "put"]),
            ("put.only-path", &["secret", "put", SECRET]),
            (
                "put.special",
                &["secret", "put", "tenants/special", "k=<a&b> \"q\" 'x' ä \\ \t|"],
            ),
            ("get.key", &["secret", "get", SECRET, "username"]),
            ("get.no-such-key", &["secret", "get", SECRET, "nothing"]),
            ("get.json", &["secret", "get", SECRET, "--format", "json"]),
            ("get.j", &["secret", "get", SECRET, "-f", "j"]),
            ("get.yaml", &["secret", "get", SECRET, "--format", "yaml"]),
            ("get.y", &["secret", "get", SECRET, "-f", "y"]),
            ("get.key-json", &["secret", "get", SECRET, "username", "-f", "json"]),
            ("get.key-yaml", &["secret", "get", SECRET, "username", "-f", "yaml"]),
            ("get.special", &["secret", "get", "tenants/special"]),
            ("get.special-json", &["secret", "get", "tenants/special", "-f", "json"]),
            ("get.special-yaml", &["secret", "get", "tenants/special", "-f", "yaml"]),
            ("get.bad-format", &["secret", "get", SECRET, "-f", "xml"]),
            ("get.upper-case-format", &["secret", "get", SECRET, "-f", "JSON"]),
            ("get.unknown", &["secret", "get", "tenants/acme/nothing"]),
            ("get.bad-path", &["secret", "get", "tenants acme"]),
            ("get.no-arguments", &["secret", "get"]),
            ("get.three-arguments", &["secret", "get", SECRET, "a", "b"]),
            ("list", &["secret", "list"]),
            ("list.json", &["secret", "list", "-f", "json"]),
            ("list.yaml", &["secret", "list", "-f", "yaml"]),
            ("list.bad-format", &["secret", "list", "-f", "xml"]),
        ],
    );
    for format in ["human", "h", "plain", "p", ""] {
        let arguments = ["secret", "get", SECRET, "--format", format];
        all.push(Line::new(&format!("secret.get.format-{format}"), &arguments).in_any_order());
    }
    all
}

fn versions() -> Vec<Line> {
    let mut all = lines(
        "secret",
        &[
            ("put.second", &["secret", "put", SECRET, "password=two"]),
            ("put.third", &["secret", "put", SECRET, "password=three"]),
            ("get.version", &["secret", "get", SECRET, "password", "--version", "2"]),
            ("get.v", &["secret", "get", SECRET, "password", "-v", "1"]),
            ("get.version-0", &["secret", "get", SECRET, "password", "-v", "0"]),
            ("get.version-9", &["secret", "get", SECRET, "-v", "9"]),
            ("get.version-negative", &["secret", "get", SECRET, "-v", "-1"]),
            ("get.version-word", &["secret", "get", SECRET, "-v", "one"]),
            ("delete", &["secret", "delete", SECRET]),
            ("get.after-deletion", &["secret", "get", SECRET]),
            ("get.deleted", &["secret", "get", SECRET, "-v", "3"]),
            ("undelete.version", &["secret", "undelete", SECRET, "--versions", "3"]),
            ("get.after-undeletion", &["secret", "get", SECRET]),
            ("delete.two", &["secret", "delete", SECRET, "-v", "1,2"]),
            ("get.of-two", &["secret", "get", SECRET, "-v", "1"]),
            ("undelete.two", &["secret", "undelete", SECRET, "-v", "1,2"]),
            ("undelete.nothing-deleted", &["secret", "undelete", SECRET, "-v", "2"]),
            ("delete.unknown-version", &["secret", "delete", SECRET, "-v", "9"]),
            ("undelete.unknown-version", &["secret", "undelete", SECRET, "-v", "9"]),
            ("delete.word", &["secret", "delete", SECRET, "-v", "one"]),
            ("delete.negative", &["secret", "delete", SECRET, "-v", "-1"]),
            ("undelete.word", &["secret", "undelete", SECRET, "-v", "one"]),
            ("delete.unknown", &["secret", "delete", "tenants/acme/nothing"]),
            ("undelete.unknown", &["secret", "undelete", "tenants/acme/nothing"]),
            ("delete.bad-path", &["secret", "delete", "tenants acme"]),
            ("delete.no-arguments", &["secret", "delete"]),
            ("delete.two-paths", &["secret", "delete", SECRET, SECRET]),
            ("undelete.no-arguments", &["secret", "undelete"]),
            ("delete.blank-in-list", &["secret", "delete", SECRET, "-v", "1, 2"]),
            ("get.blank-in-list", &["secret", "get", SECRET, "-v", "2"]),
            ("undelete.after-blank", &["secret", "undelete", SECRET, "-v", "1,2"]),
            ("delete.empty-list", &["secret", "delete", SECRET, "-v", ""]),
            ("get.after-empty-list", &["secret", "get", SECRET]),
            ("undelete.default", &["secret", "undelete", SECRET]),
            ("get.after-default", &["secret", "get", SECRET]),
            ("metadata.json", &["secret", "metadata", "get", SECRET, "-f", "json"]),
            ("metadata.yaml", &["secret", "metadata", "get", SECRET, "-f", "yaml"]),
            (
                "metadata.bad-format",
                &["secret", "metadata", "get", SECRET, "-f", "xml"],
            ),
            ("metadata.version-9", &["secret", "metadata", "get", SECRET, "-v", "9"]),
            (
                "metadata.unknown",
                &["secret", "metadata", "get", "tenants/acme/nothing"],
            ),
            ("metadata.no-arguments", &["secret", "metadata", "get"]),
            ("metadata.group", &["secret", "metadata"]),
        ],
    );
    all.push(Line::new("secret.metadata", &["secret", "metadata", "get", SECRET]).in_any_order());
    let one = ["secret", "metadata", "get", SECRET, "--version", "1"];
    all.push(Line::new("secret.metadata.version", &one).in_any_order());
    all
}
