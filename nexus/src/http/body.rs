//! Reading a request's body: bounded in size and time.
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use spike_wire::go_json::{self, FromGo};
use zeroize::Zeroizing;

use super::Limits;
use crate::service::Refused;

/// Bytes of a refused body that are read and thrown away, at most.
const MOST_PASSED: usize = 64 << 20;

/// A body, read or not; wiped when dropped, because it may hold secrets.
pub(super) struct Received(Result<Zeroizing<Vec<u8>>, Refused>);

impl Received {
    /// Nothing was sent, or nothing is wanted.
    pub(super) fn nothing() -> Self {
        Self(Ok(Zeroizing::default()))
    }

    /// Reads a body.
    pub(super) async fn read(mut body: Incoming, limits: &Limits) -> Self {
        let most = limits.body_bytes;
        let read = async {
            let read = collect(&mut body, most).await;
            if read.is_err() {
                pass(&mut body).await;
            }
            read
        };
        let late = |_| {
            Err(Refused::Unreadable(format!(
                "the body took longer than {:?}",
                limits.body
            )))
        };
        Self(tokio::time::timeout(limits.body, read).await.unwrap_or_else(late))
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> Result<&[u8], Refused> {
        self.0.as_ref().map(|bytes| bytes.as_slice()).map_err(Clone::clone)
    }

    /// What the body says.
    pub(super) fn decode<T: FromGo + Default>(&self) -> Result<T, Refused> {
        let bytes = self.0.as_ref().map_err(Clone::clone)?;
        go_json::decode(bytes).map_err(|error| Refused::Unreadable(error.to_string()))
    }
}

async fn collect(body: &mut Incoming, most: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let too_large = || Refused::Unreadable(format!("the body is larger than {most} bytes"));
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced));
    while let Some(data) = next(body).await? {
        if bytes.len().saturating_add(data.len()) > most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Lets the rest of a refused body pass: a client that is still sending when the connection closes would see a reset
/// instead of the answer.
async fn pass(body: &mut Incoming) {
    let mut passed = 0_usize;
    while let Ok(Some(data)) = next(body).await {
        passed = passed.saturating_add(data.len());
        if passed > MOST_PASSED {
            return;
        }
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refused> {
    loop {
        let Some(frame) = body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|_| Refused::Unreadable("the body broke off".to_owned()))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}
