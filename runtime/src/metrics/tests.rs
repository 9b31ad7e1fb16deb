#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn what_is_registered_is_exposed_under_its_name() {
    let registry = Registry::new("spike-test", "1.2.3");
    registry
        .counters::<2>(names::CHECKS, "Checks")
        .get_or_create(&[("verdict", "deny"), ("reason", "no_policy")])
        .inc();
    registry.counter(names::STORE_JOBS, "Jobs").inc_by(2);
    registry.gauge(names::POLICIES, "Policies").set(7);
    registry
        .histogram(names::CHECK_SECONDS, "Seconds", names::MICRO_SECONDS)
        .observe(2e-5);
    registry
        .histograms::<1>(names::API_REQUEST_SECONDS, "Seconds", names::MILLI_SECONDS)
        .get_or_create(&[("route", "x")])
        .observe(0.3);
    registry.computed(names::POLICY_AGE_SECONDS, "Age", || 0.25);
    let text = registry.encode().unwrap();
    for line in [
        r#"spike_build_info{program="spike-test",version="1.2.3"} 1"#,
        r#"spike_checks_total{verdict="deny",reason="no_policy"} 1"#,
        "spike_store_jobs_total 2",
        "spike_policies 7",
        r#"spike_check_seconds_bucket{le="0.00002"} 1"#,
        r#"spike_api_request_seconds_count{route="x"} 1"#,
        "spike_policy_age_seconds 0.25",
        "# EOF",
    ] {
        assert!(text.lines().any(|have| have == line), "`{line}` is missing in\n{text}");
    }
}
