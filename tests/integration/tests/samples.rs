//! Every file that is shipped to be used: each is given to the program that it is for. A file that no test knows fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use spike_integration::{Program, workspace};

/// A file, and the program with arguments that must accept it.
const CONFIG: &[(&str, &str, &[&str])] = &[
    ("config/dev-agent.yaml", "spike-dev-agent", &[]),
    ("config/ext-authz.yaml", "spike-ext-authz", &["--check-config"]),
    ("config/ext-authz-remote.yaml", "spike-ext-authz", &["--check-config"]),
    ("config/nexus.yaml", "spike-nexus", &["--check"]),
    ("config/nexus-keepers.yaml", "spike-nexus", &["--check"]),
];

/// How many policies each file holds.
const POLICIES: &[(&str, usize)] = &[
    ("config/policies/acme-db-reader.yaml", 1),
    ("config/policies/acme-team.yaml", 2),
    ("config/policies/cipher-user.yaml", 1),
    ("config/policies/orders.yaml", 1),
    ("config/policies/policy-admin.yaml", 2),
    ("config/policies/shop-http.yaml", 3),
    ("config/policies/short-keys.yaml", 1),
];

const ENVOY: &[&str] = &[
    "envoy/edge-remote-mtls.yaml",
    "envoy/inbound-sidecar.yaml",
    "envoy/l4.yaml",
];

/// The kinds of resource that each file of Kubernetes describes, in order.
const KUBERNETES: &[(&str, &[&str])] = &[
    (
        "examples/kubernetes/orders.yaml",
        &["ServiceAccount", "ConfigMap", "Deployment"],
    ),
    (
        "examples/istio/ext-authz.yaml",
        &["IstioOperator", "PeerAuthentication", "AuthorizationPolicy"],
    ),
    (
        "examples/envoy-gateway/ext-authz.yaml",
        &["ClientTrafficPolicy", "SecurityPolicy"],
    ),
];

/// Examples in other languages, and what is data of theirs.
const PROGRAMS: &[&str] = &[
    "examples/README.md",
    "examples/curl/read-secret.sh",
    "examples/go-read-secret/go.mod",
    "examples/go-read-secret/go.sum",
    "examples/go-read-secret/main.go",
];

/// A command that sees nothing of the environment that a setting could come from.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", "/nonexistent");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The files below a directory of the repository, as paths from its root.
fn files(below: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::from(below)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(workspace::root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                found.insert(path.display().to_string());
            }
        }
    }
    found
}

fn names<'a>(files: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    files.into_iter().map(str::to_owned).collect()
}

#[test]
fn there_is_no_shipped_file_that_no_test_knows() {
    let config = CONFIG.iter().map(|(file, ..)| *file);
    let policies = POLICIES.iter().map(|(file, _)| *file);
    assert_eq!(files("config"), names(config.chain(policies)));
    assert_eq!(files("envoy"), names(ENVOY.iter().copied()));
    let kubernetes = KUBERNETES.iter().map(|(file, _)| *file);
    assert_eq!(files("examples"), names(kubernetes.chain(PROGRAMS.iter().copied())));
    assert_eq!(files("config").len() + files("envoy").len(), 15);
}

#[test]
fn every_configuration_is_accepted_by_its_program() {
    for (file, program, arguments) in CONFIG {
        let path = workspace::root().join(file);
        let built = workspace::built(program).unwrap();
        if arguments.is_empty() {
            starts(&built, &path);
            continue;
        }
        let output = bare(&built)
            .args(*arguments)
            .arg("--config")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{file}: {}", said(&output));
        let shown = String::from_utf8(output.stdout).unwrap();
        let from_file = shown
            .lines()
            .filter(|line| line.contains(file.trim_start_matches("config/")))
            .count();
        assert!(
            from_file >= 10,
            "{file}: {from_file} values of it are in force:\n{shown}"
        );
    }
}

/// The agent has nothing that only checks: it is started, in a directory of its own because its paths are relative.
fn starts(program: &Path, config: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bare(program);
    command
        .current_dir(&directory)
        .arg("--config")
        .arg(config.canonicalize().unwrap());
    let mut running = Program::start("agent", command, directory.path()).unwrap();
    let line = running.wait_for_line("ready").unwrap();
    assert!(line.contains("6 identities"), "{line}");
    running.wait_for_line("db.sock").unwrap();
    assert!(directory.path().join("run/dev-agent/db.sock").exists());
    assert_eq!(running.stop().unwrap().code(), Some(0), "{}", running.output());
}

/// What stands in `config/nexus.yaml` is what one gets without it, as its first lines say.
#[test]
fn the_configuration_of_nexus_says_what_is_built_in() {
    let program = workspace::built("spike-nexus").unwrap();
    let values = |file: Option<&str>| -> BTreeSet<String> {
        let mut command = bare(&program);
        command.arg("--check");
        if let Some(file) = file {
            command.arg("--config").arg(workspace::root().join(file));
        }
        let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let value = |line: &str| line.rsplit_once(" # ").unwrap().0.to_owned();
        shown.lines().map(value).collect()
    };
    let (built_in, file) = (values(None), values(Some("config/nexus.yaml")));
    let differ: Vec<&String> = file.difference(&built_in).collect();
    // It says of this key that it does not.
    let dependent = "nexus.store.anchor: \"/var/lib/spike/anchor\"";
    assert_eq!(differ, [dependent, "nexus.store.dir: \"/var/lib/spike\""]);
    assert!(built_in.len() > 20, "{built_in:?}");
}

#[test]
fn every_policy_file_is_valid_and_says_what_it_means() {
    let spike = workspace::built("spike").unwrap();
    for (file, policies) in POLICIES {
        let path = workspace::root().join(file);
        let output = bare(&spike)
            .args(["policy", "validate", "--file"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{file}: {}", said(&output));
        let text = said(&output);
        let count = text.split(' ').next().unwrap();
        assert!(
            count == policies.to_string() || (*policies == 1 && text.contains("valid")),
            "{file}: {text}"
        );
        let output = bare(&spike)
            .args(["policy", "lint", "--file"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{file}: {}", said(&output));
    }
    let all = workspace::root().join("config/policies");
    let output = bare(&spike)
        .args(["policy", "validate", "--file"])
        .arg(all)
        .output()
        .unwrap();
    let sum: usize = POLICIES.iter().map(|(_, policies)| policies).sum();
    assert_eq!(said(&output).trim(), format!("{sum} policies are valid."));
}

#[test]
fn every_envoy_file_is_accepted_by_the_real_envoy() {
    let envoy = workspace::envoy().unwrap();
    for file in ENVOY {
        let output = Command::new(&envoy)
            .args(["--mode", "validate", "-l", "error", "-c"])
            .arg(workspace::root().join(file))
            .output()
            .unwrap();
        let text = said(&output);
        assert!(output.status.success() && text.contains(" OK"), "{file}: {text}");
        let loose = [
            "failure_mode_allow: true",
            "ACCEPT_UNTRUSTED",
            "require_client_certificate: false",
        ];
        let yaml = std::fs::read_to_string(workspace::root().join(file)).unwrap();
        assert!(loose.iter().all(|word| !yaml.contains(word)), "{file}");
    }
}

/// A broken file is refused, so the tests above can fail.
#[test]
fn the_real_envoy_refuses_a_broken_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.yaml");
    let text = std::fs::read_to_string(workspace::root().join("envoy/l4.yaml")).unwrap();
    std::fs::write(&path, text.replace("send_tls_alert_on_denial", "send_alert")).unwrap();
    let output = Command::new(workspace::envoy().unwrap())
        .args(["--mode", "validate", "-l", "error", "-c"])
        .arg(path)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{}", said(&output));
}

fn documents(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace::root().join(file)).expect(file);
    serde_saphyr::from_multiple(&text).expect(file)
}

#[test]
fn every_example_for_kubernetes_is_yaml_of_the_kinds_that_it_shows() {
    for (file, kinds) in KUBERNETES {
        let documents = documents(file);
        let found: Vec<&str> = documents
            .iter()
            .filter_map(|document| document["kind"].as_str())
            .collect();
        assert_eq!(found, *kinds, "{file}");
        for document in &documents {
            assert!(document["apiVersion"].is_string(), "{file}");
            assert!(document["metadata"]["name"].is_string(), "{file}");
        }
    }
}

#[test]
fn the_examples_fail_closed_and_demand_certificates() {
    let istio = documents("examples/istio/ext-authz.yaml");
    let provider = istio
        .first()
        .unwrap()
        .pointer("/spec/meshConfig/extensionProviders/0")
        .unwrap();
    let grpc = &provider["envoyExtAuthzGrpc"];
    assert_eq!(
        (&grpc["failOpen"], &grpc["statusOnError"]),
        (&false.into(), &"503".into())
    );
    let policy = istio.last().unwrap();
    assert_eq!(policy["spec"]["provider"]["name"], provider["name"]);
    let gateway = documents("examples/envoy-gateway/ext-authz.yaml");
    let validation = gateway
        .first()
        .unwrap()
        .pointer("/spec/tls/clientValidation/mode")
        .unwrap();
    assert_eq!(validation, "RequireAndVerify");
    assert_eq!(
        gateway.last().unwrap().pointer("/spec/extAuth/failOpen").unwrap(),
        false
    );
}

/// The configuration inside the example is one that the program accepts, and its paths are those of the Envoy file.
#[test]
fn the_configuration_in_the_kubernetes_example_is_accepted() {
    let documents = documents("examples/kubernetes/orders.yaml");
    let config = documents.get(1).unwrap()["data"]["ext-authz.yaml"].as_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ext-authz.yaml");
    std::fs::write(&path, config).unwrap();
    let program = workspace::built("spike-ext-authz").unwrap();
    let output = bare(&program)
        .args(["--check-config", "--config"])
        .arg(path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let envoy = std::fs::read_to_string(workspace::root().join("envoy/inbound-sidecar.yaml")).unwrap();
    for socket in ["/run/spike/ext-authz.sock", "/run/spire/sockets/agent.sock"] {
        assert!(config.contains(socket) && envoy.contains(socket), "{socket}");
    }
    let containers = documents
        .get(2)
        .unwrap()
        .pointer("/spec/template/spec/containers")
        .unwrap();
    let volumes = documents
        .get(2)
        .unwrap()
        .pointer("/spec/template/spec/volumes")
        .unwrap();
    let named: BTreeSet<&str> = volumes
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| volume["name"].as_str().unwrap())
        .collect();
    let mut mounts = 0;
    for container in containers.as_array().unwrap() {
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            assert!(named.contains(mount["name"].as_str().unwrap()), "{mount}");
            mounts += 1;
        }
    }
    assert_eq!((named.len(), mounts), (5, 7));
}

#[test]
fn the_scripts_among_the_examples_parse() {
    let script = workspace::root().join("examples/curl/read-secret.sh");
    let output = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let main = std::fs::read_to_string(workspace::root().join("examples/go-read-secret/main.go")).unwrap();
    assert!(main.contains("github.com/spiffe/spike-sdk-go/api"));
    let same = |file: &str| std::fs::read_to_string(workspace::root().join(file)).unwrap();
    // The versions that `make interop` runs against.
    assert_eq!(
        same("examples/go-read-secret/go.sum"),
        same("tests/interop/gosdk/go.sum")
    );
    assert!(same("examples/go-read-secret/go.mod").contains("github.com/spiffe/spike-sdk-go v0.19.9"));
}
