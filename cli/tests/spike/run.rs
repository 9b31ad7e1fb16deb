//! Running the binary with nothing but what a test gives it.
use std::io::Write;
use std::process::{Command, Stdio};

/// A command line with its environment and standard input.
pub(crate) struct Spike {
    command: Command,
    stdin: Vec<u8>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Spike {
    /// The binary with these words and an environment in which there is no agent.
    pub(crate) fn with(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spike"));
        command
            .args(words)
            .env_clear()
            .env("SPIFFE_ENDPOINT_SOCKET", "unix:///nowhere/agent.sock")
            .env("SPIKE_SPIFFE_SOURCE_TIMEOUT", "100ms")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// The command, for a test that talks to it while it runs.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    pub(crate) fn run(mut self) -> Ended {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input may be gone already.
        drop(stdin.write_all(&self.stdin));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs these words with no agent at hand.
pub(crate) fn spike(words: &[&str]) -> Ended {
    Spike::with(words).run()
}

impl Ended {
    /// A command that did its work and printed this.
    pub(crate) fn done(out: &str) -> Self {
        Self {
            code: 0,
            out: out.to_owned(),
            err: String::new(),
        }
    }

    /// A command that did nothing and said why.
    pub(crate) fn failed(code: i32, err: &str) -> Self {
        Self {
            code,
            out: String::new(),
            err: err.to_owned(),
        }
    }
}
