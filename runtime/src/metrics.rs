//! Numbers about the program, in the Prometheus text format.
//!
//! **Owns** the registry and the shape of labels. **Refuses** labels that a caller could fill with request data: label
//! values are `&'static str`, so the number of series is fixed when the program is compiled. **Invariant**: what is
//! registered under a name of [`crate::names`] is exposed under exactly that name.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Metric;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;

use crate::names;

/// Label names and values, both from closed sets.
pub type Labels<const N: usize> = [(&'static str, &'static str); N];

/// A gauge of a real number.
pub type FloatGauge = Gauge<f64, AtomicU64>;

/// A histogram per label set.
pub type Histograms<const N: usize> = Family<Labels<N>, Histogram, Edges>;

/// The metrics of a program. Clones share one registry.
#[derive(Clone)]
pub struct Registry(Arc<RwLock<prometheus_client::registry::Registry>>);

/// Bucket edges, as the maker of the histograms of a family.
#[derive(Clone, Copy, Debug)]
pub struct Edges(&'static [f64]);

impl prometheus_client::metrics::family::MetricConstructor<Histogram> for Edges {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Registry {
    /// A registry that already says which program this is.
    pub fn new(program: &'static str, version: &'static str) -> Self {
        let registry = Self(Arc::default());
        let build: Family<Labels<2>, Gauge> = Family::default();
        build
            .get_or_create(&[("program", program), ("version", version)])
            .set(1);
        registry.register(names::BUILD_INFO, "Which program this is; always 1", build);
        registry
    }

    /// A counter. The name ends in `_total`.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.register(name, help, Counter::default())
    }

    /// A counter per label set. The name ends in `_total`.
    pub fn counters<const N: usize>(&self, name: &'static str, help: &'static str) -> Family<Labels<N>, Counter> {
        self.register(name, help, Family::default())
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.register(name, help, Gauge::default())
    }

    /// A gauge per label set.
    pub fn gauges<const N: usize>(&self, name: &'static str, help: &'static str) -> Family<Labels<N>, Gauge> {
        self.register(name, help, Family::default())
    }

    /// A histogram with bucket edges such as [`names::MICRO_SECONDS`].
    pub fn histogram(&self, name: &'static str, help: &'static str, edges: &'static [f64]) -> Histogram {
        self.register(name, help, Histogram::new(edges.iter().copied()))
    }

    /// A histogram per label set.
    pub fn histograms<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        edges: &'static [f64],
    ) -> Histograms<N> {
        self.register(name, help, Family::new_with_constructor(Edges(edges)))
    }

    /// A gauge that is computed when it is read, such as an age.
    pub fn computed(&self, name: &'static str, help: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let computed = Computed {
            name,
            help,
            read: Box::new(read),
        };
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .register_collector(Box::new(computed));
    }

    /// Everything in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// When a metric cannot be written, which none of the kinds above can cause.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }

    /// Any other kind of metric, such as a histogram that takes no lock. Its labels must be as closed as the others'.
    pub fn register<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
        // The encoder appends `_total` to counters itself.
        let name = name.strip_suffix("_total").unwrap_or(name);
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .register(name, help, metric.clone());
        metric
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

struct Computed {
    name: &'static str,
    help: &'static str,
    read: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computed")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Collector for Computed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new((self.read)());
        let metric = encoder.encode_descriptor(self.name, self.help, None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

/// The media type of [`Registry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests;
