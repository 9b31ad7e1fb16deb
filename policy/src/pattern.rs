//! placeholder: patterns in Go's RE2 dialect.
use std::fmt;
use std::str::FromStr;

/// Why a text is no pattern. `Display` is the text a person sees (two lines where design D5 says so).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(String);

macro_rules! pattern {
    ($t:ident) => {
        /// A pattern: its text and its compiled form (shared, lazily built).
        #[derive(Clone, Debug)]
        pub struct $t {
            text: std::sync::Arc<str>,
            regex: regex_automata::meta::Regex,
        }
        impl $t {
            /// The text exactly as written.
            pub fn as_str(&self) -> &str {
                &self.text
            }
            /// Go's unanchored `MatchString` on a printable-ASCII subject.
            pub fn is_match(&self, subject: &str) -> bool {
                self.regex.is_match(subject)
            }
        }
        impl PartialEq for $t {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }
        impl Eq for $t {}
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
        impl FromStr for $t {
            type Err = InvalidPattern;
            fn from_str(text: &str) -> Result<Self, InvalidPattern> {
                let regex =
                    regex_automata::meta::Regex::new(text).map_err(|e| InvalidPattern(format!("{text:?}: {e}")))?;
                Ok(Self { text: text.into(), regex })
            }
        }
    };
}
pattern!(IdPattern);
pattern!(PathPattern);
