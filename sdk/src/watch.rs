//! The policy feed as a stream.
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use spike_wire::feed::Line;

use crate::Error;
use crate::transport::{WipedBuffer, unreadable};

/// The longest line: a snapshot of some hundred thousand policies.
const MAX_LINE_BYTES: usize = 512 << 20;

/// A policy feed: snapshots, deltas and heartbeats, in order.
///
/// Ends (`None`) when Nexus ends it, as it does when it stops, when the right to follow is gone, or when the SVID
/// expires; then ask again. After an error it is over, too. A feed that says nothing for the response header timeout
/// (10 s) ends in [`Error::Timeout`]; how long old policies may be used is for the caller to decide.
pub struct Watch {
    lines: Pin<Box<dyn Stream<Item = Result<Line, Error>> + Send>>,
}

impl Watch {
    pub(crate) fn new(body: Incoming, silence: Duration) -> Self {
        let reader = Reader {
            body,
            silence,
            pending: WipedBuffer::default(),
            searched: 0,
        };
        let lines = futures::stream::unfold(Some(reader), |state| async move {
            let mut reader = state?;
            match reader.next().await {
                Ok(Some(line)) => Some((Ok(line), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Self { lines: Box::pin(lines) }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Timeout`] after too long a silence, [`Error::Unavailable`] when the connection broke,
    /// [`Error::Unreadable`] when a line makes no sense.
    pub async fn next(&mut self) -> Option<Result<Line, Error>> {
        std::future::poll_fn(|cx| self.lines.as_mut().poll_next(cx)).await
    }
}

impl Stream for Watch {
    type Item = Result<Line, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lines.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

struct Reader {
    body: Incoming,
    silence: Duration,
    pending: WipedBuffer,
    /// How many bytes of `pending` are known to hold no line end.
    searched: usize,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            if let Some(line) = self.taken_line()? {
                return Ok(Some(line));
            }
            let frame = tokio::time::timeout(self.silence, self.body.frame())
                .await
                .map_err(|_| Error::Timeout)?;
            let Some(frame) = frame else { return self.ended() };
            let frame = frame.map_err(|_| Error::Unavailable {
                reason: "the connection of the policy feed broke".to_owned(),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if self.pending.len().saturating_add(data.len()) > MAX_LINE_BYTES {
                return Err(Error::Unreadable {
                    reason: format!("a feed line is larger than {MAX_LINE_BYTES} bytes"),
                });
            }
            self.pending.extend(&data);
        }
    }

    /// The first whole line of what was read; blank ones are skipped.
    fn taken_line(&mut self) -> Result<Option<Line>, Error> {
        loop {
            let unsearched = self.pending.as_slice().get(self.searched..).unwrap_or_default();
            let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.pending.len();
                return Ok(None);
            };
            let end = self.searched + end;
            self.searched = 0;
            let text = self.pending.as_slice().get(..end).unwrap_or_default();
            let blank = text.iter().all(u8::is_ascii_whitespace);
            let line = if blank {
                Ok(None)
            } else {
                serde_json::from_slice(text).map(Some)
            };
            self.pending.discard_front(end + 1);
            if let Some(line) = line.map_err(|e| unreadable(&e))? {
                return Ok(Some(line));
            }
        }
    }

    fn ended(&self) -> Result<Option<Line>, Error> {
        if self.pending.as_slice().iter().all(u8::is_ascii_whitespace) {
            Ok(None)
        } else {
            Err(Error::Unavailable {
                reason: "the policy feed ended inside a line".to_owned(),
            })
        }
    }
}
