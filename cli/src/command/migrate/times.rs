//! When versions were put and deleted, of a source that does not number them.
//!
//! Such a source shows the times of one version per call, whichever its map gives last. Asked often enough it shows
//! them all; in order of their creation they belong to the versions 1, 2, 3 and so on, if that fits what could be read.
use std::collections::BTreeSet;

use spike_sdk::{Error, Secrets};
use spike_wire::Timestamp;
use spike_wire::secrets::MetadataResponse;

use super::twice;

/// Times of creation and deletion, of the versions from 1 on.
pub(super) struct Times(pub(super) Vec<(Timestamp, Option<Timestamp>)>);

/// Calls per version that are spent on it, at least and at most in all. A map of up to eight entries gives each of
/// them last at least once in eight times.
const CALLS_EACH: usize = 24;
const LEAST_CALLS: usize = 96;
const MOST_CALLS: usize = 480;

/// Asks until the times explain everything, or too often. `live` says of each version whether it could be read.
pub(super) async fn find_out(
    secrets: Secrets<'_>,
    path: &str,
    first: &MetadataResponse,
    live: &[bool],
) -> Result<Option<Times>, Error> {
    let mut seen = BTreeSet::new();
    note(first, &mut seen);
    let most = live.len().saturating_mul(CALLS_EACH).clamp(LEAST_CALLS, MOST_CALLS);
    for _ in 0..most {
        if is_all(&seen, first, live.len()) && explained(&seen, live).is_some() {
            break;
        }
        match twice(|| async { secrets.metadata(path, 0).await }).await {
            Ok(answer) => note(&answer, &mut seen),
            // It changes; the caller will see.
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(explained(&seen, live))
}

fn note(answer: &MetadataResponse, seen: &mut BTreeSet<(Timestamp, Option<Timestamp>)>) {
    for info in answer.versions.values() {
        seen.insert((info.created_time, info.deleted_time));
    }
}

/// As many as there are versions up to the current one, the newest of them as old as the last change: then no newer
/// version was deleted since.
fn is_all(seen: &BTreeSet<(Timestamp, Option<Timestamp>)>, first: &MetadataResponse, versions: usize) -> bool {
    let newest = seen.last().map(|(created, _)| created.date_time().unix_timestamp());
    seen.len() == versions && newest == Some(first.metadata.updated_time.date_time().unix_timestamp())
}

/// The times, if each fits: those of versions that could be read know no deletion, all others do.
fn explained(seen: &BTreeSet<(Timestamp, Option<Timestamp>)>, live: &[bool]) -> Option<Times> {
    let times: Vec<_> = seen.iter().copied().collect();
    let lives = live.iter().copied().chain(std::iter::repeat(false));
    let fits = times
        .iter()
        .zip(lives)
        .all(|((_, deleted), lives)| deleted.is_none() == lives);
    (times.len() >= live.len() && fits).then_some(Times(times))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn at(second: u8) -> Timestamp {
        format!("2026-11-22T02:26:{second:02}Z").parse().unwrap()
    }

    fn fit(seen: &[(u8, Option<u8>)], live: &[bool]) -> Option<usize> {
        let seen = seen.iter().map(|(created, deleted)| (at(*created), deleted.map(at)));
        explained(&seen.collect(), live).map(|Times(times)| times.len())
    }

    #[test]
    fn times_are_taken_only_if_they_explain_what_could_be_read() {
        assert_eq!(fit(&[(1, None), (2, None)], &[true, true]), Some(2));
        assert_eq!(fit(&[(1, Some(9)), (2, None)], &[false, true]), Some(2));
        assert_eq!(
            fit(&[(1, None), (2, Some(9))], &[true]),
            Some(2),
            "a deleted one above the current one"
        );
        assert_eq!(fit(&[(1, None)], &[true, true]), None, "one was never shown");
        assert_eq!(
            fit(&[(1, Some(9)), (2, None)], &[true, false]),
            None,
            "a number was used twice"
        );
        assert_eq!(fit(&[(1, None), (2, None)], &[true]), None, "put since");
        assert_eq!(fit(&[], &[true]), None);
    }
}
