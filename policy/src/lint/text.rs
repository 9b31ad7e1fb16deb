//! Better spellings of a pattern, computed from its text. Whoever uses one checks that it is a pattern.

/// The pattern between `^` and `$`. One that ends with a slash goes on after it.
pub(super) fn anchored(pattern: &str) -> String {
    let alternates = marks(pattern).any(|mark| mark.byte == b'|' && mark.depth == 0);
    if alternates {
        return format!("^({pattern})$");
    }
    let start = if pattern.starts_with('^') { "" } else { "^" };
    let end = if ends_with_dollar(pattern) {
        ""
    } else if pattern.ends_with('/') {
        ".*$"
    } else {
        "$"
    };
    format!("{start}{pattern}{end}")
}

/// The pattern with the bare dots of its trust domain escaped; `None` if there is none. `.*` and the like are meant.
pub(super) fn without_bare_dots(pattern: &str) -> Option<String> {
    let scheme = "spiffe://";
    let begin = pattern.find(scheme)? + scheme.len();
    let end = pattern.get(begin..)?.find('/').map_or(pattern.len(), |at| begin + at);
    let bytes = pattern.as_bytes();
    let repeated = |at: usize| bytes.get(at + 1).is_some_and(|next| b"*+?{".contains(next));
    let bare: Vec<usize> = marks(pattern)
        .filter(|mark| mark.byte == b'.' && (begin..end).contains(&mark.at) && !repeated(mark.at))
        .map(|mark| mark.at)
        .collect();
    if bare.is_empty() {
        return None;
    }
    let escaped = pattern
        .char_indices()
        .flat_map(|(at, c)| bare.contains(&at).then_some('\\').into_iter().chain([c]));
    Some(escaped.collect())
}

/// The pattern with `/*` written as `/.*`; `None` if there is no `/*`.
pub(super) fn without_glob(pattern: &str) -> Option<String> {
    let bytes = pattern.as_bytes();
    let stars: Vec<usize> = marks(pattern)
        .filter(|mark| mark.byte == b'*' && mark.at.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'/'))
        .map(|mark| mark.at)
        .collect();
    if stars.is_empty() {
        return None;
    }
    Some(
        pattern
            .char_indices()
            .flat_map(|(at, c)| stars.contains(&at).then_some('.').into_iter().chain([c]))
            .collect(),
    )
}

/// The pattern without the slash before its end.
pub(super) fn without_trailing_slash(pattern: &str) -> Option<String> {
    match pattern.strip_suffix("/$") {
        Some(rest) => Some(format!("{}$", rest.trim_end_matches('/'))),
        None => pattern
            .strip_suffix('/')
            .map(|rest| rest.trim_end_matches('/').to_owned()),
    }
}

fn ends_with_dollar(pattern: &str) -> bool {
    marks(pattern)
        .last()
        .is_some_and(|mark| mark.byte == b'$' && mark.at + 1 == pattern.len())
}

/// A byte that is neither escaped nor in a class.
struct Mark {
    at: usize,
    byte: u8,
    depth: usize,
}

fn marks(pattern: &str) -> impl Iterator<Item = Mark> {
    let mut escaped = false;
    let mut class: Option<usize> = None;
    let mut depth = 0_usize;
    pattern.bytes().enumerate().filter_map(move |(at, byte)| {
        if std::mem::take(&mut escaped) {
            return None;
        }
        match (byte, class) {
            (b'\\', _) => {
                escaped = true;
                return None;
            }
            // A `]` right after `[` or `[^` is a member.
            (b']', Some(begin)) if at > begin + 1 && pattern.get(begin..at) != Some("[^") => {
                class = None;
                return None;
            }
            (_, Some(_)) => return None,
            (b'[', None) => {
                class = Some(at);
                return None;
            }
            (b'(', None) => depth += 1,
            (b')', None) => depth = depth.saturating_sub(1),
            (_, None) => {}
        }
        Some(Mark { at, byte, depth })
    })
}
