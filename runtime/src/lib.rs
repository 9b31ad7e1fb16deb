//! What every program of this project needs before it does its own work, and around it.
//!
//! **Owns** process plumbing: layered [`config`], [`clock`], [`logging`], [`metrics`] and their [`names`],
//! [`readiness`], [`shutdown`], [`tasks`], [`threads`], listening sockets ([`socket`]), the [`admin`] listener, process hardening
//! ([`process`]) and [`Exit`] codes.
//!
//! **Refuses** to know what the program does: no policy, secret, SPIFFE or protobuf type is named here.
//!
//! **Invariant**: this is the only room that reads the process environment, configuration files and the clocks.

pub mod admin;
pub mod clock;
pub mod config;
pub mod exit;
pub mod lanes;
pub mod logging;
pub mod metrics;
pub mod names;
pub mod process;
pub mod readiness;
pub mod shutdown;
pub mod socket;
pub mod tasks;
pub mod threads;

pub use clock::{Clock, SharedClock, SystemClock};
pub use exit::Exit;
pub use readiness::{Latch, Readiness};
// The stop signal that every task takes.
pub use tokio_util::sync::CancellationToken;
