#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::*;

/// A connection that reads whatever it is given, and ends when there will be no more.
async fn reads(batch: &Batch, mut given: mpsc::UnboundedReceiver<Request>) {
    while let Some(request) = given.recv().await {
        batch.execute(request);
    }
}

#[tokio::test]
async fn requests_run_whether_they_finish_at_once_wait_or_panic() {
    let (batch, done) = (Batch::default(), Arc::new(AtomicUsize::new(0)));
    let (give, given) = mpsc::unbounded_channel::<Request>();
    let (open, gate) = oneshot::channel::<()>();
    let count = Arc::clone(&done);
    give.send(Box::pin(async move {
        gate.await.unwrap();
        count.fetch_add(1_000, Ordering::Relaxed);
    }))
    .unwrap();
    give.send(Box::pin(async { panic!("a defect") })).unwrap();
    for _ in 0..3 * TURN {
        let count = Arc::clone(&done);
        give.send(Box::pin(async move {
            count.fetch_add(1, Ordering::Relaxed);
        }))
        .unwrap();
    }
    drop(give);
    let connection = std::pin::pin!(reads(&batch, given));
    batch.drive(connection).await;
    open.send(()).unwrap();
    while done.load(Ordering::Relaxed) < 1_000 + 3 * TURN {
        tokio::task::yield_now().await;
    }
}
