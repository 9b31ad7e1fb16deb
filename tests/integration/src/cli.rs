//! The `spike` command line, run as a person or a pipeline runs it.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use crate::workspace;

/// The command line of one identity, pointed at one Nexus.
#[derive(Clone, Debug)]
pub struct Spike {
    program: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code (-1 when a signal ended it).
    pub code: i32,
}

impl Spike {
    /// Our own command line.
    ///
    /// # Errors
    /// When it was not built.
    pub fn ours(environment: &[(&str, String)]) -> Result<Self> {
        Ok(Self::program(&workspace::built("spike")?, environment))
    }

    /// Another program with the same command line, such as the official one.
    pub fn program(program: &Path, environment: &[(&str, String)]) -> Self {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Self {
            program: program.to_owned(),
            environment,
        }
    }

    /// Runs it with these arguments and nothing on standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Said> {
        self.run_with(arguments, "")
    }

    /// Runs it with these arguments and this on standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        // A command that reads no input may have ended before it is written: that is its right.
        drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
        let Output { status, stdout, stderr } = child.wait_with_output()?;
        Ok(Said {
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
            code: status.code().unwrap_or(-1),
        })
    }
}
