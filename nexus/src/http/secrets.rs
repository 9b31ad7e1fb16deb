//! Secrets over HTTP.
use spike_policy::{KeyName, UnixMillis};
use spike_wire::secrets::{
    DeleteRequest, EmptyResponse, GetRequest, GetResponse, ListRequest, ListResponse, MetadataRequest,
    MetadataResponse, PutRequest, SecretInfo, UndeleteRequest, Values, VersionInfo, VersionKey,
};
use spike_wire::{SecretText, Timestamp};

use super::call::Call;
use crate::service::{ListScope, Refused};
use crate::store::{SecretMetadata, SecretVersion, VersionChoice};
use crate::vault::SecretValue;

pub(super) async fn put(call: &mut Call<'_>) -> Result<EmptyResponse, Refused> {
    let request: PutRequest = call.decode()?;
    call.record.secret(&request.path);
    let permit = call.permit(|guard, who| guard.write_secret(who, &request.path))?;
    call.service.put_secret(&permit, value_of(request.values)?).await?;
    Ok(EmptyResponse::default())
}

pub(super) fn get(call: &mut Call<'_>) -> Result<GetResponse, Refused> {
    let request: GetRequest = call.decode()?;
    read(call, &request.path, Some(request.version))
}

/// The extension for `curl`: the path in the URL. `version` is `None` when the URL gives one that is no number.
pub(super) fn read(call: &mut Call<'_>, path: &str, version: Option<i64>) -> Result<GetResponse, Refused> {
    call.record.secret(path);
    let permit = call.permit(|guard, who| guard.read_secret(who, path))?;
    let version = version.ok_or_else(|| Refused::Invalid(vec!["the version must be a whole number".to_owned()]))?;
    let read = call.service.get_secret(&permit, version.into())?;
    Ok(GetResponse {
        data: Some(values_of(&read.value)),
        err: None,
    })
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<EmptyResponse, Refused> {
    let request: DeleteRequest = call.decode()?;
    call.record.secret(&request.path);
    let permit = call.permit(|guard, who| guard.write_secret(who, &request.path))?;
    call.service
        .delete_versions(&permit, choices(&request.versions))
        .await?;
    Ok(EmptyResponse::default())
}

pub(super) async fn undelete(call: &mut Call<'_>) -> Result<EmptyResponse, Refused> {
    let request: UndeleteRequest = call.decode()?;
    call.record.secret(&request.path);
    let permit = call.permit(|guard, who| guard.write_secret(who, &request.path))?;
    call.service
        .undelete_versions(&permit, choices(&request.versions))
        .await?;
    Ok(EmptyResponse::default())
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<ListResponse, Refused> {
    let ListRequest {} = call.decode()?;
    let scope = call.service.guard()?.list_secrets(call.who)?;
    if let ListScope::All(permit) = &scope {
        call.record.grounds(permit.grounds());
    }
    let paths = call.service.list_secrets(scope).await?;
    Ok(ListResponse {
        keys: Some(paths.iter().map(ToString::to_string).collect()),
        err: None,
    })
}

pub(super) fn metadata(call: &mut Call<'_>) -> Result<MetadataResponse, Refused> {
    let request: MetadataRequest = call.decode()?;
    call.record.secret(&request.path);
    let permit = call.permit(|guard, who| guard.read_secret(who, &request.path))?;
    let metadata = call.service.secret_metadata(&permit, request.version.into())?;
    Ok(metadata_of(&metadata))
}

/// The values as they are stored, if every key has a legal name. The texts are moved, not copied.
pub(super) fn value_of(values: Values) -> Result<SecretValue, Refused> {
    let faults: Vec<String> = values
        .keys()
        .filter_map(|key| key.parse::<KeyName>().err())
        .map(|fault| fault.to_string())
        .collect();
    if !faults.is_empty() {
        return Err(Refused::Invalid(faults));
    }
    Ok(values
        .into_iter()
        .map(|(key, text)| (key, std::mem::take(&mut *text.into_zeroizing())))
        .collect())
}

fn values_of(value: &SecretValue) -> Values {
    value
        .expose_secret()
        .map(|(key, text)| (key.to_owned(), SecretText::new(text.to_owned())))
        .collect()
}

fn choices(versions: &[i64]) -> Vec<VersionChoice> {
    versions.iter().copied().map(VersionChoice::from).collect()
}

fn metadata_of(metadata: &SecretMetadata) -> MetadataResponse {
    let versions = metadata.versions.iter().map(|version| {
        let number = number(Some(version.version));
        let info = VersionInfo {
            created_time: version.created_at.into(),
            version: number,
            deleted_time: version.deleted_at.map(|at: UnixMillis| Timestamp::from(at)),
        };
        (VersionKey::from(number), info)
    });
    let info = SecretInfo {
        current_version: number(metadata.current),
        oldest_version: number(metadata.oldest),
        created_time: metadata.created_at.into(),
        updated_time: metadata.updated_at.into(),
        max_versions: i64::from(metadata.max_versions.get()),
    };
    MetadataResponse {
        versions: versions.collect(),
        metadata: info,
        err: None,
    }
}

fn number(version: Option<SecretVersion>) -> i64 {
    version.map_or(0, |version| i64::from(version.get()))
}
