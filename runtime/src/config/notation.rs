//! The notations of single values: time spans, sizes, paths, addresses.
//!
//! **Owns** reading and showing each. **Refuses** to round what it was told: what it cannot hold it does not take.
//! **Invariant**: what is shown can be read again, and means the same.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A TCP address or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket, by path.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Go's `time.ParseDuration`, without negative spans.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err("negative".to_owned());
    }
    let refused = || "not a time span".to_owned();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut nanos = 0_u128;
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(refused)?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        nanos = span(number, unit)
            .and_then(|more| nanos.checked_add(more))
            .ok_or_else(refused)?;
        rest = after;
    }
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| "too long (more than 584 years)".to_owned())
}

/// Nanoseconds of one number and unit.
fn span(number: &str, unit: &str) -> Option<u128> {
    let scale: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    decimal(number, scale)
}

/// A decimal number times a scale, rounded down.
fn decimal(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || fraction.len() > 18 {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<u128>().ok()
        }
    };
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = digits(fraction)?.checked_mul(scale)? / divisor;
    digits(whole)?.checked_mul(scale)?.checked_add(part)
}

/// A span in the notation that [`duration`] reads, in the largest unit that divides it.
pub(super) fn show_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    let units = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let unit = units
        .into_iter()
        .find(|(_, scale)| nanos >= *scale && nanos.is_multiple_of(*scale));
    match unit {
        _ if nanos == 0 => "0s".to_owned(),
        Some((name, scale)) => format!("{}{name}", nanos / scale),
        None => format!("{nanos}ns"),
    }
}

/// Bytes, with or without a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale: u128 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("not a size".to_owned()),
    };
    let bytes = decimal(number, scale).ok_or_else(|| "not a size".to_owned())?;
    u64::try_from(bytes).map_err(|_| "too large".to_owned())
}

/// A path without a NUL byte.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("empty".to_owned()),
        text if text.contains('\0') => Err("not a path (it holds a NUL byte)".to_owned()),
        text => Ok(Path::new(text).to_owned()),
    }
}

/// `IP:PORT`, or `:PORT` for every address of this host.
pub(super) fn socket_addr(text: &str) -> Result<SocketAddr, String> {
    match text.strip_prefix(':') {
        Some(port) => {
            let port: u16 = port.parse().map_err(|_| "not a port from 0 to 65535".to_owned())?;
            Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
        }
        None => text.parse().map_err(|_| "not an address".to_owned()),
    }
}

/// `IP:PORT`, or `unix://PATH`.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    match text.strip_prefix("unix:") {
        // `unix:///run/x` and `unix:/run/x` are the same place; `unix://run/x` is relative.
        Some(rest) => path(rest.strip_prefix("//").unwrap_or(rest)).map(Endpoint::Unix),
        None => socket_addr(text).map(Endpoint::Tcp),
    }
}

#[cfg(test)]
mod tests;
