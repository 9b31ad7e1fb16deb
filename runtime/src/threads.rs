//! A second set of worker threads in one process, for work that must not hold up the first.
use std::io;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::task::JoinHandle;

/// Worker threads with their own timers and I/O. Dropping them waits for nothing, so they may be dropped on a worker of
/// another set; what still runs there is cut off.
#[derive(Debug)]
pub struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts one thread for each processor, all of this name.
    ///
    /// # Errors
    /// When the system gives no threads or no poll handle.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().enable_all().thread_name(name).build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// What is made while the guard lives (sockets, timers, tasks) belongs to these threads.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs a future on these threads.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(future)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn work_runs_on_threads_of_that_name_and_they_may_be_dropped_on_a_worker() {
        let threads = Threads::start("elsewhere").unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let theirs = threads.spawn(async move { name() }).await.unwrap();
        assert_eq!(theirs.as_deref(), Some("elsewhere"));
        let endless = threads.spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
