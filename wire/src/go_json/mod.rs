//! JSON with the manners of Go's `encoding/json`, which is what SPIKE's clients and servers speak.
//!
//! **Owns** the reading of request bodies (names in any case, the last of repeated fields wins, repeated maps are
//! merged, `null` means "not given", unknown fields are ignored) and the writing of answers (`<`, `>` and `&`
//! escaped, as Go does).
//!
//! **Refuses** what Go refuses: trailing text, a byte order mark, comments, raw control characters, `1.0` for an
//! integer, more than [`MAX_DEPTH`] levels. It never recurses, so no input can exhaust the stack.
//!
//! **Invariant**: a body is accepted here exactly if Go's `json.Unmarshal` accepts it for the same structure, and
//! gives the same values. One known difference: a list field that is given three or more times may, in Go, show
//! elements of the first one again; here it does not.

mod cursor;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use cursor::Cursor;
pub use read::{Base64Bytes, FromGo, Shard};
pub(crate) use read::{from_go, is_field};
pub use write::encode;

/// How deep arrays and objects may nest: Go's own limit.
pub const MAX_DEPTH: usize = 10_000;

/// Why a body cannot be read. It never quotes the body, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// Not JSON at all.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// JSON, but a value of another type than the field has.
    #[error("a value of the wrong type at byte {0}")]
    Type(usize),
    /// Nested too deeply.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// Reads a whole body: `null` gives the default, anything that is not one JSON value is refused.
///
/// ```
/// let get: spike_wire::secrets::GetRequest = spike_wire::go_json::decode(br#"{"PATH":"a/b"}"#)?;
/// assert_eq!((get.path.as_str(), get.version), ("a/b", 0));
/// # Ok::<(), spike_wire::go_json::InvalidJson>(())
/// ```
pub fn decode<T: FromGo + Default>(body: &[u8]) -> Result<T, InvalidJson> {
    // Go checks the syntax of the whole body first, so a syntax error after a type error is still a syntax error.
    let mut check = Cursor::new(body);
    check.skip()?;
    check.end()?;
    let mut value = T::default();
    value.read(&mut Cursor::new(body))?;
    Ok(value)
}
