#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

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
    registry.counted(names::SEALS, "Seals", || 3);
    registry.counted_by((names::RECORDS_REFUSED, "table"), "Records", || {
        [("policies", 0), ("ledger", 4)]
    });
    let text = registry.encode().unwrap();
    for line in [
        r#"spike_build_info{program="spike-test",version="1.2.3"} 1"#,
        r#"spike_checks_total{verdict="deny",reason="no_policy"} 1"#,
        "spike_store_jobs_total 2",
        "spike_policies 7",
        r#"spike_check_seconds_bucket{le="0.00002"} 1"#,
        r#"spike_api_request_seconds_count{route="x"} 1"#,
        "spike_policy_age_seconds 0.25",
        "# TYPE spike_seals counter",
        "spike_seals_total 3",
        r#"spike_records_refused_total{table="policies"} 0"#,
        r#"spike_records_refused_total{table="ledger"} 4"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|have| have == line), "`{line}` is missing in\n{text}");
    }
}

#[test]
fn durations_land_in_the_bucket_that_holds_them() {
    let registry = Registry::new("test", "0");
    let durations = registry.register(names::CHECK_SECONDS, "Took", Durations::new(names::MICRO_SECONDS));
    durations.observe(Duration::from_micros(5));
    durations.observe(Duration::from_micros(6));
    durations.observe(Duration::from_secs(60));
    assert_eq!(durations.count(), 3);
    let text = registry.encode().unwrap();
    for line in [
        "spike_check_seconds_bucket{le=\"0.000005\"} 1",
        "spike_check_seconds_bucket{le=\"0.00001\"} 2",
        "spike_check_seconds_bucket{le=\"1.0\"} 2",
        "spike_check_seconds_bucket{le=\"+Inf\"} 3",
        "spike_check_seconds_count 3",
        "spike_check_seconds_sum 60.000011",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
