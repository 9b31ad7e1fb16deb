//! The classes of `\p{…}` by name.
//!
//! **Owns** the table of names, made by asking Go. **Refuses** members beyond ASCII: subjects are ASCII, so only whether
//! there are any is kept. **Invariant**: a name is known here exactly when Go knows it.
mod table;

use super::set::{Beyond, CharSet};

/// The class of a name. Case, spaces, hyphens and underscores in a name do not count.
pub(super) fn class(name: &str, fold: bool) -> Option<CharSet> {
    let name = canonical(name);
    if let Ok(at) = table::ASCII.binary_search_by(|(known, _, _)| (*known).cmp(&name)) {
        let (_, plain, folded) = table::ASCII.get(at)?;
        let (ascii, beyond) = if fold { *folded } else { *plain };
        return Some(CharSet::new(ascii, beyond_ascii(beyond)));
    }
    let at = table::BEYOND_ASCII.binary_search(&name.as_str()).ok()?;
    table::BEYOND_ASCII.get(at).map(|_| CharSet::new(0, Beyond::Some))
}

fn beyond_ascii(column: u8) -> Beyond {
    match column {
        0 => Beyond::Nothing,
        1 => Beyond::Some,
        _ => Beyond::Everything,
    }
}

fn canonical(name: &str) -> String {
    let mut letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters.map(|c| c.to_ascii_lowercase()))
        .collect()
}
