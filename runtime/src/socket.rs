//! Listening sockets.
//!
//! **Owns** binding TCP addresses and Unix sockets, the mode of socket files, and their removal. **Refuses** to take a
//! socket file away from a process that still listens, and to delete anything that is not a socket. **Invariant**: a
//! socket file lives as long as its [`SocketFile`].

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::config::Endpoint;

/// The mode of a socket file that a group may share with its peers.
pub const GROUP_MODE: u32 = 0o660;

/// Why an endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address or path could not be bound.
    #[error("cannot listen on `{endpoint}`")]
    Bind {
        /// The endpoint.
        endpoint: Endpoint,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A process is listening there.
    #[error("another process is listening on `{0}`")]
    InUse(Endpoint),
    /// The path holds something that is not a socket.
    #[error("`{}` exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
}

/// A socket file that is removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own socket there.
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket file");
        }
    }
}

/// Binds a TCP address, ready for tokio. Where a host has no IPv6, `[::]` means `0.0.0.0`.
///
/// # Errors
/// [`BindError`]
pub fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    let any_v6 = address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
    let bound = TcpListener::bind(address).or_else(|error| {
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
        // EADDRINUSE is final: on a dual-stack host 0.0.0.0 is part of `[::]`.
        if any_v6 && error.kind() != io::ErrorKind::AddrInUse {
            TcpListener::bind(v4)
        } else {
            Err(error)
        }
    });
    let endpoint = Endpoint::Tcp(address);
    match bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(BindError::InUse(endpoint)),
        Err(source) => Err(BindError::Bind { endpoint, source }),
    }
}

/// Binds a Unix socket, ready for tokio, with a mode such as [`GROUP_MODE`]. The socket of a dead process is replaced.
///
/// # Errors
/// [`BindError`]
pub fn bind_unix(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), BindError> {
    let endpoint = || Endpoint::Unix(path.to_owned());
    let failed = |source| BindError::Bind {
        endpoint: endpoint(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(BindError::InUse(endpoint())),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    let file = fs::symlink_metadata(path).map_err(failed)?;
    Ok((
        listener,
        SocketFile {
            path: path.to_owned(),
            identity: identity(&file),
        },
    ))
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// A bound endpoint of either kind, not yet tied to a runtime.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener, SocketFile),
}

impl Bound {
    /// Binds an endpoint; `mode` is for socket files.
    ///
    /// # Errors
    /// [`BindError`]
    pub fn bind(endpoint: &Endpoint, mode: u32) -> Result<Self, BindError> {
        match endpoint {
            Endpoint::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Endpoint::Unix(path) => bind_unix(path, mode).map(|(listener, file)| Self::Unix(listener, file)),
        }
    }

    /// Where it really listens: the port is never 0.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Endpoint::Tcp),
            Self::Unix(_, file) => Ok(Endpoint::Unix(file.path().to_owned())),
        }
    }

    /// Ties it to the runtime that this is called in.
    ///
    /// # Errors
    /// When the runtime refuses it.
    pub fn listen(self) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Listener::Tcp),
            Self::Unix(listener, file) => {
                tokio::net::UnixListener::from_std(listener).map(|listener| Listener::Unix(listener, file))
            }
        }
    }
}

/// A listener of either kind.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(tokio::net::TcpListener),
    /// A Unix socket.
    Unix(tokio::net::UnixListener, SocketFile),
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// As `accept(2)`; many are about one connection only, or pass (file descriptors used up).
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

/// A connection of either kind.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(tokio::net::TcpStream),
    /// A Unix socket.
    Unix(tokio::net::UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
