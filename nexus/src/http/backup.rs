//! A backup over HTTP: the archive as the body, as long as it takes.
use std::io;

use bytes::Bytes;
use futures::stream;
use spike_wire::operator::BackupRequest;

use super::answer::{self, Body};
use super::call::Call;
use super::connection::Busy;
use crate::service::{Guard, Pieces, Refused};

/// Begins the archive. `busy` says that the connection is in use and when it ends.
pub(super) fn take(call: &mut Call<'_>, busy: &Busy) -> Result<Body, Refused> {
    let BackupRequest {} = call.decode()?;
    let permit = call.permit(Guard::take_backup)?;
    let pieces = call.service.backup(&permit)?;
    Ok(answer::streamed(stream::unfold(Some((pieces, busy.clone())), next)))
}

/// A piece, or at the wrong end an error: the client must see that the connection broke, not a short archive.
async fn next(state: Option<(Pieces, Busy)>) -> Option<(io::Result<Bytes>, Option<(Pieces, Busy)>)> {
    let (mut pieces, busy) = state?;
    match pieces.next().await {
        Some(piece) => Some((Ok(piece), Some((pieces, busy)))),
        None if pieces.ended() => None,
        None => Some((Err(io::Error::other("the backup broke off")), None)),
    }
}
