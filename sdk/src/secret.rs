//! A secret in memory.
use std::fmt;
use std::ops::Index;

use spike_wire::SecretText;
use spike_wire::secrets::Values;

/// One version of a secret.
#[derive(Debug)]
pub struct Secret {
    /// Its keys and values.
    pub data: SecretData,
}

/// The keys and values of a secret, sorted by key. Values are overwritten on drop and never shown by `Debug`.
#[derive(Default)]
pub struct SecretData(Values);

impl SecretData {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(SecretText::expose_secret)
    }

    /// Every key with its value, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.expose_secret()))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Index<&str> for SecretData {
    type Output = str;

    /// The value of a key, as a map gives it.
    ///
    /// # Panics
    /// If there is no such key. Use [`SecretData::get`] where that can happen.
    fn index(&self, key: &str) -> &str {
        match self.get(key) {
            Some(value) => value,
            #[expect(
                clippy::panic,
                reason = "the contract of Index, as for std's maps; get() is the way that cannot fail"
            )]
            None => panic!("the secret has no key `{key}`"),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for SecretData {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), SecretText::new(value.into())))
                .collect(),
        )
    }
}

impl From<Values> for SecretData {
    fn from(values: Values) -> Self {
        Self(values)
    }
}

impl From<SecretData> for Values {
    fn from(data: SecretData) -> Self {
        data.0
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |value: &str| format!("[{} bytes]", value.len());
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key, hidden(value))))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn indexing_gives_the_value_and_debug_only_its_length() {
        let secret = Secret {
            data: [("password", "hunter2"), ("a", "")].into_iter().collect(),
        };
        assert_eq!(&secret.data["password"], "hunter2");
        assert_eq!(secret.data.get("nope"), None);
        assert_eq!(secret.data.keys().collect::<Vec<_>>(), ["a", "password"]);
        let shown = format!("{secret:?}");
        assert!(
            shown.contains("password") && shown.contains("7 bytes") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn indexing_a_missing_key_names_the_key_and_no_value() {
        let data: SecretData = [("password", "hunter2")].into_iter().collect();
        let panic = std::panic::catch_unwind(|| data["user"].len()).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert_eq!(text, "the secret has no key `user`");
    }
}
