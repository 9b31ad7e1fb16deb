//! A workload that calls through Envoy: it holds an SVID and sends requests, byte for byte where that matters.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use spike_identity::{Bundles, Expect, Identity, Peer, PeerStream, SvidMaterial};
use spike_policy::{SpiffeId, TrustDomain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// A caller with an identity.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Identity,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body (chunks already joined).
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Caller {
    /// The workload that the agent's socket attests.
    ///
    /// # Errors
    /// When the agent gives it no identity.
    pub async fn attested(socket: &Path) -> Result<Self> {
        let endpoint = format!("unix://{}", socket.display());
        let identity = Identity::from_workload_api(Some(&endpoint), Some(PATIENCE)).await?;
        Ok(Self { identity })
    }

    /// The identity that lies in a directory as `svid.pem`, `key.pem` and `bundle.pem`, as it was when it was written:
    /// it is not renewed.
    ///
    /// # Errors
    /// When the files are missing or hold something else.
    pub fn from_files(directory: &Path) -> Result<Self> {
        let certificates = |file: &str| -> Result<Vec<Vec<u8>>> {
            let read = CertificateDer::pem_file_iter(directory.join(file))?;
            read.map(|certificate| Ok(certificate?.to_vec())).collect()
        };
        let key = PrivateKeyDer::from_pem_file(directory.join("key.pem"))?;
        let svid = SvidMaterial::new(certificates("svid.pem")?, key.secret_der())?;
        let domain: TrustDomain = svid.spiffe_id().trust_domain().parse()?;
        let mut bundles = Bundles::default();
        for authority in certificates("bundle.pem")? {
            bundles.add(&domain, &authority)?;
        }
        Ok(Self {
            identity: Identity::from_material(&svid, bundles),
        })
    }

    /// A caller whose identity a test made itself.
    pub fn with(identity: Identity) -> Self {
        Self { identity }
    }

    /// Who this is.
    pub fn id(&self) -> SpiffeId {
        self.identity.spiffe_id()
    }

    /// The identity, for the SDK.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A TLS connection to a proxy or server whose SVID must verify; any ID is taken.
    ///
    /// # Errors
    /// When the connection or the handshake fails.
    pub async fn connect(&self, to: SocketAddr, alpn: &[&[u8]]) -> Result<(PeerStream<TcpStream>, Peer)> {
        let tcp = TcpStream::connect(to).await?;
        Ok(self
            .identity
            .connector(Expect::Any)
            .with_alpn(alpn)
            .connect(tcp)
            .await?)
    }

    /// One HTTP/1.1 request without a body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn request(&self, to: SocketAddr, method: &str, target: &str) -> Result<Answer> {
        self.raw(
            to,
            format!("{method} {target} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n").as_bytes(),
        )
        .await
    }

    /// `GET target` over HTTP/1.1.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, to: SocketAddr, target: &str) -> Result<Answer> {
        self.request(to, "GET", target).await
    }

    /// Sends these bytes on a connection of their own and reads one HTTP/1.1 answer. The request should ask for the
    /// connection to be closed.
    ///
    /// # Errors
    /// When the handshake fails or what comes back is no answer.
    pub async fn raw(&self, to: SocketAddr, request: &[u8]) -> Result<Answer> {
        let (mut stream, _) = self.connect(to, &[b"http/1.1"]).await?;
        stream.write_all(request).await?;
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
            .await
            .context("no answer in time")?;
        // A peer that closes without a TLS farewell has still answered when the whole answer is there.
        if let (Err(error), true) = (read, bytes.is_empty()) {
            return Err(error).context("no answer");
        }
        parse(&bytes)
    }

    /// One HTTP/2 request without a body, on a connection of its own.
    ///
    /// # Errors
    /// When the handshake fails or the stream is reset.
    pub async fn h2(&self, to: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let (stream, _) = self.connect(to, &[b"h2"]).await?;
        let (client, connection) = h2::client::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("https://orders{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (response, _) = client.ready().await?.send_request(request.body(())?, true)?;
        let (head, mut body) = tokio::time::timeout(PATIENCE, response)
            .await
            .context("no answer in time")??
            .into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk: Bytes = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        connection.abort();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        Ok(Answer {
            status: head.status.as_u16(),
            headers,
            body: bytes,
        })
    }
}

/// Reads an HTTP/1.1 answer from its bytes.
///
/// # Errors
/// When the bytes are no answer.
pub fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("an answer's head")?;
    let (head, body) = bytes.split_at(end + 4);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("a status line")?
        .parse()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { join_chunks(body)? } else { body.to_vec() };
    Ok(Answer { status, headers, body })
}

fn join_chunks(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes
            .windows(2)
            .position(|window| window == b"\r\n")
            .context("a chunk's size")?;
        let (size, rest) = bytes.split_at(end);
        let size = usize::from_str_radix(std::str::from_utf8(size)?.trim(), 16)?;
        let rest = rest.get(2..).context("a chunk")?;
        if size == 0 {
            return Ok(body);
        }
        let Some((chunk, rest)) = rest.split_at_checked(size) else {
            bail!("a chunk of {size} bytes is cut off")
        };
        body.extend_from_slice(chunk);
        bytes = rest.get(2..).context("the end of a chunk")?;
    }
}
