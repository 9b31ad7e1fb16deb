//! The policies that SPIKE Nexus has, over calls that an official one answers too.
use spike_policy::PolicyDocument;
use spike_sdk::{Error, Filter};
use spike_wire::policies::GetResponse;

use super::session::Session;
use crate::failure::{Failure, Subject};

/// All policies as their authors would write them, by name.
pub(super) fn all(session: &Session) -> Result<Vec<PolicyDocument>, Failure> {
    let policies = session.client().policies();
    let mut documents = Vec::new();
    for item in session.call(Subject::Policies, policies.list(&Filter::All))? {
        match session.wait(policies.get(&item.name)) {
            Ok(policy) => documents.push(document(policy)),
            // Deleted since it was listed.
            Err(Error::NotFound) => {}
            Err(error) => return Err(Failure::Call(error, Subject::Policies)),
        }
    }
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(documents)
}

fn document(policy: GetResponse) -> PolicyDocument {
    PolicyDocument {
        name: policy.name,
        spiffeid_pattern: policy.spiffeid_pattern,
        path_pattern: policy.path_pattern,
        permissions: policy.permissions.unwrap_or_default(),
    }
}
