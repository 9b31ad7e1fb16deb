//! Where a program's settings come from: built-in < one YAML file < environment < flags.
//!
//! **Owns** the reading of configuration files and of the process environment, the forms that values take
//! (`"250ms"`, `"64KiB"`, `127.0.0.1:9901`), and the list of everything that is wrong, with file, line and key.
//!
//! **Refuses** to stop at the first fault, to guess (unknown and repeated keys are faults), and to show the value of a
//! key marked [`Key::secret`].
//!
//! **Invariant**: a program that got past [`Layers::finish`] runs on values that all passed their rule, and the
//! [`Effective`] configuration names the source of each.
//!
//! ```
//! use spike_runtime::config::{Environment, Layers};
//! use std::time::Duration;
//!
//! let environment = Environment::from_pairs([("SPIKE_SPIFFE_SOURCE_TIMEOUT", "10s")]);
//! let layers = Layers::load(None, environment, &[]);
//! let identity = layers.root().section("identity");
//! let wait = identity.key("wait").env("SPIKE_SPIFFE_SOURCE_TIMEOUT").duration().or(Duration::from_secs(30));
//! assert_eq!(wait, Duration::from_secs(10));
//! let effective = layers.finish()?;
//! assert_eq!(effective.to_string(), "identity.wait: \"10s\" # environment SPIKE_SPIFFE_SOURCE_TIMEOUT\n");
//! # Ok::<(), spike_runtime::config::Faults>(())
//! ```

mod effective;
mod fault;
mod form;
mod key;
mod layers;
mod notation;
mod section;
mod setting;
mod suggest;
mod yaml;

pub use effective::{Effective, EffectiveValue};
pub use fault::{Fault, Faults, Origin, Position};
pub use key::Key;
pub use layers::{Environment, Layers};
pub use notation::Endpoint;
pub use section::Section;
pub use setting::Setting;

#[cfg(test)]
mod tests;
