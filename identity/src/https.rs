//! Verified connections for HTTP clients.
//!
//! **Owns** [`HttpsConnector`], which opens TCP and TLS for an `https` address.
//! **Refuses** plain `http`: there is no way to ask for less than mutual TLS.
//! **Invariant**: a pooled connection dies with the server identity it was opened for, so a request never goes to
//! somebody who was that server once.

use crate::connect::{ClientTls, ConnectError};
use crate::peer::{Lapse, Peer};
use crate::stream::PeerStream;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;

const HTTPS_PORT: u16 = 443;

/// Opens verified connections; every response carries the server's [`Peer`] in its extensions.
#[derive(Clone, Debug)]
pub struct HttpsConnector {
    tls: ClientTls,
}

/// A connection to a server that proved an expected identity.
pub struct HttpsStream {
    io: TokioIo<PeerStream<TcpStream>>,
    peer: Peer,
    lapse: LapseFuture,
}

type LapseFuture = Pin<Box<dyn Future<Output = Lapse> + Send>>;

impl HttpsConnector {
    pub(crate) fn new(tls: ClientTls) -> Self {
        Self { tls }
    }

    async fn open(tls: ClientTls, uri: Uri) -> Result<HttpsStream, ConnectError> {
        let host = uri
            .host()
            .filter(|_| uri.scheme_str() == Some("https"))
            .ok_or_else(|| ConnectError::Address(uri.to_string()))?
            .trim_matches(['[', ']']); // A literal IPv6 address stands in brackets, which are not part of it.
        let port = uri.port_u16().unwrap_or(HTTPS_PORT);
        let limit = tls.timeout();
        let opened = tokio::time::timeout(limit, Self::dial(&tls, host, port));
        let (stream, peer) = opened.await.map_err(|_| ConnectError::Timeout(limit))??;
        Ok(HttpsStream {
            io: TokioIo::new(stream),
            lapse: lapse_of(&peer),
            peer,
        })
    }

    async fn dial(tls: &ClientTls, host: &str, port: u16) -> Result<(PeerStream<TcpStream>, Peer), ConnectError> {
        let unreachable = |error| ConnectError::Unreachable {
            address: format!("{host}:{port}"),
            error,
        };
        let tcp = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        tls.connect_to(host, tcp).await
    }
}

impl tower_service::Service<Uri> for HttpsConnector {
    type Response = HttpsStream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpsStream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(Self::open(self.tls.clone(), uri))
    }
}

impl HttpsStream {
    /// The server at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Wakes the connection, even an idle one in a pool, when the server's identity has lapsed.
    fn poll_current(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.lapse.as_mut().poll(cx) {
            Poll::Ready(lapse) => {
                // The future is done; asked again it would panic.
                self.lapse = lapse_of(&self.peer);
                Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    format!("server identity lapsed: {lapse}"),
                ))
            }
            Poll::Pending => Ok(()),
        }
    }
}

impl Connection for HttpsStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.peer.clone());
        if self.io.inner().alpn() == Some(b"h2") {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Read for HttpsStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.poll_current(cx)?;
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for HttpsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_current(cx)?;
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn lapse_of(peer: &Peer) -> LapseFuture {
    let peer = peer.clone();
    Box::pin(async move { peer.lapsed().await })
}

impl fmt::Debug for HttpsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsStream")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
