//! A command line, as people and pipelines use it: the same commands in the same order, by two programs, against two
//! servers or with identities of two agents, and what they print, leave in files and end with.
mod commands;
mod keys;
mod normal;
mod policies;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use spike_integration::{Spire, official};

pub(crate) use self::commands::everyday;
pub(crate) use self::keys::{recover, restore};
use crate::differences::{Both, Differences};
use crate::field::{CALLERS, Field};

/// A command of a transcript.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    name: String,
    user: u32,
    arguments: Vec<String>,
    input: Vec<u8>,
    variables: Vec<(&'static str, String)>,
    /// A file that it writes.
    leaves: Option<String>,
    form: Form,
}

/// How an output is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsItIs,
    /// Its lines come in the order of a Go map.
    AnyOrder,
    /// Random bytes: their number.
    Sealed,
}

impl Line {
    fn new(name: &str, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            user: official::PILOT,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            input: Vec::new(),
            variables: Vec::new(),
            leaves: None,
            form: Form::AsItIs,
        }
    }

    fn by(self, user: u32) -> Self {
        Self { user, ..self }
    }

    fn with_input(self, input: impl AsRef<[u8]>) -> Self {
        let input = input.as_ref().to_vec();
        Self { input, ..self }
    }

    fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn leaves(self, file: &str) -> Self {
        let leaves = Some(file.to_owned());
        Self { leaves, ..self }
    }

    fn in_any_order(self) -> Self {
        let form = Form::AnyOrder;
        Self { form, ..self }
    }

    fn sealed(self) -> Self {
        let form = Form::Sealed;
        Self { form, ..self }
    }
}

/// A program, pointed at an agent and a server, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Shell {
    variables: Vec<(&'static str, String)>,
    program: PathBuf,
    server: SocketAddr,
    home: PathBuf,
}

impl Shell {
    /// A new directory `name` with the files that the commands read. The agent is the Workload API's socket.
    pub(crate) fn new(field: &Field, name: &str, program: &Path, (agent, server): (&Path, SocketAddr)) -> Result<Self> {
        let home = field.directory.join(name);
        std::fs::create_dir_all(&home)?;
        for (file, content) in policies::FILES {
            std::fs::write(home.join(file), content)?;
        }
        std::fs::create_dir_all(home.join("folder"))?;
        // Several users work here, one after the other.
        for directory in [&home, &home.join("folder")] {
            std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        }
        for (_, uid) in CALLERS {
            let own = home.join(uid.to_string());
            std::fs::create_dir_all(&own)?;
            std::os::unix::fs::chown(&own, Some(*uid), Some(*uid))?;
        }
        Ok(Self {
            variables: official::environment(agent),
            program: official::copied(program, &field.directory)?,
            server,
            home,
        })
    }

    /// The shards that `operator recover` has saved here.
    pub(crate) fn shards(&self) -> Result<Vec<String>> {
        let folder = self.home.join(official::RECOVER.to_string()).join(".spike/recover");
        let read = |share| std::fs::read_to_string(folder.join(format!("spike.recovery.{share}.txt")));
        Ok((1..=3).map(read).collect::<Result<_, _>>()?)
    }

    /// What a command does, part by part.
    fn run(&self, line: &Line) -> Result<Parts> {
        let mut command = Spire::run_as(line.user, &self.program);
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("SPIKE_NEXUS_API_URL", format!("https://{}", self.server))
            .args(line.arguments.iter().map(|argument| self.filled(argument)))
            .envs(line.variables.iter().map(|(name, value)| (name, self.filled(value))))
            .env("HOME", self.home.join(line.user.to_string()))
            .env("TZ", "UTC")
            .current_dir(&self.home);
        let output = run(command, &line.input).with_context(|| line.name.clone())?;
        let mut parts = vec![
            ("exit".to_owned(), output.status.code().unwrap_or(-1).to_string()),
            (
                "stdout".to_owned(),
                self.placeless(&normal::text(&output.stdout, line.form)),
            ),
            (
                "stderr".to_owned(),
                self.placeless(&normal::text(&output.stderr, line.form)),
            ),
        ];
        if let Some(file) = &line.leaves {
            let left = std::fs::read(self.home.join(file)).ok();
            let left = left.map_or("(no file)".to_owned(), |bytes| normal::text(&bytes, Form::AsItIs));
            parts.push((format!("file {file}"), left));
        }
        Ok(parts)
    }

    /// An output without the places that no two shells share.
    fn placeless(&self, text: &str) -> String {
        text.replace(&self.home.display().to_string(), "<home>")
            .replace(&self.server.to_string(), "<server>")
    }

    /// An argument in which `{url}` stands for the server's, `{nonce}` and `{ciphertext}` for those of `sealed.bin`.
    fn filled(&self, argument: &str) -> String {
        let sealed = std::fs::read(self.home.join("sealed.bin")).unwrap_or_default();
        let (nonce, rest) = sealed
            .get(1..)
            .and_then(|parts| parts.split_at_checked(12))
            .unwrap_or_default();
        argument
            .replace("{url}", &format!("https://{}", self.server))
            .replace("{nonce}", &crate::base64(nonce))
            .replace("{ciphertext}", &crate::base64(rest))
    }
}

/// Runs a command with this on standard input.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("standard input")?;
    let input = input.to_vec();
    let writing = std::thread::spawn(move || {
        // A command that reads no input may have ended before it is written: that is its right.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output()?;
    ensure!(writing.join().is_ok(), "writing to standard input");
    Ok(output)
}

/// What a command did, each part with its name.
type Parts = Vec<(String, String)>;

/// What every command does in this shell, for others to be compared with.
pub(crate) fn control(lines: &[Line], shell: &Shell) -> Result<Vec<Parts>> {
    lines.iter().map(|line| shell.run(line)).collect()
}

/// A shell that is compared, and what is known to differ there.
#[derive(Debug)]
pub(crate) struct Run {
    shell: Shell,
    differences: Differences,
    compared: usize,
}

impl Run {
    /// `name` is that of the run in the list of differences.
    pub(crate) fn new(name: &str, shell: Shell) -> Result<Self> {
        Ok(Self {
            shell,
            differences: Differences::read(name)?,
            compared: 0,
        })
    }

    /// What every command does here, for others to be compared with.
    pub(crate) fn control(&self, lines: &[Line]) -> Result<Vec<Parts>> {
        control(lines, &self.shell)
    }

    /// Runs every command and notes what differs from the control.
    pub(crate) fn compare(&mut self, lines: &[Line], control: &[Parts]) -> Result<()> {
        ensure!(lines.len() == control.len(), "a control for each command");
        for (line, official) in lines.iter().zip(control) {
            let (official, ours) = (official.clone(), self.shell.run(line)?);
            self.differences.compare(&line.name, Both { official, ours });
        }
        self.compared += lines.len();
        Ok(())
    }

    /// The end of a run that must have had at least so many commands.
    pub(crate) fn settle(self, least: usize) -> Result<()> {
        self.differences.settle(self.compared, least)
    }
}
