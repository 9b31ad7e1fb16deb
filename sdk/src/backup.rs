//! A backup as a stream of bytes, looked at on its way.
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use spike_wire::backup::{Header, InvalidArchive, Part, Reader};

use crate::Error;

/// The archive of a backup while it comes in. From [`Operator::backup`](crate::Operator::backup).
///
/// Its structure is checked on the way, so that one that was cut off is an error and not a short file. Whether it is
/// what Nexus wrote, bit for bit, only somebody with the root key can tell.
pub struct Backup {
    body: Incoming,
    silence: Duration,
    reader: Reader,
    header: Option<Header>,
    rows: u64,
    bytes: u64,
}

impl Backup {
    pub(crate) fn new(body: Incoming, silence: Duration) -> Self {
        Self {
            body,
            silence,
            reader: Reader::default(),
            header: None,
            rows: 0,
            bytes: 0,
        }
    }

    /// The next bytes; `None` when the archive is whole. Write them as they come.
    ///
    /// # Errors
    /// [`Error::Timeout`] after too long a silence, [`Error::Unavailable`] when the connection broke,
    /// [`Error::Unreadable`] when it is no whole archive. Throw away what was written by then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(self.silence, self.body.frame())
                .await
                .map_err(|_| Error::Timeout)?;
            let Some(frame) = frame else {
                return self.reader.finish().map(|()| None).map_err(unreadable);
            };
            let frame = frame.map_err(|_| Error::Unavailable {
                reason: "the connection ended in the middle of the backup".to_owned(),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            self.look_at(&data).map_err(unreadable)?;
            return Ok(Some(data));
        }
    }

    /// What the archive says about itself, once its first bytes are there.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// How many rows came so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes came so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn look_at(&mut self, data: &[u8]) -> Result<(), InvalidArchive> {
        self.bytes = self.bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.reader.push(data);
        while let Some(part) = self.reader.next()? {
            match part {
                Part::Header(header) => self.header = Some(header),
                Part::Row { .. } => self.rows += 1,
                Part::Table(_) | Part::End { .. } => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("rows", &self.rows)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

fn unreadable(why: InvalidArchive) -> Error {
    Error::Unreadable {
        reason: format!("the backup is not whole: {why}"),
    }
}
