#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use std::fs;

const GOOD: &str = "name: a\nspiffeidPattern: ^spiffe://example\\.org/a$\npathPattern: ^a$\npermissions: [read]\n";

fn named(name: &str) -> String {
    GOOD.replacen("name: a", &format!("name: {name}"), 1)
}

/// Names of the policies, or the faults.
fn names(places: &[PathBuf], stdin: &str) -> Result<Vec<String>, Vec<String>> {
    match read(places, &mut stdin.as_bytes()) {
        Ok(policies) => Ok(policies.iter().map(|policy| policy.rule.name.to_string()).collect()),
        Err(Failure::Data(faults)) => Err(faults),
        Err(other) => Err(vec![format!("{other:?}")]),
    }
}

#[test]
fn a_directory_is_read_in_order_of_path_without_hidden_and_foreign_files() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("b")).unwrap();
    fs::create_dir(at(".git")).unwrap();
    for (file, policy) in [("c.yaml", "c"), ("a.yml", "a"), ("b/b.yaml", "b"), ("d.json", "d")] {
        fs::write(at(file), named(policy)).unwrap();
    }
    for file in [".hidden.yaml", "notes.txt", "b/.hidden.yaml", ".git/x.yaml"] {
        fs::write(at(file), "not: [a policy").unwrap();
    }
    assert_eq!(
        names(&[directory.path().into()], ""),
        Ok(["a", "b", "c", "d"].map(str::to_owned).to_vec())
    );
}

#[test]
fn places_are_read_in_the_order_given_and_a_dash_is_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("z.yaml");
    fs::write(&file, format!("{}---\n{}", named("z"), named("w"))).unwrap();
    assert_eq!(
        names(&[file, "-".into()], &named("x")),
        Ok(["z", "w", "x"].map(str::to_owned).to_vec())
    );
}

#[test]
fn every_fault_of_every_file_is_reported_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("nothing.yaml"), "# later\n").unwrap();
    fs::write(at("twice.yaml"), format!("{GOOD}---\n{GOOD}")).unwrap();
    fs::write(at("bytes.yaml"), b"name: \xff\n").unwrap();
    fs::write(
        at("fields.yaml"),
        "name: ''\nspiffeid: spiffe://example.org/workload/*\npath: /x\n",
    )
    .unwrap();
    let places = [
        "missing.yaml",
        "empty",
        "nothing.yaml",
        "twice.yaml",
        "bytes.yaml",
        "fields.yaml",
    ]
    .map(at);
    let faults = names(&places, "").unwrap_err();
    let root = directory.path().display();
    for wanted in [
        format!("file {root}/missing.yaml does not exist"),
        format!("{root}/empty: holds no .yaml, .yml or .json file"),
        format!("{root}/nothing.yaml: the file holds no policy"),
        format!("{root}/twice.yaml:6:1: policy 'a' is given twice, first at {root}/twice.yaml:1:1"),
        format!("{root}/bytes.yaml: not UTF-8 text"),
        format!("{root}/fields.yaml:1:7: Policy name cannot be empty"),
        format!(
            "{root}/fields.yaml:2:11: Invalid SPIFFE ID pattern: \"spiffe://example.org/workload/*\"\n\
             Use regex syntax: \"spiffe://example\\.org/workload/.*\""
        ),
        format!(
            "{root}/fields.yaml:3:7: Invalid path pattern: \"/x\"\nPaths are namespaces, remove leading slash: \"x\""
        ),
        format!("{root}/fields.yaml:1:1: permissions are required in YAML file"),
    ] {
        assert!(faults.contains(&wanted), "{wanted:?} is not among {faults:#?}");
    }
    assert_eq!(faults.len(), 9, "{faults:#?}");
}
