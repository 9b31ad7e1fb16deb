//! The application behind Envoy: it answers everything with 200 and keeps each request line as the bytes it got.
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\n";
const BODY: &[u8] = b"upstream\n";

/// A running upstream.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Ok(Self { address, heads, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Request heads (request line and header lines) in the order of arrival, as bytes.
    pub fn heads(&self) -> Vec<Vec<u8>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request targets (`/path?query`) in the order of arrival, as bytes.
    pub fn targets(&self) -> Vec<Vec<u8>> {
        self.heads()
            .iter()
            .filter_map(|head| head.split(|byte| *byte == b' ').nth(1).map(<[u8]>::to_vec))
            .collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection; requests with a `content-length` body have it read and dropped.
async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = find(&bytes, b"\r\n\r\n") else {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(read) if read > 0 => bytes.extend(chunk.iter().take(read)),
                _ => return,
            }
            continue;
        };
        let head: Vec<u8> = bytes.drain(..end + 4).collect();
        let mut body = content_length(&head).saturating_sub(bytes.len());
        bytes.drain(..content_length(&head).min(bytes.len()));
        while body > 0 {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(read) if read > 0 => body = body.saturating_sub(read),
                _ => return,
            }
        }
        let body_follows = !head.starts_with(b"HEAD ");
        heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let answer = if body_follows {
            [ANSWER, BODY].concat()
        } else {
            ANSWER.to_vec()
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn content_length(head: &[u8]) -> usize {
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
