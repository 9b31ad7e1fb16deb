//! The keys over HTTP, for who looks after them (extensions): how they are, a new data key, a new root key.
use spike_wire::go_json::Shard;
use spike_wire::operator::{
    ConfirmRequest, ConfirmResponse, RekeyRequest, RekeyResponse, RotateRequest, RotateResponse, StatusRequest,
    StatusResponse,
};
use spike_wire::secrets::VersionKey;

use super::call::Call;
use crate::service::{Guard, KeysNow, Refused, Rekeyed};
use crate::store::Health;

pub(super) async fn status(call: &mut Call<'_>) -> Result<StatusResponse, Refused> {
    let StatusRequest {} = call.decode()?;
    let permit = call.role_permit(Guard::key_status)?;
    Ok(describe(&call.service.keys_now(&permit).await))
}

pub(super) async fn rotate(call: &mut Call<'_>) -> Result<RotateResponse, Refused> {
    let RotateRequest {} = call.decode()?;
    let permit = call.role_permit(Guard::rotate_key)?;
    let term = call.service.rotate_key(&permit).await?;
    Ok(RotateResponse {
        term,
        ..RotateResponse::default()
    })
}

pub(super) async fn rekey(call: &mut Call<'_>) -> Result<RekeyResponse, Refused> {
    let RekeyRequest {} = call.decode()?;
    let keeping = call.service.keeping();
    let permit = call.role_permit(|guard, who| guard.begin_rekey(who, keeping))?;
    let mut response = phase("pending");
    match call.service.rekey(&permit).await? {
        Rekeyed::Done => response = phase("done"),
        Rekeyed::Shares(shares) => {
            let numbered =
                |share: crate::vault::Share| (VersionKey::from(i64::from(share.id)), Shard::new(*share.value));
            response.shards = Some(shares.into_iter().map(numbered).collect());
        }
        Rekeyed::Key(key) => response.key = Some(Shard::new(*key)),
    }
    Ok(response)
}

pub(super) async fn confirm(call: &mut Call<'_>) -> Result<ConfirmResponse, Refused> {
    let request: ConfirmRequest = call.decode()?;
    let permit = call.role_permit(Guard::confirm_rekey)?;
    let shard = request.shard.as_ref().map(Shard::as_bytes);
    let confirmed = call.service.confirm_rekey(&permit, (request.id, shard)).await?;
    Ok(ConfirmResponse {
        collected: confirmed.collected.into(),
        remaining: confirmed.remaining.into(),
        confirmed: confirmed.remaining == 0,
        ..ConfirmResponse::default()
    })
}

pub(super) async fn cancel(call: &mut Call<'_>) -> Result<RekeyResponse, Refused> {
    let RekeyRequest {} = call.decode()?;
    let permit = call.role_permit(Guard::cancel_rekey)?;
    call.service.cancel_rekey(&permit).await?;
    Ok(phase("canceled"))
}

fn phase(word: &str) -> RekeyResponse {
    RekeyResponse {
        phase: word.to_owned(),
        ..RekeyResponse::default()
    }
}

fn describe(keys: &KeysNow) -> StatusResponse {
    let sealed = keys.health == Health::Sealed;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    StatusResponse {
        store: if sealed { String::new() } else { keys.store.to_string() },
        state: state(keys.health).to_owned(),
        key_source: keys.keeping.as_str().to_owned(),
        shares: keys.sharing.shares(),
        threshold: keys.sharing.threshold(),
        collected: u16::try_from(keys.collected).unwrap_or(u16::MAX),
        rekey: keys.rekey.as_str().to_owned(),
        term: if sealed { 0 } else { keys.stats.term },
        seals: if sealed { 0 } else { keys.stats.seals },
        old_terms: count(keys.stats.old_terms),
        re_encryption: keys.stats.re_encryption.stage.as_str().to_owned(),
        waiting: keys.stats.re_encryption.waiting,
        generation: keys.generation,
        err: None,
    }
}

fn state(health: Health) -> &'static str {
    match health {
        Health::Sealed => "sealed",
        Health::Ready => "ready",
        Health::Recovering => "recovering",
        Health::Failed => "failed",
        Health::Closed => "closed",
    }
}
