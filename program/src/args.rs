//! The command line of a server.
//!
//! **Owns** what can be said to every server, and the wording of `--help`. **Refuses** to act on any of it. **Invariant**:
//! what is wrong with a command line has been printed by the time its reader learns how to end.
use std::path::PathBuf;

use spike_audit::Program;
use spike_runtime::Exit;
use spike_runtime::config::{Environment, Layers};

/// What a server's `--help` says of it. Texts end without a period.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine {
    /// Which program it is.
    pub program: Program,
    /// What it is for.
    pub about: &'static str,
    /// What its configuration file is.
    pub config: &'static str,
    /// An override of a key, as an example: `key=value`.
    pub example: &'static str,
    /// The flag that checks the configuration, without its dashes.
    pub check: &'static str,
}

/// What can be said to one server only: made by deriving `clap::Args`. Its doc comments are its help.
pub trait Flags: clap::Args {}

impl<T: clap::Args> Flags for T {}

/// What was said on the command line of a server. `O` is what can be said only to this one.
#[derive(Debug, clap::Args)]
pub struct Args<O: Flags> {
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,

    /// Checks the configuration, prints the values in force and where each comes from, and ends.
    #[arg(long)]
    check: bool,

    /// What was said to this server only.
    #[command(flatten)]
    pub own: O,
}

impl CommandLine {
    /// Reads the command line of this process. Help, the version and usage errors are printed here.
    ///
    /// # Errors
    /// How to end, when nothing is left to do.
    pub(crate) fn read<O: Flags>(&self) -> Result<Args<O>, Exit> {
        let read = self.command::<O>().try_get_matches();
        let read = read.and_then(|matches| clap::FromArgMatches::from_arg_matches(&matches));
        read.map_err(|stop| match (stop.print(), stop.use_stderr()) {
            (Err(_), _) => Exit::Internal,
            (Ok(()), true) => Exit::Usage,
            (Ok(()), false) => Exit::Ok,
        })
    }

    fn command<O: Flags>(&self) -> clap::Command {
        let command = clap::Command::new(self.program.name).version(self.program.version);
        let set = format!(
            "Overrides one key of the configuration, such as `{}`. May be repeated",
            self.example
        );
        <Args<O> as clap::Args>::augment_args(command)
            .mut_arg("config", |arg| arg.help(self.config))
            .mut_arg("set", |arg| arg.help(set))
            .mut_arg("check", |arg| arg.long(self.check))
            // Last: each group of arguments above brings a text of its own.
            .about(self.about)
            .long_about(None::<&'static str>)
    }
}

impl<O: Flags> Args<O> {
    /// Whether the configuration is only to be checked.
    pub(crate) fn is_check(&self) -> bool {
        self.check
    }

    /// Where settings are read from: the file and the overrides that were given, and the environment of this process.
    pub fn layers(&self) -> Layers {
        Layers::load(self.config.as_deref(), Environment::of_process(), &self.set)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
