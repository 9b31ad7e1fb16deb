//! A histogram of atomics: the library's own takes a lock for each observation.
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds in nanoseconds: from a decision at hand to Envoy's default patience and beyond.
const BOUNDS: [u64; 14] = [
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    200_000_000,
    1_000_000_000,
];

/// Durations by bucket. Clones share their counts.
#[derive(Clone, Default)]
pub(super) struct Histogram(Arc<Buckets>);

#[derive(Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub(super) fn observe(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.nanoseconds.fetch_add(took, Ordering::Relaxed);
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Histogram")
    }
}

impl EncodeMetric for Histogram {
    #[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        const SECOND: f64 = 1e9;
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / SECOND).chain([f64::INFINITY]);
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.nanoseconds.load(Ordering::Relaxed) as f64 / SECOND;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use spike_runtime::metrics::Registry;

    #[test]
    fn durations_land_in_the_bucket_that_holds_them() {
        let registry = Registry::new("test", "0");
        let histogram = registry.register("took_seconds", "Took", Histogram::default());
        histogram.observe(Duration::from_micros(5));
        histogram.observe(Duration::from_micros(6));
        histogram.observe(Duration::from_secs(60));
        let text = registry.encode().unwrap();
        for line in [
            "took_seconds_bucket{le=\"0.000005\"} 1",
            "took_seconds_bucket{le=\"0.00001\"} 2",
            "took_seconds_bucket{le=\"1.0\"} 2",
            "took_seconds_bucket{le=\"+Inf\"} 3",
            "took_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
