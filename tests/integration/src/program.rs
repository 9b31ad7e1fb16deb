//! A running program whose output goes to a file, and which ends with the value that holds it.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long anything may take to come up. Far above what is needed: it only bounds a hang.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// A child process.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    before: u64,
    left: bool,
}

impl Program {
    /// Starts `command` with standard output and standard error in `directory/NAME.log`.
    ///
    /// # Errors
    /// When the program cannot be started or the log cannot be written.
    pub fn start(name: &str, mut command: Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        // A program that is started again goes on in the same file; what it said before is not looked at.
        let before = std::fs::metadata(&log).map_or(0, |old| old.len());
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .context("the log file")?;
        let err = out.try_clone().context("the log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("{name}: {}", command.get_program().display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            before,
            left: false,
        })
    }

    /// Waits until `ready` gives a value, and fails at once when the program ends before that.
    ///
    /// # Errors
    /// When the program ended or patience ran out; the text carries the end of the log.
    pub fn wait_for<T>(&mut self, what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before {what}:\n{}", self.name, self.tail());
            }
            if Instant::now() > deadline {
                bail!("{} did not reach `{what}` in {PATIENCE:?}:\n{}", self.name, self.tail());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for a line of the log that holds `text`, and returns that line.
    ///
    /// # Errors
    /// As [`Program::wait_for`].
    pub fn wait_for_line(&mut self, text: &str) -> Result<String> {
        let (log, before) = (self.log.clone(), self.before);
        self.wait_for(text, move || {
            let all = read_from(&log, before)?;
            all.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Lets it run on after this value is gone.
    pub fn leave_running(mut self) {
        self.left = true;
    }

    /// Everything it has printed.
    pub fn output(&self) -> String {
        read_from(&self.log, self.before).unwrap_or_default()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator does (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let status = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status()?;
        if !status.success() {
            bail!("{} was gone before it was stopped:\n{}", self.name, self.tail());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} did not end after SIGTERM:\n{}", self.name, self.tail());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Ends it as a crash does (SIGKILL) and waits.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn tail(&self) -> String {
        let all = self.output();
        let lines: Vec<&str> = all.lines().collect();
        lines
            .get(lines.len().saturating_sub(30)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        // Either it has ended by itself or it must end now; there is nobody left to tell which.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read_from(log: &Path, start: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
