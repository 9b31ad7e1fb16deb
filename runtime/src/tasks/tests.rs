#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::time::Duration;

use super::*;

const DRAIN: Drain = Drain {
    notice: Duration::ZERO,
    deadline: Duration::from_millis(200),
};

fn obedient(tasks: &Tasks) -> impl Future<Output = Result<(), TaskError>> + Send + 'static {
    let stop = tasks.stop();
    async move {
        stop.cancelled().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_shutdown_turns_readiness_off_and_joins_everything() {
    let (readiness, startup) = Readiness::new();
    drop(startup);
    let mut tasks = Tasks::new();
    let first = obedient(&tasks);
    tasks.spawn("first", first);
    let second = obedient(&tasks);
    tasks.spawn("second", second);
    let report = tasks.run(async {}, &readiness, DRAIN).await;
    assert!(report.is_clean(), "{report}");
    assert!(!readiness.is_ready());
    assert_eq!(report.to_string(), "stopped as asked");
}

#[tokio::test]
async fn the_first_task_to_end_stops_all_others() {
    let (readiness, _startup) = Readiness::new();
    let mut tasks = Tasks::new();
    let other = obedient(&tasks);
    tasks.spawn("other", other);
    tasks.spawn("broken", async { Err::<(), _>("disk full") });
    let report = tasks.run(pending::<()>(), &readiness, DRAIN).await;
    assert_eq!(report.to_string(), "task `broken` failed: disk full");
    assert!(!report.is_clean());
}

#[tokio::test]
async fn a_panic_is_an_end_without_its_payload() {
    let (readiness, _startup) = Readiness::new();
    let mut tasks = Tasks::new();
    tasks.spawn("broken", async {
        if true {
            panic!("canary")
        } else {
            Ok::<(), TaskError>(())
        }
    });
    let report = tasks.run(pending::<()>(), &readiness, DRAIN).await;
    assert_eq!(report.to_string(), "task `broken` failed: panicked");
}

#[tokio::test]
async fn a_task_that_does_not_stop_is_cut_off_and_named() {
    let (readiness, _startup) = Readiness::new();
    let mut tasks = Tasks::new();
    tasks.spawn("stubborn", async {
        pending::<()>().await;
        Ok::<(), TaskError>(())
    });
    let report = tasks
        .run(
            async {},
            &readiness,
            Drain {
                deadline: Duration::from_millis(10),
                ..DRAIN
            },
        )
        .await;
    assert_eq!(report.cut_off, ["stubborn"]);
}

// One thread: the woken worker runs before the timer of the notice is looked at.
#[tokio::test]
async fn work_goes_on_during_the_notice() {
    let (readiness, startup) = Readiness::new();
    drop(startup);
    let mut tasks = Tasks::new();
    let stop = tasks.stop();
    let mut ready = readiness.changes();
    let (seen, saw) = tokio::sync::oneshot::channel();
    tasks.spawn("worker", async move {
        ready.wait_for(|ready| !ready).await?;
        seen.send(stop.is_cancelled()).map_err(|_| "nobody listens")?;
        stop.cancelled().await;
        Ok::<(), TaskError>(())
    });
    let drain = Drain {
        notice: Duration::from_millis(20),
        deadline: Duration::from_secs(5),
    };
    let report = tasks.run(async {}, &readiness, drain).await;
    assert!(report.is_clean(), "{report}");
    assert!(!saw.await.unwrap(), "not ready any more, but not stopped yet");
}
