//! Every public call of the official Go SDK, with each error that its documentation names: the same calls in the same
//! order, and what a Go workload gets.
mod calls;
mod surface;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use spike_integration::official::{self, Keepers};
use spike_integration::{Spire, workspace};

pub(crate) use self::calls::{open, proved, sealed};
pub(crate) use self::surface::Surface;
use crate::differences::{Both, Differences};
use crate::normal;
use crate::transcript::run;

/// One call: the name of the SDK's method and its arguments, perhaps behind the way in which its client is made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    user: u32,
    words: Vec<String>,
    variable: Option<(&'static str, &'static str)>,
    /// The SDK ends the whole program instead of giving an error.
    dies: bool,
}

impl Call {
    fn new(user: u32, words: &[&str]) -> Self {
        Self {
            user,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            variable: None,
            dies: false,
        }
    }

    fn by(self, user: u32) -> Self {
        Self { user, ..self }
    }

    fn with_variable(self, name: &'static str, value: &'static str) -> Self {
        let variable = Some((name, value));
        Self { variable, ..self }
    }

    /// With a client that is made so.
    fn with_client(mut self, way: &str) -> Self {
        self.words.insert(0, way.to_owned());
        self
    }

    fn that_dies(self) -> Self {
        Self { dies: true, ..self }
    }

    fn name(&self) -> String {
        let user = self.user;
        let environment = self
            .variable
            .map_or(String::new(), |(name, value)| format!(" {name}={value}"));
        format!("{user}{environment}: {}", self.words.join(" "))
    }
}

/// A Go workload, pointed at an agent, a Nexus and Keepers.
#[derive(Debug)]
pub(crate) struct Workload {
    variables: Vec<(&'static str, String)>,
    nexus: SocketAddr,
    program: PathBuf,
    directory: PathBuf,
}

impl Workload {
    /// `agent` is the Workload API's socket.
    pub(crate) fn new(directory: &Path, (agent, nexus): (&Path, SocketAddr), keepers: &Keepers) -> Result<Self> {
        let mut variables = official::environment(agent);
        variables.push(("SPIKE_NEXUS_KEEPER_PEERS", keepers.peers()));
        variables.push(("SPIKE_SYSTEM_LOG_LEVEL", "ERROR".to_owned()));
        Ok(Self {
            variables,
            nexus,
            program: official::copied(&crate::field::go_program("gosdk")?, directory)?,
            directory: directory.to_owned(),
        })
    }

    /// Makes the calls, and then each of the runs does the same and notes what differs.
    pub(crate) fn lead(&self, calls: &[Call], runs: &mut [Run]) -> Result<()> {
        let control = self.outcomes(calls).context("the official Nexus")?;
        runs.iter_mut().try_for_each(|run| run.compare(calls, &control))
    }

    /// What each call gives. Calls of one user after another are made by one process.
    fn outcomes(&self, calls: &[Call]) -> Result<Vec<String>> {
        let mut outcomes = Vec::new();
        let together =
            |one: &Call, next: &Call| one.user == next.user && one.variable == next.variable && !one.dies && !next.dies;
        for group in calls.chunk_by(together) {
            let output = self.run(group)?;
            let mut lines: Vec<String> = String::from_utf8(output.stdout.clone())?
                .lines()
                .map(str::to_owned)
                .collect();
            if group[0].dies {
                lines = vec![death(&output).with_context(|| group[0].name())?];
            }
            ensure!(
                lines.len() == group.len(),
                "{} answers to {} calls, the first of them {}:\n{lines:?}\n{}",
                lines.len(),
                group.len(),
                group[0].name(),
                String::from_utf8_lossy(&output.stderr)
            );
            outcomes.extend(lines);
        }
        Ok(outcomes)
    }

    fn run(&self, group: &[Call]) -> Result<Output> {
        let mut command = Spire::run_as(group[0].user, &self.program);
        command
            .arg("script")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("SPIKE_NEXUS_API_URL", format!("https://{}", self.nexus))
            .envs(group[0].variable)
            .env("HOME", &self.directory)
            .current_dir(&self.directory);
        let input: Vec<String> = group.iter().map(|call| json!(call.words).to_string()).collect();
        run(command, input.join("\n").as_bytes())
    }
}

/// How a program ended that the SDK has ended: its status, and the code in the last line of its log.
fn death(output: &Output) -> Result<String> {
    let log = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(log.lines().last().unwrap_or_default()).with_context(|| log.to_string())?;
    let code = last["code"].as_str().with_context(|| log.to_string())?;
    let status = output.status.code().context("a signal")?;
    ensure!(status != 0, "it lives: {log}");
    Ok(format!("exit {status} {code}"))
}

/// A workload of a Nexus of ours, what it has seen, and what is known to differ there.
#[derive(Debug)]
pub(crate) struct Run {
    workload: Workload,
    differences: Differences,
    seen: Vec<(Call, String)>,
}

impl Run {
    /// `name` is that of the run in the list of differences.
    pub(crate) fn new(name: &str, workload: Workload) -> Result<Self> {
        Ok(Self {
            workload,
            differences: Differences::read(name)?,
            seen: Vec::new(),
        })
    }

    /// Goes on with another Nexus.
    pub(crate) fn point_to(&mut self, nexus: SocketAddr) {
        self.workload.nexus = nexus;
    }

    fn compare(&mut self, calls: &[Call], control: &[String]) -> Result<()> {
        let outcomes = self.workload.outcomes(calls).context("our Nexus")?;
        for (call, (official, ours)) in calls.iter().zip(control.iter().zip(outcomes)) {
            self.differences.compare(
                &call.name(),
                Both {
                    official: normal::parts(normal::json(official)),
                    ours: normal::parts(normal::json(&ours)),
                },
            );
            self.seen.push((call.clone(), ours));
        }
        Ok(())
    }

    /// Whether this run has seen all that there is.
    pub(crate) fn ensure_all_of(&self, surface: &Surface) -> Result<()> {
        surface.ensure_seen(&self.seen)
    }

    /// The end of a run that must have had at least so many calls.
    pub(crate) fn settle(self, least: usize) -> Result<()> {
        self.differences.settle(self.seen.len(), least)
    }
}

/// Where the Go program's module stands.
fn module() -> PathBuf {
    workspace::root().join("tests/interop/gosdk")
}
