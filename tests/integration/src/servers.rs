//! Starting our own servers with configurations written for one mesh.
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::mesh::{Addresses, IDENTITIES, MeshOptions};
use crate::{Program, workspace};

/// The Workload API socket of an identity.
pub(crate) fn agent_socket(directory: &Path, identity: &str) -> PathBuf {
    directory.join("agent").join(format!("{identity}.sock"))
}

pub(crate) fn start_agent(directory: &Path, options: &MeshOptions) -> Result<Program> {
    let mut config = format!(
        "trust_domain: example.org\ndirectory: {}/agent\nsvid_ttl: {}\nentries:\n",
        directory.display(),
        options.svid_ttl
    );
    for (socket, path) in IDENTITIES {
        writeln!(
            config,
            "- {{spiffe_id: {path}, socket: {socket}.sock, dns: [localhost]}}"
        )?;
    }
    let file = directory.join("dev-agent.yaml");
    std::fs::write(&file, config)?;
    let mut command = Command::new(workspace::built("spike-dev-agent")?);
    command.arg("--config").arg(&file);
    let mut program = Program::start("dev-agent", command, directory)?;
    program.wait_for_line("ready")?;
    Ok(program)
}

pub(crate) fn start_servers(directory: &Path, options: &MeshOptions) -> Result<(Option<Program>, Program, Addresses)> {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    if options.apart {
        let (separate, nexus) = start_nexus(directory, options, free)?;
        let (ext_authz, line) = start_ext_authz(directory, options, nexus)?;
        return Ok((
            Some(separate),
            ext_authz,
            Addresses {
                nexus,
                check_mtls: Some(named(&line, "mtls")?),
            },
        ));
    }
    let (ext_authz, line) = start_ext_authz(directory, options, free)?;
    Ok((
        None,
        ext_authz,
        Addresses {
            nexus: named(&line, "nexus")?,
            check_mtls: None,
        },
    ))
}

/// Starts `spike-nexus` alone.
pub(crate) fn start_nexus(
    directory: &Path,
    options: &MeshOptions,
    address: SocketAddr,
) -> Result<(Program, SocketAddr)> {
    let run = directory.display();
    let config = format!(
        "identity: {{socket: \"unix://{run}/agent/nexus.sock\"}}\n{}",
        nexus_yaml(directory, options, address)
    );
    let (program, line) = start(directory, "spike-nexus", &config)?;
    let address = named(&line, "nexus")?;
    Ok((program, address))
}

/// Starts `spike-ext-authz`; gives its ready line, which names every address.
pub(crate) fn start_ext_authz(directory: &Path, options: &MeshOptions, nexus: SocketAddr) -> Result<(Program, String)> {
    let run = directory.display();
    let settings = &options.settings;
    let (identity, mtls, policies) = if options.apart {
        let mtls = ", mtls: {address: \"127.0.0.1:0\", allow: ['^spiffe://example\\.org/envoy/[a-z]+$']}";
        let feed = format!(
            "feed: {{mode: remote, url: \"https://localhost:{}\"}}\ntrust_roots: {{nexus: example.org, pilot: example.org}}\n",
            nexus.port()
        );
        ("ext-authz", mtls, feed)
    } else {
        ("nexus", "", nexus_yaml(directory, options, nexus))
    };
    let config = format!(
        "identity: {{socket: \"unix://{run}/agent/{identity}.sock\"}}
check:
  trust_domains: [example.org]
  listen: {{uds: {{path: {run}/ext-authz.sock}}{mtls}}}
admin: {{listen: \"unix:{run}/admin.sock\"}}
audit: {{to: \"file:{run}/decisions.log\"}}
{policies}{settings}"
    );
    start(directory, "spike-ext-authz", &config)
}

fn nexus_yaml(directory: &Path, options: &MeshOptions, address: SocketAddr) -> String {
    let (run, backend) = (directory.display(), options.backend);
    format!(
        "nexus:
  listen: \"{address}\"
  store: {{backend: {backend}, dir: {run}}}
  trust_roots: {{nexus: example.org, pilot: example.org, lite_workload: example.org}}
"
    )
}

/// Starts a server and waits for its ready line.
fn start(directory: &Path, program: &str, config: &str) -> Result<(Program, String)> {
    let file = directory.join(format!("{program}.yaml"));
    std::fs::write(&file, config)?;
    let mut command = Command::new(workspace::built(program)?);
    command.arg("--config").arg(&file);
    let mut running = Program::start(program, command, directory)?;
    let line = running.wait_for_line("ready")?;
    Ok((running, line))
}

/// The address behind `NAME=` in a ready line.
pub(crate) fn named(line: &str, name: &str) -> Result<SocketAddr> {
    let rest = line
        .split_once(&format!(" {name}="))
        .with_context(|| format!("`{name}=` in `{line}`"))?
        .1;
    rest.split(' ')
        .next()
        .unwrap_or(rest)
        .parse()
        .with_context(|| line.to_owned())
}
