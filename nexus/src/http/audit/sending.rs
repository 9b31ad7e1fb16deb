//! An answer that is sent piece by piece: its line at its end, however it ends.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use spike_audit::{EventId, Journal, Line, Outcome};
use spike_policy::SpiffeId;
use spike_runtime::SharedClock;

use super::{MOST, Record, Remote};
use crate::http::answer::Body;
use crate::http::routes::Route;

impl Record {
    /// This answer, which is sent piece by piece after the call's line was written, and leaves a line at its end.
    pub(in crate::http) fn streamed(&self, route: Route, body: Body) -> Body {
        let Some(place) = &self.place else { return body };
        Sending {
            body,
            record: Some(Stream {
                journal: place.journal().clone(),
                id: self.id,
                peer: self.peer.clone(),
                remote: self.remote,
                route,
            }),
            clock: SharedClock::clone(&self.clock),
            began: self.clock.monotonic(),
            bytes: 0,
            lines: 0,
        }
        .boxed_unsync()
    }
}

/// An answer that is being sent.
struct Sending {
    body: Body,
    /// Taken when its line is written.
    record: Option<Stream>,
    clock: SharedClock,
    began: Instant,
    bytes: u64,
    lines: u64,
}

/// Whose answer it is.
struct Stream {
    journal: Journal,
    id: EventId,
    peer: SpiffeId,
    remote: Remote,
    route: Route,
}

impl Stream {
    /// A feed has; an archive has not.
    fn has_lines(&self) -> bool {
        self.route == Route::WatchPolicies
    }
}

impl Sending {
    fn count(&mut self, piece: &Bytes) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(count(piece.len()));
        if self.record.as_ref().is_some_and(Stream::has_lines) {
            let lines = piece.split(|byte| *byte == b'\n').skip(1).count();
            self.lines = self.lines.saturating_add(count(lines));
        }
    }

    /// Writes the line, once.
    fn end(&mut self, outcome: Outcome<'_>) {
        let Some(stream) = self.record.take() else { return };
        let mut line = Line::new("call.end");
        line.word("target", "audit");
        line.text("request_id", &stream.id.hex(), MOST);
        line.text("peer", stream.peer.as_str().as_bytes(), MOST);
        stream.remote.tell(&mut line);
        line.word("action", stream.route.as_str());
        line.number("bytes", self.bytes);
        if stream.has_lines() {
            line.number("lines", self.lines);
        }
        line.outcome(outcome);
        let took = self.clock.monotonic().saturating_duration_since(self.began);
        line.number("micros", u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        // When it is lost it is counted.
        drop(stream.journal.record(self.clock.now(), line));
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(piece) = frame.data_ref() {
                    self.count(piece);
                }
            }
            Poll::Ready(Some(Err(error))) => self.end(Outcome::CutOff(&error.to_string())),
            Poll::Ready(None) => self.end(Outcome::Ok),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sending {
    /// The client has left, or the connection was ended before its answer.
    fn drop(&mut self) {
        self.end(Outcome::CutOff("the connection ended before the answer"));
    }
}
