//! The forms that values take: from a node of the file, or from the text of a variable or flag, to a typed value.
//!
//! **Owns** the notations. **Refuses** look-alikes: a bare `true` or `12` where a text is wanted, a quoted `"12"` where
//! a number is wanted. **Invariant**: a form is a pure function, and says the rule with every refusal.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Position;
use super::yaml::{Node, Shape};

/// A value as a layer gives it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'a> {
    /// From the file.
    Node(&'a Node),
    /// From a variable or a flag.
    Text(&'a str),
}

/// Why a value does not fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Misfit {
    /// The place, when it is not the start of the value.
    pub(super) at: Option<Position>,
    /// What to append to the key path: `[2]`, `.name`.
    pub(super) suffix: String,
    pub(super) problem: String,
    /// The value, quoted; `None` when it is a whole list or mapping.
    pub(super) shown: Option<String>,
    pub(super) rule: String,
}

impl Misfit {
    pub(super) fn new(problem: &str, rule: &str) -> Self {
        let (problem, rule) = (problem.to_owned(), rule.to_owned());
        Self {
            at: None,
            suffix: String::new(),
            problem,
            shown: None,
            rule,
        }
    }
}

pub(super) type Form<T> = Box<dyn Fn(Raw<'_>) -> Result<T, Vec<Misfit>>>;

/// What a scalar of the file must look like. Variables and flags are always text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Quoted, or nothing that YAML reads as a number or truth value.
    Text,
    /// Not quoted.
    Number,
    /// Either.
    Any,
}

/// One scalar.
pub(super) fn scalar<T>(
    want: Want,
    rule: impl Into<String>,
    parse: impl Fn(&str) -> Result<T, String> + 'static,
) -> Form<T> {
    let rule = rule.into();
    Box::new(move |raw| {
        let text = scalar_text(raw, want).map_err(|problem| misfit(raw, problem, &rule))?;
        parse(text).map_err(|problem| misfit(raw, &problem, &rule))
    })
}

/// One scalar, a text in a notation of the caller's, whose own words say what is wrong.
pub(super) fn parsed<T, E: fmt::Display>(rule: &str, parse: impl Fn(&str) -> Result<T, E> + 'static) -> Form<T> {
    scalar(Want::Text, rule, move |text| {
        parse(text).map_err(|error| error.to_string())
    })
}

/// `true` or `false`.
pub(super) fn boolean() -> Form<bool> {
    const RULE: &str = "true or false";
    Box::new(|raw| {
        let misfit = |problem| misfit(raw, problem, RULE);
        let value = match raw {
            Raw::Node(_) => match scalar_text(raw, Want::Number).map_err(misfit)? {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            Raw::Text(text) => match text {
                "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
                "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
        };
        value.ok_or_else(|| misfit("not a truth value"))
    })
}

/// A list of scalars; every element that does not fit is reported.
pub(super) fn list<T: 'static>(item: Form<T>) -> Form<Vec<T>> {
    const RULE: &str = "a list: start each element with `- `, or write [a, b]";
    Box::new(move |raw| {
        let items: Vec<(Raw<'_>, Option<Position>)> = match raw {
            Raw::Text(text) => text.split(',').map(|part| (Raw::Text(part.trim()), None)).collect(),
            Raw::Node(Node {
                shape: Shape::List(items),
                ..
            }) => items.iter().map(|node| (Raw::Node(node), Some(node.at))).collect(),
            Raw::Node(_) => return Err(misfit(raw, "not a list", RULE)),
        };
        let read = items
            .into_iter()
            .enumerate()
            .map(|(index, (raw, at))| inside(item(raw), &format!("[{index}]"), at));
        gather(read)
    })
}

/// A mapping of scalars; every element that does not fit is reported.
pub(super) fn map<T: 'static>(item: Form<T>) -> Form<BTreeMap<String, T>> {
    const RULE: &str = "a mapping: write `name: value` lines below it";
    Box::new(move |raw| {
        let misfit = |problem| misfit(raw, problem, RULE);
        let entries: Vec<(String, Raw<'_>, Option<Position>)> = match raw {
            Raw::Text(text) => text
                .split(',')
                .map(|part| {
                    part.split_once('=')
                        .map(|(name, value)| (name.trim().to_owned(), Raw::Text(value.trim()), None))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| misfit("not of the form name=value,name=value"))?,
            Raw::Node(Node {
                shape: Shape::Map(entries),
                ..
            }) => entries
                .iter()
                .map(|entry| (entry.key.clone(), Raw::Node(&entry.value), Some(entry.value.at)))
                .collect(),
            Raw::Node(_) => return Err(misfit("not a mapping")),
        };
        let read = entries.into_iter().map(|(name, raw, at)| {
            let value = inside(item(raw), &format!(".{name}"), at)?;
            Ok((name, value))
        });
        gather(read).map(|pairs| pairs.into_iter().collect())
    })
}

/// The value as a whole does not fit.
fn misfit(raw: Raw<'_>, problem: &str, rule: &str) -> Vec<Misfit> {
    vec![Misfit {
        shown: shown(raw),
        ..Misfit::new(problem, rule)
    }]
}

fn inside<T>(read: Result<T, Vec<Misfit>>, suffix: &str, at: Option<Position>) -> Result<T, Vec<Misfit>> {
    read.map_err(|misfits| {
        misfits
            .into_iter()
            .map(|misfit| Misfit {
                suffix: suffix.to_owned(),
                at: misfit.at.or(at),
                ..misfit
            })
            .collect()
    })
}

fn gather<T>(read: impl Iterator<Item = Result<T, Vec<Misfit>>>) -> Result<Vec<T>, Vec<Misfit>> {
    let mut values = Vec::new();
    let mut misfits = Vec::new();
    for one in read {
        match one {
            Ok(value) => values.push(value),
            Err(more) => misfits.extend(more),
        }
    }
    if misfits.is_empty() { Ok(values) } else { Err(misfits) }
}

fn scalar_text(raw: Raw<'_>, want: Want) -> Result<&str, &'static str> {
    match raw {
        Raw::Text(text) => Ok(text),
        Raw::Node(Node {
            shape: Shape::Scalar { text, plain },
            ..
        }) => match want {
            Want::Text if *plain && text.is_empty() => Err("empty"),
            Want::Text if *plain && is_truth(text) => Err("a truth value, not a text: put it in quotes"),
            Want::Text if *plain && is_number(text) => Err("a number, not a text: put it in quotes"),
            Want::Number if !plain => Err("a text: remove the quotes"),
            Want::Text | Want::Number | Want::Any => Ok(text),
        },
        Raw::Node(Node {
            shape: Shape::List(_), ..
        }) => Err("a list, not a single value"),
        Raw::Node(Node {
            shape: Shape::Map(_), ..
        }) => Err("a mapping, not a single value"),
    }
}

fn is_truth(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// What the YAML 1.2 core schema reads as a number.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let prefixed = |prefix: &str, radix: u32| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok();
    decimal || prefixed("0x", 16) || prefixed("0o", 8)
}

/// The value of a scalar, quoted, escaped and cut; nothing for lists and mappings.
fn shown(raw: Raw<'_>) -> Option<String> {
    const LONGEST: usize = 80;
    let text = match raw {
        Raw::Text(text) => text,
        Raw::Node(Node {
            shape: Shape::Scalar { text, .. },
            ..
        }) => text,
        Raw::Node(_) => return None,
    };
    let cut: String = text.chars().take(LONGEST).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    Some(format!("{cut:?}{dots}"))
}

#[cfg(test)]
mod tests;
