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
    let repeated = |at: usize| {
        let behind = pattern.get(at + 1..);
        behind.is_some_and(|rest| rest.starts_with(['*', '+', '?', '{']))
    };
    with_before(pattern, '\\', |mark| {
        mark.byte == b'.' && (begin..end).contains(&mark.at) && !repeated(mark.at)
    })
}

/// The pattern with `/*` written as `/.*`; `None` if there is no `/*`.
pub(super) fn without_glob(pattern: &str) -> Option<String> {
    let after_slash = |at: usize| pattern.get(..at).is_some_and(|before| before.ends_with('/'));
    with_before(pattern, '.', |mark| mark.byte == b'*' && after_slash(mark.at))
}

/// The pattern with a character more before each mark that is meant; `None` if none is.
fn with_before(pattern: &str, more: char, is_meant: impl Fn(&Mark) -> bool) -> Option<String> {
    let meant: Vec<usize> = marks(pattern).filter(is_meant).map(|mark| mark.at).collect();
    if meant.is_empty() {
        return None;
    }
    let chars = pattern
        .char_indices()
        .flat_map(|(at, c)| meant.contains(&at).then_some(more).into_iter().chain([c]));
    Some(chars.collect())
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
