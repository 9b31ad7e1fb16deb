//! All Keepers: asking them for their shards, and giving each its own.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::StatusCode;
use spike_identity::{Expect, HttpsConnector, Identity};
use spike_runtime::metrics::{Counter, Family, Labels, Registry};
use spike_runtime::names;
use spike_wire::go_json::{self, Shard};
use spike_wire::keeper::{CONTRIBUTE, ContributeRequest, SHARD, ShardRequest, ShardResponse};
use tokio::sync::{Mutex, MutexGuard};
use zeroize::Zeroizing;

use super::call::{self, KeeperError};
use super::peers::{KeeperUrl, Peers};
use super::settings::Settings;
use crate::vault::{NotAScalar, RootKey, Share, Sharing};

/// How much longer the rest may take when enough shares are there: they can tell which of them is wrong.
const GRACE: Duration = Duration::from_secs(1);

/// The Keepers of one Nexus. Cheap to clone.
#[derive(Clone)]
pub struct Keepers(Arc<Inner>);

struct Inner {
    peers: Peers,
    https: HttpsConnector,
    sharing: Sharing,
    timeout: Duration,
    calls: Family<Labels<2>, Counter>,
    /// Whose turn it is to send shards; and the key whose shards they are, once a change of it has begun.
    sending: Mutex<Option<Arc<RootKey>>>,
}

/// What one Keeper answered.
#[derive(Debug)]
pub struct Answer<T> {
    /// The number of its share.
    pub id: u16,
    /// Where it is.
    pub keeper: KeeperUrl,
    /// What it said.
    pub said: Result<T, KeeperError>,
}

/// Who has taken its shard, and who has not.
#[derive(Debug)]
pub struct Contributed {
    /// Every Keeper, in the order of their shares.
    pub answers: Vec<Answer<()>>,
}

/// The exclusive right to send shards: while it is held nobody else sends any, so that two keys never mix.
pub struct Turn<'a> {
    keepers: &'a Inner,
    changed: MutexGuard<'a, Option<Arc<RootKey>>>,
}

impl Keepers {
    /// The way to these Keepers, under our identity; calls are counted in `registry`.
    pub fn new(settings: &Settings, (identity, registry): (&Identity, &Registry), sharing: Sharing) -> Self {
        let tls = identity
            .connector(Expect::Keeper(settings.trust_roots.clone()))
            .with_alpn(&[b"http/1.1"])
            .with_timeout(settings.timeout);
        Self(Arc::new(Inner {
            peers: settings.peers.clone(),
            https: tls.https(),
            sharing,
            timeout: settings.timeout,
            calls: registry.counters(names::KEEPER_CALLS, "Calls of SPIKE Keepers"),
            sending: Mutex::default(),
        }))
    }

    /// How the root key is shared among them.
    pub fn sharing(&self) -> Sharing {
        self.0.sharing
    }

    /// Asks all of them for their shards at the same time. When enough are there, the rest have one more second.
    pub async fn collect(&self) -> Vec<Answer<Share>> {
        let inner = &*self.0;
        let mut waiting: FuturesUnordered<_> = inner
            .peers
            .numbered()
            .map(|(id, keeper)| async move { (id, inner.counted("ask", inner.ask(id, keeper)).await) })
            .collect();
        let mut said: Vec<(u16, Result<Share, KeeperError>)> = Vec::with_capacity(inner.peers.count());
        let enough = usize::from(inner.sharing.threshold());
        while said.iter().filter(|(_, share)| share.is_ok()).count() < enough {
            match waiting.next().await {
                Some(answer) => said.push(answer),
                None => break,
            }
        }
        let rest = async {
            while let Some(answer) = waiting.next().await {
                said.push(answer);
            }
        };
        drop(tokio::time::timeout(GRACE, rest).await);
        let answer = |(id, keeper): (u16, &KeeperUrl)| {
            let at = said.iter().position(|(from, _)| *from == id);
            let said = at.map(|at| said.swap_remove(at).1);
            Answer {
                id,
                keeper: keeper.clone(),
                said: said.unwrap_or(Err(KeeperError::Late(GRACE))),
            }
        };
        inner.peers.numbered().map(answer).collect()
    }

    /// Waits for the right to send shards.
    pub async fn turn(&self) -> Turn<'_> {
        Turn {
            keepers: &self.0,
            changed: self.0.sending.lock().await,
        }
    }

    /// Gives each Keeper its shard of this key, and from now on no shard of another one.
    ///
    /// # Errors
    /// When the key has no shares. Then nothing was sent.
    pub async fn contribute(&self, root: &Arc<RootKey>) -> Result<Contributed, NotAScalar> {
        let shares = root.split(self.0.sharing)?;
        let mut turn = self.turn().await;
        *turn.changed = Some(Arc::clone(root));
        Ok(turn.send(&shares).await)
    }

    /// Whether a key was given to [`Keepers::contribute`] in this process: then they may hold shards of it.
    pub(super) async fn has_sent_another_key(&self) -> bool {
        self.0.sending.lock().await.is_some()
    }
}

impl Turn<'_> {
    /// The shares to send: those of the key that [`Keepers::contribute`] was given last; before that, `own`.
    ///
    /// # Errors
    /// Those of `own`; and when the key has no shares.
    pub fn shares<E: From<NotAScalar>>(&self, own: impl FnOnce() -> Result<Vec<Share>, E>) -> Result<Vec<Share>, E> {
        match &*self.changed {
            Some(root) => Ok(root.split(self.keepers.sharing)?),
            None => own(),
        }
    }

    /// Gives each Keeper its shard: all at the same time.
    pub async fn send(&self, shares: &[Share]) -> Contributed {
        let inner = self.keepers;
        let send = |(id, keeper): (u16, &KeeperUrl)| {
            let (keeper, share) = (keeper.clone(), shares.iter().find(|share| share.id == id));
            async move {
                let said = match share {
                    Some(share) => inner.counted("give", inner.give(share, &keeper)).await,
                    None => Err(KeeperError::NoShare),
                };
                Answer { id, keeper, said }
            }
        };
        Contributed {
            answers: futures::future::join_all(inner.peers.numbered().map(send)).await,
        }
    }
}

impl Contributed {
    /// Whether every Keeper has its shard.
    pub fn is_complete(&self) -> bool {
        self.answers.iter().all(|answer| answer.said.is_ok())
    }
}

impl Inner {
    /// A call in its time, and counted.
    async fn counted<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, KeeperError>>,
    ) -> Result<T, KeeperError> {
        let said = tokio::time::timeout(self.timeout, call)
            .await
            .unwrap_or(Err(KeeperError::Late(self.timeout)));
        let outcome = said.as_ref().err().map_or("ok", KeeperError::label);
        self.calls.get_or_create(&[("call", name), ("outcome", outcome)]).inc();
        said
    }

    async fn ask(&self, id: u16, keeper: &KeeperUrl) -> Result<Share, KeeperError> {
        let body = call::encode(&ShardRequest {})?;
        let (status, body) = call::post(self.https.clone(), keeper, SHARD, body).await?;
        match status {
            StatusCode::OK => {}
            // Official Keepers say the former, their documentation the latter.
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => return Err(KeeperError::Empty),
            other => return Err(KeeperError::Status(other.as_u16())),
        }
        let answer: ShardResponse = go_json::decode(&body)?;
        let held = answer.shard.ok_or(KeeperError::Empty)?;
        if held.as_bytes().iter().all(|byte| *byte == 0) {
            return Err(KeeperError::Empty);
        }
        let share = Share {
            id,
            value: Zeroizing::new(*held.as_bytes()),
        };
        // Alone it gives some key, unless it can be no share at all.
        match RootKey::combine(std::slice::from_ref(&share)) {
            Ok(_) => Ok(share),
            Err(_) => Err(KeeperError::NoShare),
        }
    }

    async fn give(&self, share: &Share, keeper: &KeeperUrl) -> Result<(), KeeperError> {
        let body = call::encode(&ContributeRequest {
            shard: Some(Shard::new(*share.value)),
        })?;
        match call::post(self.https.clone(), keeper, CONTRIBUTE, body).await? {
            (StatusCode::OK, _) => Ok(()),
            (other, _) => Err(KeeperError::Status(other.as_u16())),
        }
    }
}

impl std::fmt::Debug for Keepers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keepers")
            .field("peers", &self.0.peers)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}
