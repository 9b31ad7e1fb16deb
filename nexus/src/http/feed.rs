//! The policy feed over HTTP: one JSON object per line, for as long as the follower may follow.
use std::io;

use bytes::Bytes;
use futures::stream;
use spike_policy::Generation;
use spike_wire::feed::{Delta, FeedPolicy, Heartbeat, Line, Snapshot, WatchRequest};
use spike_wire::go_json;
use uuid::Uuid;

use super::answer::{self, Body};
use super::call::Call;
use super::connection::Busy;
use crate::service::{Feed, FeedLine, Guard, Refused};

/// Begins the feed. `busy` says that the connection is in use and when it ends.
pub(super) fn watch(call: &mut Call<'_>, busy: &Busy) -> Result<Body, Refused> {
    let request: WatchRequest = call.decode()?;
    let permit = call.permit(Guard::watch_policies)?;
    let have = request
        .store
        .parse::<Uuid>()
        .ok()
        .zip(request.generation.map(Generation));
    let feed = call.service.follow(&permit, have);
    Ok(answer::streamed(stream::unfold((feed, busy.clone()), next)))
}

async fn next((mut feed, busy): (Feed, Busy)) -> Option<(io::Result<Bytes>, (Feed, Busy))> {
    let lines = tokio::select! {
        lines = feed.next() => lines?,
        () = busy.ending() => return None,
    };
    Some((text_of(&lines), (feed, busy)))
}

fn text_of(lines: &[FeedLine]) -> io::Result<Bytes> {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(&go_json::encode(&line_of(line))?);
        text.push(b'\n');
    }
    Ok(text.into())
}

fn line_of(line: &FeedLine) -> Line {
    match line {
        FeedLine::Snapshot { store, policies } => {
            let mut shown: Vec<FeedPolicy> = policies.iter().map(|policy| FeedPolicy::from(&**policy)).collect();
            shown.sort_by(|a, b| a.name.cmp(&b.name));
            Line::Snapshot(Snapshot {
                store: store.to_string(),
                generation: policies.generation().0,
                policies: shown,
            })
        }
        FeedLine::Delta(delta) => Line::Delta(Delta {
            generation: delta.generation.0,
            put: delta.put.iter().map(|policy| FeedPolicy::from(&**policy)).collect(),
            removed: delta.removed.iter().map(ToString::to_string).collect(),
        }),
        FeedLine::Heartbeat(generation) => Line::Heartbeat(Heartbeat {
            generation: generation.0,
        }),
    }
}
