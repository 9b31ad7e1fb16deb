//! Metrics that are read where they are kept when somebody looks, so that the keeper need not know of a registry.
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// A metric and how it is read.
pub(super) struct Read {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) from: Source,
}

/// A label's value and the count under it.
type Counts = Vec<(&'static str, u64)>;

pub(super) enum Source {
    Gauge(Box<dyn Fn() -> f64 + Send + Sync>),
    Counter(Box<dyn Fn() -> u64 + Send + Sync>),
    Counters {
        label: &'static str,
        read: Box<dyn Fn() -> Counts + Send + Sync>,
    },
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // The encoder appends `_total` to counters itself.
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        match &self.from {
            Source::Gauge(read) => {
                let gauge = ConstGauge::new(read());
                gauge.encode(encoder.encode_descriptor(self.name, self.help, None, gauge.metric_type())?)
            }
            Source::Counter(read) => encoder
                .encode_descriptor(name, self.help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, _, u64>(&read(), None),
            Source::Counters { label, read } => {
                let mut metric = encoder.encode_descriptor(name, self.help, None, MetricType::Counter)?;
                for (value, count) in read() {
                    metric
                        .encode_family(&[(*label, value)])?
                        .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
                Ok(())
            }
        }
    }
}
