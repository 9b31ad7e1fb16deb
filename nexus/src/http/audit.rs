//! The audit: one line for each call, and one more at the end of an answer that is sent piece by piece.
mod sending;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use spike_audit::{EventId, Journal, Line, Place};
use spike_policy::{Grounds, SpiffeId};
use spike_runtime::SharedClock;

use super::routes::Route;
use crate::service::Refused;

/// Bytes of a path, a name or a reason that a line repeats.
const MOST: usize = 2048;

/// Bytes of a method that a line repeats.
const METHOD: usize = 32;

/// Where a connection comes from; unknown when it was gone before anybody asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote(pub(super) Option<SocketAddr>);

/// What one call was about. Never a value of a secret.
pub(super) struct Record {
    clock: SharedClock,
    /// Where its line goes; taken when it is written.
    place: Option<Place>,
    id: EventId,
    peer: SpiffeId,
    remote: Remote,
    method: Method,
    path: Vec<u8>,
    secret: Option<Vec<u8>>,
    policy: Option<Vec<u8>>,
    grounds: Option<Grounds>,
    question: Option<Vec<u8>>,
    verdict: Option<&'static str>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Record {
    /// A new call.
    pub(super) fn new(clock: SharedClock, (peer, remote): (&SpiffeId, Remote), request: &Request<Incoming>) -> Self {
        Self {
            clock,
            place: None,
            id: EventId::draw(),
            peer: peer.clone(),
            remote,
            method: request.method().clone(),
            path: beginning(request.uri().path()),
            secret: None,
            policy: None,
            grounds: None,
            question: None,
            verdict: None,
        }
    }

    /// Makes sure that the call can be recorded before anything is done for it.
    pub(super) async fn admit(&mut self, journal: &Journal) -> Result<(), Refused> {
        if let Ok(place) = journal.place().await {
            self.place = Some(place);
            return Ok(());
        }
        // Should there be a place for the refusal by then, so much the better.
        self.place = Some(Place::without(journal));
        Err(Refused::NotReady("the audit log cannot be written"))
    }

    /// The request's id, which the client is told, too.
    pub(super) fn id(&self) -> EventId {
        self.id
    }

    /// It is about this secret.
    pub(super) fn secret(&mut self, path: &str) {
        self.secret = Some(beginning(path));
    }

    /// It is about these policies.
    pub(super) fn policies<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let mut text = String::new();
        for name in names {
            if text.len() > MOST {
                break;
            }
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(name);
        }
        self.policy = Some(beginning(&text));
    }

    /// It asks about an access: `read on a/b for spiffe://…`.
    pub(super) fn question(&mut self, question: &str) {
        self.question = Some(beginning(question));
    }

    /// What it was told about that access.
    pub(super) fn verdict(&mut self, reason: &'static str) {
        self.verdict = Some(reason);
    }

    /// It is allowed because of this.
    pub(super) fn grounds(&mut self, grounds: &Grounds) {
        self.grounds = Some(grounds.clone());
    }

    /// Writes the line.
    pub(super) fn write(mut self, route: Option<Route>, ended: &Ended<'_>) {
        let Some(place) = self.place.take() else { return };
        let mut line = self.line(route);
        line.number("status", u64::from(ended.status.as_u16()));
        line.word("outcome", ended.refused.map_or("ok", Refused::as_str));
        match ended.refused {
            None => {}
            Some(Refused::Denied(reason)) => line.word("reason", reason.as_str()),
            Some(other) => line.text("reason", other.to_string().as_bytes(), MOST),
        }
        line.number("micros", u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX));
        place.record(self.clock.now(), line);
    }

    /// Who asked for what, and why it may.
    fn line(&self, route: Option<Route>) -> Line {
        let mut line = Line::new("call");
        line.word("target", "audit");
        line.text("request_id", &self.id.hex(), MOST);
        line.text("peer", self.peer.as_str().as_bytes(), MOST);
        self.remote.tell(&mut line);
        line.word("action", route.map_or("none", Route::as_str));
        line.text("method", self.method.as_str().as_bytes(), METHOD);
        line.text("path", &self.path, MOST);
        for (name, text) in [
            ("secret", &self.secret),
            ("policy", &self.policy),
            ("question", &self.question),
        ] {
            if let Some(text) = text {
                line.text(name, text, MOST);
            }
        }
        if let Some(verdict) = self.verdict {
            line.word("verdict", verdict);
        }
        match &self.grounds {
            None => {}
            Some(Grounds::Policy(policy)) => {
                let name = format!("policy {}", policy.rule.name);
                line.text("grounds", name.as_bytes(), MOST);
                line.text("grounds_id", policy.id.to_string().as_bytes(), MOST);
            }
            Some(Grounds::Role(role)) => line.text("grounds", format!("role {}", role.as_str()).as_bytes(), MOST),
        }
        line
    }
}

impl Drop for Record {
    /// The client went away, or the connection was cut off at the drain's deadline, before there was an answer. Whatever
    /// the call had begun may have happened.
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let mut line = self.line(None);
            line.word("outcome", "cut_off");
            place.record(self.clock.now(), line);
        }
    }
}

impl Remote {
    pub(super) fn tell(self, line: &mut Line) {
        if let Some(address) = self.0 {
            line.text("remote", address.to_string().as_bytes(), MOST);
        }
    }
}

/// How a call ended.
pub(super) struct Ended<'a> {
    pub(super) status: StatusCode,
    pub(super) refused: Option<&'a Refused>,
    pub(super) took: Duration,
}

/// As much of a text as a line shows, and one byte more, so that the line can tell that it was cut.
fn beginning(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    bytes.get(..=MOST).unwrap_or(bytes).to_vec()
}
