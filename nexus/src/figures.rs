//! The store's own counts, shown as metrics.
use spike_runtime::metrics::Registry;
use spike_runtime::names;

use crate::store::Store;

/// Registers what the store counts: it knows of no metrics.
pub(crate) fn show(registry: &Registry, store: &Store) {
    let damaged = store.clone();
    registry.computed(
        names::POLICIES_DAMAGED,
        "Stored policies that cannot be used",
        move || u32::try_from(damaged.broken().len()).map_or(f64::MAX, f64::from),
    );
    let meter = store.meter();
    registry.register(
        names::STORE_COMMIT_SECONDS,
        "Seconds of a commit, fsyncs included",
        meter.commits().clone(),
    );
    let jobs = meter.clone();
    let help = "Writes and key changes answered by the store";
    registry.counted_by((names::STORE_JOBS, "outcome"), help, move || jobs.jobs());
    let size = meter.clone();
    registry.computed(names::STORE_BYTES, "Bytes of the store file", move || {
        float(size.bytes())
    });
    let help = "Stored records that were found unusable when they were read";
    registry.counted_by((names::RECORDS_REFUSED, "table"), help, move || meter.refused_records());
    let sealing = store.clone();
    let help = "AEAD seals of records under the current key term";
    registry.counted(names::SEALS, help, move || sealing.stats().seals);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
