//! The configuration a program runs on, with the source of each value.

use std::fmt;

use serde_json::{Map, Value, json};

use super::fault::Origin;

/// One value in force.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveValue {
    /// The key path.
    pub key: String,
    /// The value in the form a file would give it; `"(secret)"` for a key marked secret; null when absent.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Every value that was asked for, in the order of asking. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effective(pub(super) Vec<EffectiveValue>);

impl Effective {
    /// The values, in the order the program asked for them.
    pub fn values(&self) -> &[EffectiveValue] {
        &self.0
    }

    /// `{"feed.max_age": {"value": "5s", "source": "default"}, …}`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        for one in &self.0 {
            object.insert(
                one.key.clone(),
                json!({"value": one.value, "source": one.origin.to_string()}),
            );
        }
        Value::Object(object)
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|one| writeln!(f, "{}: {} # {}", one.key, one.value, one.origin))
    }
}
