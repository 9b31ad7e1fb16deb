//! What rooms say about an event.
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json;

/// How something ended that a line tells about, and why if it did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was done.
    Ok,
    /// It was not allowed to happen; nothing was changed.
    Refused(&'a str),
    /// It could not be done.
    Failed(&'a str),
    /// It was begun and did not come to its end.
    CutOff(&'a str),
}

/// Bytes of a subject and of a reason that a line shows.
const MOST: usize = 2048;

/// The members of a line behind its `time`. Chain, number and hash are added by the writer.
///
/// Whatever is put in stays on its line and inside its own member: texts are escaped and cut.
#[derive(Clone, Debug)]
pub struct Line(Vec<u8>);

impl Line {
    /// A line about such an event.
    pub fn new(event: &'static str) -> Self {
        let mut line = Self(Vec::with_capacity(512));
        line.word("event", event);
        line
    }

    /// A member whose value is one of our own words.
    pub fn word(&mut self, name: &'static str, value: &'static str) {
        self.key(name);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    /// A member with somebody else's text, of which at most `cap` bytes are shown.
    pub fn text(&mut self, name: &'static str, value: &[u8], cap: usize) {
        self.key(name);
        json::string(&mut self.0, value, cap);
    }

    /// A member with a number.
    pub fn number(&mut self, name: &'static str, value: u64) {
        self.key(name);
        json::number(&mut self.0, value);
    }

    /// What it is about.
    pub fn subject(&mut self, subject: &str) {
        self.text("subject", subject.as_bytes(), MOST);
    }

    /// How it ended.
    pub fn outcome(&mut self, outcome: Outcome<'_>) {
        let (word, reason) = match outcome {
            Outcome::Ok => ("ok", None),
            Outcome::Refused(reason) => ("refused", Some(reason)),
            Outcome::Failed(reason) => ("failed", Some(reason)),
            Outcome::CutOff(reason) => ("cut_off", Some(reason)),
        };
        self.word("outcome", word);
        if let Some(reason) = reason {
            self.text("reason", reason.as_bytes(), MOST);
        }
    }

    fn key(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Opens the object with the time.
pub(crate) fn stamp(out: &mut Vec<u8>, at: SystemTime) {
    out.extend_from_slice(b"{\"time\":\"");
    if OffsetDateTime::from(at).format_into(out, &Rfc3339).is_err() {
        out.extend_from_slice(b"-");
    }
    out.push(b'"');
}
