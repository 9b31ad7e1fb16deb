//! What SPIKE itself accepts (spike.md §3.3): narrower alphabets than ours.

/// What is said of a pattern that SPIKE does not accept.
pub(super) const REFUSED: &str = "SPIKE itself refuses it, for a character outside its alphabet";

/// `^\^?spiffe://[\\a-zA-Z0-9.\-*()+?\[\]]+(/[\\/a-zA-Z0-9._\-*()+?\[\]]+)*\$?$`
pub(super) fn is_id_pattern(text: &str) -> bool {
    let text = text.strip_prefix('^').unwrap_or(text);
    let text = text.strip_suffix('$').unwrap_or(text);
    let Some(rest) = text.strip_prefix("spiffe://") else {
        return false;
    };
    let (domain, path) = match rest.split_once('/') {
        Some((domain, path)) => (domain, Some(path)),
        None => (rest, None),
    };
    let in_domain = |b: u8| b.is_ascii_alphanumeric() || br"\.-*()+?[]".contains(&b);
    let in_path = |b: u8| in_domain(b) || b"/_".contains(&b);
    !domain.is_empty()
        && domain.bytes().all(in_domain)
        && path.is_none_or(|path| !path.is_empty() && path.bytes().all(in_path))
}

/// `^[a-zA-Z0-9._\-/^$()?+*|[\]{}\\]+$`, 1 to 500 bytes.
pub(super) fn is_path_pattern(text: &str) -> bool {
    let fits = (1..=500).contains(&text.len());
    fits && text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || br"._-/^$()?+*|[]{}\".contains(&b))
}
