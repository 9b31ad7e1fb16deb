//! The root key over HTTP: SPIKE Bootstrap's proof, and the shares for operators (`spike.md` §1.7).
use spike_wire::bootstrap::{VerifyRequest, VerifyResponse};
use spike_wire::go_json::Shard;
use spike_wire::operator::{RecoverRequest, RecoverResponse, RestoreRequest, RestoreResponse};
use spike_wire::secrets::VersionKey;

use super::call::Call;
use crate::service::{Guard, Refused};

pub(super) fn verify(call: &mut Call<'_>) -> Result<VerifyResponse, Refused> {
    let request: VerifyRequest = call.decode()?;
    let permit = call.role_permit(Guard::verify_root_key)?;
    let sealed = (request.nonce.as_slice(), request.ciphertext.as_slice());
    Ok(VerifyResponse {
        hash: call.service.verify_root_key(&permit, sealed)?,
        err: None,
    })
}

pub(super) fn recover(call: &mut Call<'_>) -> Result<RecoverResponse, Refused> {
    let RecoverRequest {} = call.decode()?;
    call.service.has_root_key_to_keep()?;
    let permit = call.role_permit(Guard::recover_shares)?;
    let shares = call.service.recover(&permit)?;
    let numbered = |share: crate::vault::Share| (VersionKey::from(i64::from(share.id)), Shard::new(*share.value));
    Ok(RecoverResponse {
        shards: Some(shares.into_iter().map(numbered).collect()),
        err: None,
    })
}

pub(super) async fn restore(call: &mut Call<'_>) -> Result<RestoreResponse, Refused> {
    let request: RestoreRequest = call.decode()?;
    call.service.has_root_key_to_keep()?;
    let permit = call.role_permit(Guard::restore_key)?;
    let shard = request.shard.as_ref().map(Shard::as_bytes);
    let restored = call.service.restore(&permit, (request.id, shard)).await?;
    let foreign = restored
        .foreign
        .then_some("this is no share of the root key; none was needed, and it was not used");
    if foreign.is_some() {
        call.record.verdict("foreign_share");
    }
    Ok(RestoreResponse {
        collected: restored.collected.into(),
        remaining: restored.remaining.into(),
        restored: restored.restored,
        err: None,
        detail: foreign.map(str::to_owned).into_iter().collect(),
    })
}
