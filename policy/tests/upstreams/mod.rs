//! How upstreams read the part of a path before the query.

pub(crate) type Model = fn(&str) -> String;

/// The five readings.
pub(crate) const MODELS: [(&str, Model); 5] = [
    ("raw", str::to_owned),
    ("RFC 3986 dot removal", without_dots),
    ("decoded once, then dots removed", |path| without_dots(&decoded(path))),
    ("decoded, slashes merged, dots removed", |path| {
        without_dots(&merged(&decoded(path).replace('\\', "/")))
    }),
    ("parameters cut as Tomcat does", |path| {
        without_dots(&merged(&decoded(&without_parameters(path))))
    }),
];

pub(crate) fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn merged(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if !(c == '/' && out.ends_with('/')) {
            out.push(c);
        }
    }
    out
}

pub(crate) fn without_parameters(path: &str) -> String {
    path.split('/')
        .map(|segment| segment.split(';').next().unwrap())
        .collect::<Vec<_>>()
        .join("/")
}

pub(crate) fn without_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => drop(out.pop()),
            _ => {
                out.push(segment);
                continue;
            }
        }
        if last {
            out.push("");
        }
    }
    format!("/{}", out.join("/"))
}
