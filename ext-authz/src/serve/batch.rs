//! The requests of one connection, answered in turns by the task that reads it.
//!
//! **Owns** where a request runs. **Refuses** to wait for one: a request that is not finished when it was polled once
//! becomes a task of its own, and so does what exceeds a turn, so that other workers help. **Invariant**: a panic ends
//! one request, never its connection.
//!
//! A Check is decided in about the time that spawning a task and waking a worker takes, and its message has nearly
//! always arrived with its headers. Run where it was read, it needs neither, and the answers of a turn leave together.
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::Executor;

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Requests that were read and not yet run. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Batch(Arc<Mutex<Vec<Request>>>);

/// The most requests of a turn: at a few microseconds each, the connection and its worker hardly notice.
const TURN: usize = 128;

impl<F> Executor<F> for Batch
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.push(Box::pin(request));
    }
}

impl Batch {
    /// Drives the connection to its end, and with it the requests that it reads into this batch.
    pub(super) async fn drive<C: Future>(&self, mut connection: Pin<&mut C>) -> C::Output {
        let mut turn = Vec::new();
        poll_fn(move |context| {
            let polled = connection.as_mut().poll(context);
            self.run(&mut turn, context);
            // An answer wakes the connection, which then writes all of them.
            polled
        })
        .await
    }

    /// Runs what was read. `turn` is an empty list whose room is used again.
    fn run(&self, turn: &mut Vec<Request>, context: &mut Context<'_>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), turn);
        for (at, mut request) in turn.drain(..).enumerate() {
            if at >= TURN {
                tokio::spawn(request);
                continue;
            }
            match catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(context))) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => drop(tokio::spawn(request)),
                Err(_) => tracing::error!("a request panicked"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
