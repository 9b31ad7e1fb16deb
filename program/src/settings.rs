//! What every server reads from its configuration.
//!
//! **Owns** the sections `identity`, `admin`, `drain` and `log` as a whole; the rooms that obey them read them.
//! **Refuses** sections that only some server has. **Invariant**: settings are made by reading, in no other way.
use spike_runtime::admin::Admin;
use spike_runtime::config::{Effective, Endpoint, Faults, Layers, Section};
use spike_runtime::logging;
use spike_runtime::shutdown::Drain;

use crate::identity::Source;

/// The sections `identity`, `admin`, `drain` and `log`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) identity: Source,
    pub(crate) admin: Option<Endpoint>,
    pub(crate) drain: Drain,
    pub(crate) log: logging::Settings,
}

/// A configuration in which nothing is wrong: the settings of every server, and each value with its source.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) effective: Effective,
}

impl Settings {
    /// Reads them from the top of a configuration; faults are recorded in its layers. The drain is read before, because
    /// a server's own parts share its deadline.
    pub fn read(root: &Section<'_>, drain: Drain) -> Self {
        Self {
            identity: Source::read(&root.section("identity")),
            admin: Admin::read(&root.section("admin")),
            drain,
            log: logging::Settings::read(&root.section("log")),
        }
    }

    /// Ends the reading, when a server's own settings are read as well.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong.
    pub fn finish(self, layers: Layers) -> Result<Configuration, Faults> {
        let effective = layers.finish()?;
        Ok(Configuration {
            settings: self,
            effective,
        })
    }
}

#[cfg(test)]
mod tests;
