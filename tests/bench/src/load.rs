//! The load: questions over HTTP/2 on a Unix socket, closed loop, every verdict checked.
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::Request;
use prost::Message;
use tokio::net::UnixStream;

use crate::workload::Question;

/// How hard to push.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Connections, as Envoy has one for each worker.
    pub connections: usize,
    /// Requests in flight on each of them.
    pub in_flight: usize,
    /// How long.
    pub length: Duration,
    /// Whether verdicts are compared (the always-allow server has only one).
    pub verify: bool,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Answers.
    pub answers: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Latency of each answer in microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Outcome {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which a share of the answers came, in microseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a few million samples"
    )]
    pub fn latency(&self, share: f64) -> u32 {
        let at = (self.latencies.len().saturating_sub(1) as f64 * share) as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Only what the verdict needs; the rest of the answer is skipped.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
}

#[derive(Clone, PartialEq, Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// Pushes questions at the server behind `socket` and checks every answer.
///
/// # Errors
/// When the server fails, or one verdict is wrong.
pub async fn push(socket: &Path, questions: &Arc<Vec<Question>>, shape: Shape) -> Result<Outcome> {
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let deadline = started + shape.length;
    let mut tasks = Vec::new();
    for _ in 0..shape.connections {
        let stream = UnixStream::connect(socket).await.context("the server's socket")?;
        let (client, connection) = h2::client::Builder::new()
            .initial_connection_window_size(1 << 24)
            .handshake::<_, Bytes>(stream)
            .await?;
        tokio::spawn(connection);
        for _ in 0..shape.in_flight {
            let work = Work {
                next: Arc::clone(&next),
                questions: Arc::clone(questions),
                verify: shape.verify,
                deadline,
            };
            tasks.push(tokio::spawn(ask(client.clone(), work)));
        }
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    latencies.sort_unstable();
    Ok(Outcome {
        answers: latencies.len() as u64,
        elapsed: started.elapsed(),
        latencies,
    })
}

/// Asks each of these questions once and checks every answer.
///
/// # Errors
/// When the server fails, or one verdict is wrong.
pub async fn sweep<Q>(socket: &Path, questions: Range<u64>, question: Q) -> Result<()>
where
    Q: Fn(u64) -> Question + Copy + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(questions.start));
    let stream = UnixStream::connect(socket).await.context("the server's socket")?;
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let mut tasks = Vec::new();
    for _ in 0..SWEEPERS {
        let (next, mut client, end) = (Arc::clone(&next), client.clone(), questions.end);
        tasks.push(tokio::spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= end {
                    return Ok::<_, anyhow::Error>(());
                }
                client = client.ready().await?;
                let question = question(at);
                let code = one(&mut client, &question).await?;
                ensure!(
                    (code == 0) == question.allowed,
                    "question {at}: wrong verdict, code {code}"
                );
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Requests of a sweep in flight.
const SWEEPERS: usize = 64;

struct Work {
    next: Arc<AtomicU64>,
    questions: Arc<Vec<Question>>,
    verify: bool,
    deadline: Instant,
}

async fn ask(client: SendRequest<Bytes>, work: Work) -> Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let count = work.questions.len() as u64;
    let mut client = client.ready().await?;
    loop {
        let started = Instant::now();
        if started > work.deadline {
            return Ok(latencies);
        }
        let at = usize::try_from(work.next.fetch_add(1, Ordering::Relaxed) % count)?;
        let question = work.questions.get(at).context("a question")?;
        let code = one(&mut client, question).await?;
        ensure!(
            !work.verify || (code == 0) == question.allowed,
            "question {at}: wrong verdict, code {code}"
        );
        latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        client = client.ready().await?;
    }
}

async fn one(client: &mut SendRequest<Bytes>, question: &Question) -> Result<i32> {
    let request = Request::post("http://ext-authz/envoy.service.auth.v3.Authorization/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (response, mut send) = client.send_request(request, false)?;
    send.send_data(question.frame.clone(), true)?;
    let mut body = response.await?.into_body();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    body.trailers().await?;
    verdict(&bytes)
}

/// The status code of a length-prefixed answer: 0 allows.
///
/// # Errors
/// When it is no answer.
pub fn verdict(frame: &[u8]) -> Result<i32> {
    let message = frame.get(5..).context("an answer with a message")?;
    let status = Answer::decode(message)?.status;
    Ok(status.context("an answer with a status")?.code)
}
