//! The three ways to print.
use std::str::FromStr;

use crate::failure::Failure;

/// How to print what a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// JSON, indented.
    Json,
    /// YAML.
    Yaml,
}

impl FromStr for Format {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        match word {
            "human" | "h" | "plain" | "p" | "" => Ok(Self::Human),
            "json" | "j" => Ok(Self::Json),
            "yaml" | "y" => Ok(Self::Yaml),
            other => Err(Failure::Usage(format!(
                "invalid format '{other}'. Valid formats are: human/h/plain/p, json/j, yaml/y"
            ))),
        }
    }
}
