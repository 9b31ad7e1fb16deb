//! May this identity do this on that path, and why: the extension `POST /v1/acl/policy?action=check`.
//!
//! SPIKE's SDK defines `spiffeid`, `path` and `action` of the question, `allowed` and `matchingPolicies` of the answer,
//! and no route for them; the rest is ours.
use serde::{Deserialize, Serialize};
use spike_policy::explain::{Difference, Explanation, Link, Listing, NearMiss};
use spike_policy::{Permission, Policy};

use crate::ErrorCode;
use crate::error::{answers, or_default, word};
use crate::go_json::from_go;
use crate::policies::words;

/// The question. Either `action` or `method` is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessRequest {
    /// Who.
    pub spiffeid: String,
    /// What.
    pub path: String,
    /// How: a permission.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// How: an HTTP method, read as a proxied request without hints of its route is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
}
from_go!(AccessRequest { "spiffeid" => spiffeid, "path" => path, "action" => action, "method" => method });

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessResponse {
    /// The verdict.
    pub allowed: bool,
    /// Why: `policy` or a built-in role when allowed, the reason of the denial otherwise.
    pub reason: String,
    /// Names of policies that give it, the one that decided first; `null` only beside `err`.
    pub matching_policies: Option<Vec<String>>,
    /// For a denial: policies that nearly give it, nearest first; `null` only beside `err`.
    pub near_misses: Option<Vec<NearPolicy>>,
    /// The same in several lines, for people.
    pub text: String,
    /// The policies that were asked.
    pub generation: u64,
    /// Why it failed.
    #[serde(deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub err: Option<ErrorCode>,
    /// What to do about it, one text per fault.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// A policy that nearly gives an access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NearPolicy {
    /// Which policy.
    #[serde(flatten)]
    pub policy: ShownPolicy,
    /// What it misses: `identity`, `path`, `permission`, `guard`.
    pub missing: Vec<String>,
    /// Where the SPIFFE ID first differs from the literal text of its pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffeid_differs: Option<Differs>,
    /// Where the path first differs from the literal text of its pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_differs: Option<Differs>,
}

/// Where a subject first differs from a literal text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Differs {
    /// The character, counted from 1.
    pub at: usize,
    /// The literal text from there on; empty when it ends.
    pub wanted: String,
    /// The subject from there on; empty when it ends.
    pub found: String,
}

/// A policy as an explanation shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownPolicy {
    /// Its name.
    pub name: String,
    /// Who.
    pub spiffeid_pattern: String,
    /// What.
    pub path_pattern: String,
    /// How.
    pub permissions: Vec<String>,
}

/// Policies that have something in common: those that open a path, or those of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyListing {
    /// The policies, by name.
    pub policies: Vec<ShownPolicy>,
    /// The policies that were asked.
    pub generation: u64,
}

impl AccessRequest {
    /// May it do this?
    pub fn of(spiffeid: impl Into<String>, path: impl Into<String>, permission: Permission) -> Self {
        Self {
            action: permission.as_str().to_owned(),
            ..Self::of_method(spiffeid, path, "")
        }
    }

    /// May it send such a request?
    pub fn of_method(spiffeid: impl Into<String>, path: impl Into<String>, method: impl Into<String>) -> Self {
        Self {
            spiffeid: spiffeid.into(),
            path: path.into(),
            action: String::new(),
            method: method.into(),
        }
    }
}

impl From<&Explanation> for AccessResponse {
    fn from(explanation: &Explanation) -> Self {
        let access = explanation.access();
        let near = |miss: &NearMiss| NearPolicy {
            policy: ShownPolicy::from(&*miss.policy),
            missing: miss.missing().map(Link::as_str).map(str::to_owned).collect(),
            spiffeid_differs: miss.identity.as_ref().and_then(|d| differs(d, access.who.as_str())),
            path_differs: miss.path.as_ref().and_then(|d| differs(d, access.path.as_str())),
        };
        let name = |policy: &Policy| policy.rule.name.to_string();
        Self {
            allowed: explanation.is_allowed(),
            reason: explanation.reason().to_owned(),
            matching_policies: Some(explanation.matching.iter().map(|policy| name(policy)).collect()),
            near_misses: Some(explanation.near_misses.iter().map(near).collect()),
            text: explanation.to_string(),
            generation: explanation.generation.0,
            err: None,
            detail: Vec::new(),
        }
    }
}

impl From<&Listing> for PolicyListing {
    fn from(listing: &Listing) -> Self {
        Self {
            policies: listing
                .policies
                .iter()
                .map(|policy| ShownPolicy::from(&**policy))
                .collect(),
            generation: listing.generation.0,
        }
    }
}

impl From<&Policy> for ShownPolicy {
    fn from(policy: &Policy) -> Self {
        let rule = &policy.rule;
        Self {
            name: rule.name.to_string(),
            spiffeid_pattern: rule.spiffe_id.to_string(),
            path_pattern: rule.path.to_string(),
            permissions: words(rule.permissions),
        }
    }
}

answers!(AccessResponse);

fn differs(difference: &Difference, subject: &str) -> Option<Differs> {
    let wanted = difference.wanted.clone()?;
    Some(Differs {
        at: difference.common + 1,
        wanted,
        found: subject.get(difference.common..).unwrap_or_default().to_owned(),
    })
}
