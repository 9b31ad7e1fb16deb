//! Moving in: secrets with their history and policies with their times, as another Nexus had them (extension
//! `?action=import` of the secret and the policy route, for SPIKE Pilot only).
//!
//! An import can be repeated: what is there already, the same, is left alone, and what differs is a conflict that
//! changes nothing unless [`Mode::Overwrite`] was asked for.
use serde::{Deserialize, Serialize};

use crate::error::{answers, or_default, word};
use crate::go_json::{Cursor, FromGo, InvalidJson, from_go};
use crate::policies::PutRequest;
use crate::secrets::Values;
use crate::{ErrorCode, Timestamp};

/// One secret with all its versions. It is brought in whole, or not at all.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretImport {
    /// The secret's path.
    pub path: String,
    /// When it was first put; unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// When its current version last changed; unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_time: Option<Timestamp>,
    /// How many versions are kept of it; 0 for as many as this Nexus keeps of a new secret.
    pub max_versions: i64,
    /// The versions. None at all makes a path that is listed and holds nothing, like one whose versions are all gone.
    pub versions: Vec<VersionImport>,
    /// What to do about a path that is there already.
    pub mode: Mode,
}
from_go!(SecretImport {
    "path" => path,
    "createdTime" => created_time,
    "updatedTime" => updated_time,
    "maxVersions" => max_versions,
    "versions" => versions,
    "mode" => mode,
});

/// One version. It is a deleted one if it has a time of deletion, or no values.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionImport {
    /// Its number, from 1.
    pub version: i64,
    /// When it was put; unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// When it was deleted; absent when it is not, or when that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_time: Option<Timestamp>,
    /// Its content; absent when nobody can read it any more. Such a version cannot be undeleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
}
from_go!(VersionImport {
    "version" => version,
    "createdTime" => created_time,
    "deletedTime" => deleted_time,
    "values" => values,
});

/// Policies with their times. Each is judged by itself; those that are brought in come in together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyImport {
    /// The policies.
    pub policies: Vec<TimedPolicy>,
    /// What to do about a name that is there already.
    pub mode: Mode,
}
from_go!(PolicyImport { "policies" => policies, "mode" => mode });

/// A policy with its times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimedPolicy {
    /// What its author wrote.
    #[serde(flatten)]
    pub policy: PutRequest,
    /// First put; unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Last put; unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}
from_go!(TimedPolicy {
    "name" => policy.name,
    "spiffeidPattern" => policy.spiffeid_pattern,
    "pathPattern" => policy.path_pattern,
    "permissions" => policy.permissions,
    "createdAt" => created_at,
    "updatedAt" => updated_at,
});

/// What to do about what is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Bring in what is new and what continues what is there; leave conflicts alone.
    #[default]
    Add,
    /// Let what is brought in replace what is there.
    Overwrite,
    /// Only say what [`Mode::Add`] would do.
    Compare,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Add, Self::Overwrite, Self::Compare];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Overwrite => "overwrite",
            Self::Compare => "compare",
        }
    }
}

impl FromGo for Mode {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            return Ok(());
        }
        let word = json.string()?;
        *self = Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word.as_str())
            .ok_or(InvalidJson::Type(0))?;
        Ok(())
    }
}

impl FromGo for Option<Timestamp> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        *self = if json.null()? {
            None
        } else {
            Some(json.string()?.parse().map_err(|_| InvalidJson::Type(0))?)
        };
        Ok(())
    }
}

impl FromGo for Option<Values> {
    fn read(&mut self, json: &mut Cursor<'_>) -> Result<(), InvalidJson> {
        if json.null()? {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().read(json)
    }
}

/// What became of something that was to be brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is new here.
    Created,
    /// It was here already, the same.
    Identical,
    /// What was here is a beginning of it: the rest was added.
    Updated,
    /// Something else was here; it is gone.
    Replaced,
    /// Something else is here, and stays.
    Conflict,
    /// This Nexus does not take it; `detail` says why. Policies only: a secret is answered with 400.
    Refused,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Identical,
        Self::Updated,
        Self::Replaced,
        Self::Conflict,
        Self::Refused,
    ];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Identical => "identical",
            Self::Updated => "updated",
            Self::Replaced => "replaced",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
        }
    }
}

/// The answer of a secret import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretImportResponse {
    /// What became of it; `null` only beside `err`.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to do about it, one text per fault.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// The answer of a policy import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyImportResponse {
    /// What became of each policy, in the order of the request; `null` only beside `err`.
    pub imported: Option<Vec<ImportedPolicy>>,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to do about it, one text per fault.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// What became of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedPolicy {
    /// Its name, as it was sent.
    pub name: String,
    /// What happened.
    pub outcome: Outcome,
    /// For a refused one, why: one text per fault.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

answers!(SecretImportResponse, PolicyImportResponse);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;
    use crate::go_json::{decode, encode};

    #[test]
    fn an_import_reads_back_what_a_client_writes() {
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let sent = SecretImport {
            path: "a/b".to_owned(),
            created_time: time("2026-11-22T02:26:53.123Z"),
            updated_time: None,
            max_versions: 10,
            versions: vec![
                VersionImport {
                    version: 1,
                    created_time: time("2026-11-22T02:26:53.123Z"),
                    deleted_time: time("2026-11-23T02:26:53Z"),
                    values: None,
                },
                VersionImport {
                    version: 2,
                    values: Some([("k".to_owned(), crate::SecretText::new("<v>".to_owned()))].into()),
                    ..VersionImport::default()
                },
            ],
            mode: Mode::Overwrite,
        };
        let text = encode(&sent).unwrap();
        let read: SecretImport = decode(&text).unwrap();
        assert_eq!(encode(&read).unwrap(), text);
        assert_eq!(read.versions[1].values.as_ref().unwrap().len(), 1);
        assert!(read.versions[0].values.is_none());
        let plain = decode::<SecretImport>(br#"{"path":"p","versions":[{"version":1,"values":{}}]}"#).unwrap();
        assert_eq!(
            (plain.mode, plain.versions[0].values.as_ref().map(Values::len)),
            (Mode::Add, Some(0))
        );
    }

    #[test]
    fn a_word_or_time_that_means_nothing_is_refused() {
        for body in [
            r#"{"mode":"replace"}"#,
            r#"{"mode":1}"#,
            r#"{"createdTime":"yesterday"}"#,
            r#"{"versions":[{"deletedTime":7}]}"#,
        ] {
            assert!(decode::<SecretImport>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn every_outcome_reads_back_from_its_word() {
        for outcome in Outcome::ALL {
            let word = serde_json::to_string(&outcome).unwrap();
            assert_eq!(word, format!("\"{}\"", outcome.as_str()));
            assert_eq!(serde_json::from_str::<Outcome>(&word).unwrap(), outcome);
        }
        for mode in Mode::ALL {
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{}\"", mode.as_str()));
        }
    }
}
