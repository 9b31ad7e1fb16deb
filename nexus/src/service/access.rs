//! Asking whether an access is allowed, and why.
use spike_policy::explain::{self, Explanation};
use spike_policy::request::Methods;
use spike_policy::{Access, AccessPath, Permission, SpiffeId};

use super::{CheckAccess, Permitted, Refused, Service};

/// A question as a client sends it: unchecked texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Who: a SPIFFE ID.
    pub who: String,
    /// What: a path.
    pub path: String,
    /// How: a permission; empty when a method is given.
    pub permission: String,
    /// How: an HTTP method; empty when a permission is given.
    pub method: String,
}

impl Service {
    /// Explains one access by the policies of now.
    pub async fn check_access(
        &self,
        _permit: &Permitted<CheckAccess>,
        question: &Question,
    ) -> Result<Explanation, Refused> {
        let access = question.access().map_err(Refused::Invalid)?;
        let rules = std::sync::Arc::clone(&self.rules);
        self.off_the_workers(move |store| {
            let policies = store.policies()?;
            Ok(explain::explain(&policies, &rules.roles, access, explain::LIMIT))
        })
        .await
    }
}

impl Question {
    /// The access it is about, or everything that is wrong with it.
    fn access(&self) -> Result<Access, Vec<String>> {
        let mut faults = Vec::new();
        let who = kept(&mut faults, self.who.parse::<SpiffeId>());
        let path = kept(&mut faults, self.path.parse::<AccessPath>());
        let permission = kept(&mut faults, self.permission());
        match (who, path, permission) {
            (Some(who), Some(path), Some(permission)) => Ok(Access { who, permission, path }),
            _ => Err(faults),
        }
    }

    fn permission(&self) -> Result<Permission, String> {
        match (self.permission.as_str(), self.method.as_str()) {
            ("", "") => Err("give an action (a permission) or a method".to_owned()),
            (word, "") => word.parse::<Permission>().map_err(|fault| fault.to_string()),
            ("", method) => Methods::default()
                .permission(method.as_bytes())
                .ok_or_else(|| "no permission belongs to this method".to_owned()),
            (_, _) => Err("give an action or a method, not both".to_owned()),
        }
    }
}

fn kept<T, E: std::fmt::Display>(faults: &mut Vec<String>, result: Result<T, E>) -> Option<T> {
    result.map_err(|fault| faults.push(fault.to_string())).ok()
}
