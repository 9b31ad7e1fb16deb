//! Policies: named on the command line, and in files.
use super::Line;
use super::commands::lines;

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

pub(super) fn named() -> Vec<Line> {
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

pub(super) fn files() -> Vec<Line> {
    let mut all = Vec::new();
    for name in FILES.iter().filter_map(|(file, _)| file.strip_suffix(".yaml")) {
        let file = format!("{name}.yaml");
        all.push(Line::new(
            &format!("apply.{name}"),
            &["policy", "apply", "--file", &file],
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
