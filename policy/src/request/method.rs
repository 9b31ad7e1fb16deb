//! What a method asks for.
use std::collections::BTreeMap;

use super::{Facts, Refusal, Rules};
use crate::Permission;
use crate::excerpt;

/// Which permission each method asks for. A method that is not in the table is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(BTreeMap<String, Permission>);

/// A method that no table can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("method {0}: it must be 1 to 32 upper-case letters, digits, dashes or underscores")]
pub struct InvalidMethod(String);

impl Methods {
    /// No method at all: every request is refused until one is set.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Puts a method into the table or changes it.
    ///
    /// # Errors
    /// A method that is not 1 to 32 upper-case letters, digits, dashes or underscores.
    pub fn set(&mut self, method: &str, permission: Permission) -> Result<(), InvalidMethod> {
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if method.is_empty() || method.len() > 32 || !method.bytes().all(plain) {
            return Err(InvalidMethod(excerpt::value(method)));
        }
        self.0.insert(method.to_owned(), permission);
        Ok(())
    }

    /// The permission of a method, compared as it is written (upper case).
    pub fn permission(&self, method: &[u8]) -> Option<Permission> {
        std::str::from_utf8(method).ok().and_then(|m| self.0.get(m)).copied()
    }

    /// The table, by method.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Permission)> {
        self.0.iter().map(|(method, permission)| (method.as_str(), *permission))
    }
}

impl Default for Methods {
    /// GET, HEAD and OPTIONS read; POST, PUT, PATCH and DELETE write; LIST lists.
    fn default() -> Self {
        let table = [
            ("GET", Permission::Read),
            ("HEAD", Permission::Read),
            ("OPTIONS", Permission::Read),
            ("POST", Permission::Write),
            ("PUT", Permission::Write),
            ("PATCH", Permission::Write),
            ("DELETE", Permission::Write),
            ("LIST", Permission::List),
        ];
        Self(
            table
                .into_iter()
                .map(|(method, permission)| (method.to_owned(), permission))
                .collect(),
        )
    }
}

/// What an HTTP request asks for: the route's word, or gRPC's, or the method's.
///
/// The content type comes from the client. So that it cannot turn a write into an execute elsewhere, gRPC counts only
/// where the rest of the request is gRPC too: a POST to `/service/method`.
pub(super) fn permission(rules: &Rules, facts: &Facts<'_>) -> Result<Permission, Refusal> {
    if facts.method.is_empty() {
        return Err(Refusal::MethodMissing);
    }
    if let Some(permission) = hint(facts)? {
        return Ok(permission);
    }
    if facts.grpc {
        return if is_grpc(facts) {
            Ok(rules.grpc)
        } else {
            Err(Refusal::GrpcShape)
        };
    }
    rules.methods.permission(facts.method).ok_or(Refusal::MethodUnknown)
}

/// The permission that the route asks for, if it does.
pub(super) fn hint(facts: &Facts<'_>) -> Result<Option<Permission>, Refusal> {
    let Some(bytes) = facts.hints.permission else {
        return Ok(None);
    };
    let word = std::str::from_utf8(bytes).map_err(|_| Refusal::HintPermission)?;
    word.parse().map(Some).map_err(|_| Refusal::HintPermission)
}

fn is_grpc(facts: &Facts<'_>) -> bool {
    let path = facts.raw_path.unwrap_or(facts.path);
    let path = path.split(|b| *b == b'?').next().unwrap_or_default();
    let mut segments = path.split(|b| *b == b'/').skip(1);
    let (service, method, more) = (segments.next(), segments.next(), segments.next());
    let named = |segment: Option<&[u8]>| segment.is_some_and(|s| !s.is_empty());
    facts.method == b"POST" && named(service) && named(method) && more.is_none()
}
