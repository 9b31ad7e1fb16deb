//! Policy documents: what people write in YAML or send as JSON, turned into rules with every fault at once.
use crate::{IdPattern, PathPattern, Permissions, PolicyName, Rule};

/// One policy as written: unchecked text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDocument {
    /// `name`
    pub name: String,
    /// `spiffeidPattern` (or `spiffeid`)
    pub spiffeid_pattern: String,
    /// `pathPattern` (or `path`)
    pub path_pattern: String,
    /// `permissions`
    pub permissions: Vec<String>,
}

/// One thing that is wrong with a document: the field, and the whole text for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// The document's key, such as `spiffeidPattern`.
    pub field: &'static str,
    /// What is wrong, naming value and rule.
    pub text: String,
}

impl TryFrom<&PolicyDocument> for Rule {
    type Error = Vec<Fault>;
    fn try_from(d: &PolicyDocument) -> Result<Self, Vec<Fault>> {
        let name = d.name.parse::<PolicyName>().map_err(|e| vec![Fault { field: "name", text: e.to_string() }])?;
        let spiffe_id = d
            .spiffeid_pattern
            .parse::<IdPattern>()
            .map_err(|e| vec![Fault { field: "spiffeidPattern", text: e.to_string() }])?;
        let path = d
            .path_pattern
            .parse::<PathPattern>()
            .map_err(|e| vec![Fault { field: "pathPattern", text: e.to_string() }])?;
        let permissions = Permissions::parse(&d.permissions)
            .map_err(|e| vec![Fault { field: "permissions", text: e.to_string() }])?;
        Ok(Rule { name, spiffe_id, path, permissions })
    }
}
