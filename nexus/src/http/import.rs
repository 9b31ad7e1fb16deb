//! Moving in over HTTP (extension): secrets with their history, policies with their times.
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use spike_policy::{InvalidPath, PolicyDocument, SpiffeId, UnixMillis};
use spike_wire::Timestamp;
use spike_wire::import::{
    ImportedPolicy, Mode, Outcome, PolicyImport, PolicyImportResponse, SecretImport, SecretImportResponse,
    VersionImport,
};

use super::call::Call;
use super::routes::Route;
use super::secrets::value_of;
use super::{Api, Limits};
use crate::service::{Guard, Refused, TimedDocument};
use crate::store::{self, ImportMode, Imported, SecretVersion};

/// A secret comes with all its versions, each as large as the body of a put may be. Only who may import is given that
/// much room.
const BODIES: usize = 16;

/// How much of a request is read.
pub(super) fn limits(api: &Api, route: Route, who: &SpiffeId) -> Limits {
    let wide = route == Route::ImportSecret && api.service.roles_guard().import(who).is_ok();
    let bodies = if wide { BODIES } else { 1 };
    Limits {
        body_bytes: api.limits.body_bytes.saturating_mul(bodies),
        ..api.limits
    }
}

pub(super) async fn secret(call: &mut Call<'_>) -> Result<SecretImportResponse, Refused> {
    let request: SecretImport = call.decode()?;
    call.record.secret(&request.path);
    let permit = call.permit(Guard::import)?;
    let imported = call.service.import_secret(&permit, import_of(request)?).await?;
    Ok(SecretImportResponse {
        outcome: Some(outcome_of(imported)),
        ..SecretImportResponse::default()
    })
}

pub(super) async fn policies(call: &mut Call<'_>) -> Result<PolicyImportResponse, Refused> {
    let request: PolicyImport = call.decode()?;
    call.record
        .policies(request.policies.iter().map(|timed| timed.policy.name.as_str()));
    let permit = call.permit(Guard::import)?;
    let mut names = Vec::with_capacity(request.policies.len());
    let mut documents = Vec::with_capacity(request.policies.len());
    for timed in request.policies {
        names.push(timed.policy.name.clone());
        documents.push(TimedDocument {
            document: PolicyDocument::from(timed.policy),
            created_at: time(timed.created_at)?,
            updated_at: time(timed.updated_at)?,
        });
    }
    let imported = call
        .service
        .import_policies(&permit, documents, mode_of(request.mode))
        .await?;
    let answers = names.into_iter().zip(imported).map(|(name, imported)| {
        let (outcome, detail) = match imported {
            Ok(imported) => (outcome_of(imported), Vec::new()),
            Err(faults) => (Outcome::Refused, faults),
        };
        ImportedPolicy { name, outcome, detail }
    });
    Ok(PolicyImportResponse {
        imported: Some(answers.collect()),
        ..PolicyImportResponse::default()
    })
}

fn import_of(request: SecretImport) -> Result<store::SecretImport, Refused> {
    let path = request
        .path
        .parse()
        .map_err(|fault: InvalidPath| Refused::invalid(fault.to_string()))?;
    let mut versions = BTreeMap::new();
    for version in request.versions {
        let (number, version) = version_of(version)?;
        if versions.insert(number, version).is_some() {
            return Err(Refused::invalid(format!("version {number} is given twice")));
        }
    }
    let most = u32::try_from(request.max_versions)
        .map_err(|_| Refused::invalid("maxVersions must be a number from 0 to 4294967295"))?;
    Ok(store::SecretImport {
        path,
        created_at: time(request.created_time)?,
        updated_at: time(request.updated_time)?,
        max_versions: NonZeroU32::new(most),
        versions,
        mode: mode_of(request.mode),
    })
}

fn version_of(version: VersionImport) -> Result<(SecretVersion, store::VersionImport), Refused> {
    let number = u32::try_from(version.version)
        .ok()
        .and_then(|number| SecretVersion::try_from(number).ok())
        .ok_or_else(|| Refused::invalid("a version must be a number from 1 to 4294967295"))?;
    let deleted_at = time(version.deleted_time)?;
    let value = version.values.map(value_of).transpose()?;
    let deleted = (deleted_at.is_some() || value.is_none()).then_some(deleted_at);
    let version = store::VersionImport {
        created_at: time(version.created_time)?,
        deleted,
        value,
    };
    Ok((number, version))
}

/// Go's zero time means that nobody knows.
fn time(time: Option<Timestamp>) -> Result<Option<UnixMillis>, Refused> {
    match time.filter(|time| !time.is_zero()) {
        None => Ok(None),
        Some(time) => match time.unix_millis() {
            Some(millis) => Ok(Some(millis)),
            None => Err(Refused::invalid(format!("{time} is before 1970"))),
        },
    }
}

fn mode_of(mode: Mode) -> ImportMode {
    match mode {
        Mode::Add => ImportMode::Add,
        Mode::Overwrite => ImportMode::Overwrite,
        Mode::Compare => ImportMode::Compare,
    }
}

fn outcome_of(imported: Imported) -> Outcome {
    match imported {
        Imported::Created => Outcome::Created,
        Imported::Identical => Outcome::Identical,
        Imported::Updated => Outcome::Updated,
        Imported::Replaced => Outcome::Replaced,
        Imported::Conflict => Outcome::Conflict,
    }
}
