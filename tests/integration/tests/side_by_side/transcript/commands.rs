//! The commands: every one of SPIKE's command line with every flag, and how each fails.
use spike_integration::official;

use super::Line;

/// Files that the commands read.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "policy.yaml",
        "name: from-file\nspiffeidPattern: '^spiffe://example\\.org/workload/web$'\npathPattern: '^tenants/acme/.*$'\npermissions:\n  - read\n  - list\n",
    ),
    (
        "changed.yaml",
        "name: from-file\nspiffeidPattern: '^spiffe://example\\.org/workload/batch$'\npathPattern: '^tenants/acme/.*$'\npermissions: [write]\n",
    ),
    (
        "crlf.yaml",
        "name: from-crlf\r\nspiffeidPattern: ^spiffe://example\\.org/a$\r\npathPattern: ^a$\r\npermissions: [read]\r\n",
    ),
    (
        "number.yaml",
        "name: 12345\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n",
    ),
    (
        "short.yaml",
        "name: short\nspiffeid: ^spiffe://example\\.org/a$\npath: ^a$\npermissions: [read]\n",
    ),
    (
        "unknown.yaml",
        "name: unknown\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\ncomment: x\n",
    ),
    (
        "two.yaml",
        "name: two-first\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n---\nname: two-second\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n",
    ),
    (
        "scalar.yaml",
        "name: scalar\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: read\n",
    ),
    (
        "escape.yaml",
        "name: escape\nspiffeidPattern: \"^spiffe://example\\.org/a$\"\npathPattern: ^a$\npermissions: [read]\n",
    ),
    (
        "repeated.yaml",
        "name: a\nname: b\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n",
    ),
    (
        "no-name.yaml",
        "spiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n",
    ),
    (
        "no-permissions.yaml",
        "name: none\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\n",
    ),
    ("empty.yaml", ""),
    ("plain.txt", "hello\n"),
];

const WEB: &str = r"^spiffe://example\.org/workload/web$";
const SECRET: &str = "tenants/acme/db";

/// What an operator does on an ordinary day, and what can go wrong.
pub(crate) fn everyday() -> Vec<Line> {
    [general(), secrets(), versions(), policies(), policy_files(), cipher()].concat()
}

fn lines(group: &str, commands: &[(&str, &[&str])]) -> Vec<Line> {
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

fn create<'a>(name: &'a str, who: &'a str, path: &'a str, permissions: &'a str) -> [&'a str; 10] {
    [
        "policy",
        "create",
        "--name",
        name,
        "--spiffeid-pattern",
        who,
        "--path-pattern",
        path,
        "--permissions",
        permissions,
    ]
}

fn policies() -> Vec<Line> {
    let mut all = lines(
        "policy",
        &[
            ("list.none", &["policy", "list"]),
            ("list.none-json", &["policy", "list", "-f", "json"]),
            ("list.none-yaml", &["policy", "list", "-f", "yaml"]),
            ("create", &create("web-reads", WEB, "^tenants/acme/.*$", "read,list")),
            ("create.again", &create("web-reads", WEB, "^tenants/acme/.*$", "read")),
            ("list.one", &["policy", "list"]),
            ("list.one-json", &["policy", "list", "--format", "json"]),
            ("list.one-yaml", &["policy", "list", "--format", "yaml"]),
            ("list.bad-format", &["policy", "list", "-f", "xml"]),
            (
                "create.every-permission",
                &create("all", WEB, "^all$", "read,write,list,execute,super"),
            ),
            ("create.blanks", &create("blanks", WEB, "^blanks$", " read , write ")),
            (
                "create.empty-permission",
                &create("commas", WEB, "^commas$", "read,,write"),
            ),
            ("create.no-flags", &["policy", "create"]),
            ("create.only-name", &["policy", "create", "--name", "x"]),
            ("create.empty-name", &create("", WEB, "^x$", "read")),
            ("create.bad-name", &create("a.b", WEB, "^x$", "read")),
            ("create.bad-permission", &create("x", WEB, "^x$", "read,admin")),
            ("create.bad-path-pattern", &create("x", WEB, "^(x$", "read")),
            ("create.bad-identity-pattern", &create("x", "web", "^x$", "read")),
            ("create.reserved", &create("x", WEB, "acl", "read")),
            (
                "create.glob",
                &create("globbed", "spiffe://example.org/web/*", "^x$", "read"),
            ),
            ("create.leading-slash", &create("slashed", WEB, "/x", "read")),
            ("get", &["policy", "get", "web-reads"]),
            ("get.by-flag", &["policy", "get", "--name", "web-reads"]),
            ("get.json", &["policy", "get", "web-reads", "-f", "json"]),
            ("get.yaml", &["policy", "get", "web-reads", "-f", "yaml"]),
            ("get.bad-format", &["policy", "get", "web-reads", "-f", "xml"]),
            ("get.unknown", &["policy", "get", "nobody"]),
            ("get.no-name", &["policy", "get"]),
            ("get.two-names", &["policy", "get", "web-reads", "all"]),
            ("get.name-and-flag", &["policy", "get", "web-reads", "--name", "all"]),
            ("get.bad-name", &["policy", "get", "a.b"]),
            (
                "list.by-path",
                &["policy", "list", "--path-pattern", "^tenants/acme/.*$"],
            ),
            (
                "list.by-path-of-nobody",
                &["policy", "list", "--path-pattern", "^nobody$"],
            ),
            (
                "list.by-path-json",
                &["policy", "list", "--path-pattern", "^all$", "-f", "json"],
            ),
            (
                "list.by-both",
                &["policy", "list", "--path-pattern", "^x$", "--spiffeid-pattern", WEB],
            ),
            ("delete.unknown", &["policy", "delete", "nobody"]),
            ("delete.no-name", &["policy", "delete"]),
        ],
    );
    let arguments = ["policy", "list", "--spiffeid-pattern", WEB];
    all.push(Line::new("policy.list.by-identity", &arguments).in_any_order());
    let delete = |name: &str| Line::new(&format!("policy.delete.{name}"), &["policy", "delete", "web-reads"]);
    all.push(delete("no").with_input("n\n"));
    all.push(delete("yes-in-full").with_input("yes\n"));
    all.push(delete("end-of-input"));
    all.push(delete("yes").with_input("y\n"));
    all.push(delete("gone").with_input("y\n"));
    let upper = Line::new("policy.delete.upper-case", &["policy", "delete", "--name", "all"]);
    all.push(upper.with_input("Y\n"));
    all
}

fn policy_files() -> Vec<Line> {
    let mut all = Vec::new();
    for file in FILES
        .iter()
        .map(|(file, _)| *file)
        .filter(|file| file.ends_with(".yaml"))
    {
        let name = file.trim_end_matches(".yaml");
        all.push(Line::new(
            &format!("apply.{name}"),
            &["policy", "apply", "--file", file],
        ));
    }
    all.extend(lines(
        "apply",
        &[
            ("read-back", &["policy", "get", "from-file", "-f", "yaml"]),
            ("missing", &["policy", "apply", "--file", "nothing.yaml"]),
            ("folder", &["policy", "apply", "--file", "folder"]),
            ("no-flags", &["policy", "apply"]),
            ("only-name", &["policy", "apply", "--name", "x"]),
            (
                "flags",
                &[
                    "policy",
                    "apply",
                    "--name",
                    "by-flags",
                    "--spiffeid-pattern",
                    WEB,
                    "--path-pattern",
                    "^flags$",
                    "--permissions",
                    "read",
                ],
            ),
            (
                "flags-again",
                &[
                    "policy",
                    "apply",
                    "--name",
                    "by-flags",
                    "--spiffeid-pattern",
                    WEB,
                    "--path-pattern",
                    "^flags$",
                    "--permissions",
                    "write",
                ],
            ),
            (
                "file-and-flags",
                &["policy", "apply", "--file", "policy.yaml", "--name", "other"],
            ),
            ("flags-read-back", &["policy", "get", "by-flags"]),
        ],
    ));
    all
}

fn cipher() -> Vec<Line> {
    let line = |name: &str, arguments: &[&str]| Line::new(&format!("cipher.{name}"), arguments);
    vec![
        line(
            "encrypt.file",
            &["cipher", "encrypt", "-f", "plain.txt", "-o", "sealed.bin"],
        )
        .leaves("sealed.bin"),
        line(
            "decrypt.file",
            &["cipher", "decrypt", "-f", "sealed.bin", "-o", "opened.txt"],
        )
        .leaves("opened.txt"),
        line(
            "decrypt.long-flags",
            &["cipher", "decrypt", "--file", "sealed.bin", "--out", "again.txt"],
        )
        .leaves("again.txt"),
        line("decrypt.to-stdout", &["cipher", "decrypt", "-f", "sealed.bin"]),
        line("encrypt.stdin", &["cipher", "encrypt"]).with_input("some text"),
        line("encrypt.nothing", &["cipher", "encrypt"]),
        line("encrypt.algorithm", &["cipher", "encrypt", "--algorithm", "AES"]).with_input("x"),
        line("encrypt.largest", &["cipher", "encrypt"]).with_input(vec![b'x'; 65_520]),
        line("encrypt.too-large", &["cipher", "encrypt"]).with_input(vec![b'x'; 65_537]),
        line("encrypt.missing-file", &["cipher", "encrypt", "-f", "nothing.txt"]),
        line(
            "encrypt.bad-out",
            &["cipher", "encrypt", "-f", "plain.txt", "-o", "nowhere/out"],
        ),
        line("encrypt.plaintext", &["cipher", "encrypt", "--plaintext", "aGVsbG8="]).sealed(),
        line(
            "encrypt.plaintext-bad",
            &["cipher", "encrypt", "--plaintext", "no base64"],
        ),
        line("decrypt.garbage", &["cipher", "decrypt"]).with_input("garbage"),
        line("decrypt.nothing", &["cipher", "decrypt"]),
        line("decrypt.wrong-tag", &["cipher", "decrypt"]).with_input(b"\x01abcdefghijkl0123456789abcdef0"),
        line(
            "decrypt.parts",
            &[
                "cipher",
                "decrypt",
                "--version",
                "1",
                "--nonce",
                "{nonce}",
                "--ciphertext",
                "{ciphertext}",
            ],
        ),
        line(
            "decrypt.parts-algorithm",
            &[
                "cipher",
                "decrypt",
                "--version",
                "1",
                "--nonce",
                "{nonce}",
                "--ciphertext",
                "{ciphertext}",
                "--algorithm",
                "AES",
            ],
        ),
        line(
            "decrypt.parts-version-2",
            &[
                "cipher",
                "decrypt",
                "--version",
                "2",
                "--nonce",
                "{nonce}",
                "--ciphertext",
                "{ciphertext}",
            ],
        ),
        line("decrypt.only-nonce", &["cipher", "decrypt", "--nonce", "{nonce}"]),
        line(
            "decrypt.bad-nonce",
            &[
                "cipher",
                "decrypt",
                "--nonce",
                "no base64",
                "--ciphertext",
                "{ciphertext}",
            ],
        ),
        line(
            "decrypt.short-nonce",
            &[
                "cipher",
                "decrypt",
                "--version",
                "1",
                "--nonce",
                "aGk=",
                "--ciphertext",
                "{ciphertext}",
            ],
        ),
        line(
            "decrypt.wrong-ciphertext",
            &[
                "cipher",
                "decrypt",
                "--version",
                "1",
                "--nonce",
                "{nonce}",
                "--ciphertext",
                "aGVsbG8gaGVsbG8gaGVsbG8=",
            ],
        ),
        line("decrypt.missing-file", &["cipher", "decrypt", "-f", "nothing.bin"]),
        line("no-pilot", &["cipher", "encrypt"])
            .by(official::LITE)
            .with_input("x"),
    ]
}

const RECOVER: &[&str] = &["operator", "recover"];
const RESTORE: &[&str] = &["operator", "restore"];

/// Saving the shards. The files are in the home of the user who may.
pub(crate) fn recover() -> Vec<Line> {
    let home = official::RECOVER;
    let mut all = vec![
        Line::new("operator.recover.by-pilot", RECOVER),
        Line::new("operator.recover.by-restore", RECOVER).by(official::RESTORE),
        Line::new("operator.recover", RECOVER).by(official::RECOVER),
    ];
    for share in 1..=3 {
        let file = format!("{home}/.spike/recover/spike.recovery.{share}.txt");
        let line = Line::new(&format!("operator.recover.file-{share}"), RECOVER);
        all.push(line.by(official::RECOVER).leaves(&file));
    }
    let elsewhere = Line::new("operator.recover.elsewhere", RECOVER).by(official::RECOVER);
    all.push(elsewhere.with_variable("SPIKE_PILOT_RECOVERY_DIR", "folder"));
    all
}

/// Feeding the shards to a server that has lost its root key; `shards` are the texts of the files.
pub(crate) fn restore(shards: &[String]) -> Vec<Line> {
    let restore = |name: &str, input: &str| {
        Line::new(&format!("operator.restore.{name}"), RESTORE)
            .by(official::RESTORE)
            .with_input(input)
    };
    let sealed = |name: &str, arguments: &[&str]| Line::new(&format!("sealed.{name}"), arguments);
    let mut all = vec![
        sealed("secret-list", &["secret", "list"]),
        sealed("secret-get", &["secret", "get", SECRET]),
        sealed("policy-list", &["policy", "list"]),
        sealed("encrypt", &["cipher", "encrypt"]).with_input("x"),
        sealed("recover", RECOVER).by(official::RECOVER),
        Line::new("operator.restore.by-pilot", RESTORE).with_input(&shards[0]),
        Line::new("operator.restore.by-recover", RESTORE)
            .by(official::RECOVER)
            .with_input(&shards[0]),
        restore("nothing", ""),
        restore("garbage", "garbage\n"),
        restore("no-number", &format!("spike:x:{}\n", "05".repeat(32))),
        restore("short", "spike:1:0505\n"),
        restore("no-hex", &format!("spike:1:{}\n", "zz".repeat(32))),
        restore("other-word", &shards[0].replace("spike", "spoke")),
    ];
    all.push(restore("first", &format!("{}\n", shards[0])));
    all.push(restore("first-again", &format!("{}\n", shards[0])));
    all.push(restore("second-without-line-break", &shards[2]));
    all.push(restore("one-more", &format!("{}\n", shards[1])));
    all.push(Line::new(
        "restored.secret-get",
        &["secret", "get", SECRET, "-f", "json"],
    ));
    all.push(Line::new("restored.policy-get", &["policy", "get", "from-file"]));
    all
}
