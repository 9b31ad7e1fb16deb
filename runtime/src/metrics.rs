//! Numbers about the program, in the Prometheus text format.
//!
//! **Owns** the registry and the shape of labels. **Refuses** labels that a caller could fill with request data: label
//! values are `&'static str`, so the number of series is fixed when the program is compiled. **Invariant**: what is
//! registered under a name of [`crate::names`] is exposed under exactly that name.

mod durations;
mod read;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Metric;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;

pub use self::durations::Durations;
use self::read::{Read, Source};
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
        self.collect(name, help, Source::Gauge(Box::new(read)));
    }

    /// A counter that is kept elsewhere, and read there when it is shown. The name ends in `_total`.
    pub fn counted(&self, name: &'static str, help: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.collect(name, help, Source::Counter(Box::new(read)));
    }

    /// Counters that are kept elsewhere: each value of the label with its count. The name ends in `_total`.
    pub fn counted_by<const N: usize>(
        &self,
        (name, label): (&'static str, &'static str),
        help: &'static str,
        read: impl Fn() -> [(&'static str, u64); N] + Send + Sync + 'static,
    ) {
        let read = Box::new(move || read().to_vec());
        self.collect(name, help, Source::Counters { label, read });
    }

    fn collect(&self, name: &'static str, help: &'static str, from: Source) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .register_collector(Box::new(Read { name, help, from }));
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

/// The media type of [`Registry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests;
