//! Requests with bodies, byte for byte.
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use spike_integration::client::parse;
use spike_integration::{Answer, Caller};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// A request without its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'static str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'static str, String)],
}

impl Head<'_> {
    /// The HTTP/1.1 request, on a connection of its own.
    pub(crate) fn with_body(&self, body: &[u8]) -> Vec<u8> {
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, self.target),
            "host: localhost".to_owned(),
            "connection: close".to_owned(),
        ];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("content-length: {}\r\n\r\n", body.len()));
        let head = lines.join("\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// Sends these bytes and reads one answer to the end of the connection.
pub(crate) async fn http1(caller: &Caller, to: SocketAddr, request: &[u8]) -> Result<Answer> {
    let (mut stream, _) = caller.connect(to, &[b"http/1.1"]).await?;
    // A server may answer before it has read everything, and close.
    drop(stream.write_all(request).await);
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .context("no answer in time")?;
    if let (Err(error), true) = (read, bytes.is_empty()) {
        return Err(error).context("no answer");
    }
    // An answer before the answer counts as a header of it.
    let rest = bytes.strip_prefix(CONTINUE.as_bytes());
    let mut answer = parse(rest.unwrap_or(&bytes))?;
    if rest.is_some() {
        answer.headers.push(("interim".to_owned(), "100".to_owned()));
    }
    Ok(answer)
}

/// One HTTP/2 request, on a connection of its own.
pub(crate) async fn http2(caller: &Caller, to: SocketAddr, head: &Head<'_>, body: &[u8]) -> Result<Answer> {
    let (stream, _) = caller.connect(to, &[b"h2"]).await?;
    let (client, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(head.method)
        .uri(format!("https://localhost{}", head.target));
    for (name, value) in head.headers {
        request = request.header(*name, value);
    }
    let (response, mut sending) = client.ready().await?.send_request(request.body(())?, false)?;
    // A server may answer without having read the body, and end the stream.
    drop(sending.send_data(Bytes::copy_from_slice(body), true));
    let (head, mut body) = tokio::time::timeout(PATIENCE, response)
        .await
        .context("no answer in time")??
        .into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    connection.abort();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    Ok(Answer {
        status: head.status.as_u16(),
        headers,
        body: bytes,
    })
}
