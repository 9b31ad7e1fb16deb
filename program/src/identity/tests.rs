#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use spike_identity::authority::TestAuthority;
use spike_runtime::SystemClock;

use super::*;

#[tokio::test]
async fn whoever_asks_to_stop_need_not_wait_for_an_identity() {
    let nowhere = Source {
        socket: "unix:///nonexistent/agent.sock".to_owned(),
        wait: None,
    };
    let stopped = nowhere.first("1.2.3", std::future::ready(Cause::Interrupt)).await;
    assert!(stopped.unwrap().is_none());
}

#[tokio::test]
async fn our_own_svid_is_among_the_metrics() {
    let registry = Registry::new("spike-example", "1.2.3");
    let identity = TestAuthority::new("example.org").unwrap().identity("/x").unwrap();
    show(&identity, &SystemClock::shared(), &registry);
    let text = registry.encode().unwrap();
    for name in [names::SVID_REMAINING_SECONDS, names::SVID_UPDATES] {
        assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
    }
}
