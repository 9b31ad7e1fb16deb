//! The one connection of a command.
use std::future::Future;

use spike_sdk::{Client, Error};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{Failure, Subject};

/// A client with what drives it.
pub(super) struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    /// Gets an identity from the agent. Nexus is called with the first call.
    pub(super) fn open() -> Result<Self, Failure> {
        let runtime = runtime()?;
        let client = runtime.block_on(Client::connect()).map_err(Failure::Connect)?;
        Ok(Self { runtime, client })
    }

    /// The client, to make a call of.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for a call.
    pub(super) fn wait<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.block_on(call)
    }

    /// Waits for a call about this subject, whose failure ends the command.
    pub(super) fn call<T>(&self, subject: Subject, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        self.wait(call).map_err(|error| Failure::Call(error, subject))
    }
}

/// What drives connections.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    // A thread of its own, so that connections and identity stay alive while a person thinks about an answer.
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::System(format!("cannot start: {error}")))
}
