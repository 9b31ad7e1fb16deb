//! SPIKE's environment variables, the only place of this crate that reads them.
use std::time::Duration;

use spike_policy::TrustRoots;

use crate::settings::{NexusUrl, Settings, Timeouts};

/// A variable whose value cannot be used. (The official SDK silently takes the default instead.)
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {rule}")]
pub struct InvalidVariable {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with its value.
    pub rule: String,
}

const WORKLOAD_API: &str = "SPIFFE_ENDPOINT_SOCKET";
const SVID_WAIT: &str = "SPIKE_SPIFFE_SOURCE_TIMEOUT";
const NEXUS_URL: &str = "SPIKE_NEXUS_API_URL";
const NEXUS_TRUST_ROOTS: &str = "SPIKE_TRUST_ROOT_NEXUS";

impl Settings {
    /// What the environment says, defaults for the rest. An empty variable counts as absent.
    ///
    /// # Errors
    /// Every variable that cannot be used, all at once.
    pub fn from_environment() -> Result<Self, Vec<InvalidVariable>> {
        Self::read(&|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<InvalidVariable>> {
        let mut reader = Reader {
            lookup,
            faults: Vec::new(),
        };
        let default = Timeouts::default();
        let dial = reader.duration("SPIKE_HTTP_CLIENT_DIALER_TIMEOUT", Duration::from_secs(30));
        let handshake = reader.duration("SPIKE_HTTP_CLIENT_TLS_HANDSHAKE_TIMEOUT", Duration::from_secs(10));
        let settings = Self {
            workload_api: reader.text(WORKLOAD_API),
            svid_wait: Some(reader.duration(SVID_WAIT, Duration::from_secs(30))),
            nexus_url: reader.parsed(NEXUS_URL, NexusUrl::DEFAULT, |text| text.parse().map_err(text_of)),
            nexus_trust_roots: reader.parsed(NEXUS_TRUST_ROOTS, Self::NEXUS_TRUST_ROOTS, |text| {
                TrustRoots::parse(text).map_err(text_of)
            }),
            timeouts: Timeouts {
                connect: dial.saturating_add(handshake),
                response_header: reader.duration("SPIKE_HTTP_CLIENT_RESPONSE_HEADER_TIMEOUT", default.response_header),
                total: reader.duration("SPIKE_HTTP_CLIENT_TIMEOUT", default.total),
                idle: reader.duration("SPIKE_HTTP_CLIENT_IDLE_CONN_TIMEOUT", default.idle),
            },
        };
        if reader.faults.is_empty() {
            Ok(settings)
        } else {
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<InvalidVariable>,
}

impl Reader<'_> {
    fn text(&self, name: &'static str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    fn duration(&mut self, name: &'static str, default: Duration) -> Duration {
        let Some(value) = self.text(name) else { return default };
        go_duration(&value).unwrap_or_else(|| {
            let rule = format!("`{value}` is no duration such as `30s`, `1m30s` or `250ms`");
            self.faults.push(InvalidVariable { name, rule });
            default
        })
    }

    fn parsed<T: Default>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let value = self.text(name);
        parse(value.as_deref().unwrap_or(default)).unwrap_or_else(|rule| {
            self.faults.push(InvalidVariable { name, rule });
            T::default()
        })
    }
}

fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Go's `time.ParseDuration` for positive durations: numbers with a unit, one after the other. `0` needs no unit.
fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Vec<InvalidVariable>> {
        Settings::read(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn an_empty_environment_gives_spikes_defaults() {
        for variables in [&[][..], &[(NEXUS_URL, ""), (NEXUS_TRUST_ROOTS, " "), (SVID_WAIT, "")]] {
            let settings = settings(variables).unwrap();
            assert_eq!(settings, Settings::default());
            assert_eq!(settings.workload_api, None);
            assert_eq!(settings.svid_wait, Some(Duration::from_secs(30)));
            assert_eq!(settings.nexus_url.as_str(), "https://localhost:8553");
            assert_eq!(settings.nexus_trust_roots, TrustRoots::parse("spike.ist").unwrap());
            assert_eq!(settings.timeouts, Timeouts::default());
        }
    }

    #[test]
    fn every_variable_is_read() {
        let settings = settings(&[
            (WORKLOAD_API, "unix:///run/a.sock"),
            (SVID_WAIT, "1m30s"),
            (NEXUS_URL, "https://nexus:1/"),
            (NEXUS_TRUST_ROOTS, "a.org, b.org"),
            ("SPIKE_HTTP_CLIENT_DIALER_TIMEOUT", "1s"),
            ("SPIKE_HTTP_CLIENT_TLS_HANDSHAKE_TIMEOUT", "2s"),
            ("SPIKE_HTTP_CLIENT_RESPONSE_HEADER_TIMEOUT", "3s"),
            ("SPIKE_HTTP_CLIENT_TIMEOUT", "4s"),
            ("SPIKE_HTTP_CLIENT_IDLE_CONN_TIMEOUT", "5s"),
        ])
        .unwrap();
        assert_eq!(settings.workload_api.as_deref(), Some("unix:///run/a.sock"));
        assert_eq!(settings.svid_wait, Some(Duration::from_secs(90)));
        assert_eq!(settings.nexus_url.as_str(), "https://nexus:1");
        assert_eq!(settings.nexus_trust_roots, TrustRoots::parse("a.org,b.org").unwrap());
        let t = settings.timeouts;
        assert_eq!(
            [t.connect, t.response_header, t.total, t.idle].map(|d| d.as_secs()),
            [3, 3, 4, 5]
        );
    }

    #[test]
    fn all_faults_are_reported_at_once_with_the_variable() {
        let faults = settings(&[
            (SVID_WAIT, "soon"),
            (NEXUS_URL, "http://x"),
            (NEXUS_TRUST_ROOTS, "a.org,,b.org"),
        ])
        .unwrap_err();
        let names: Vec<_> = faults.iter().map(|f| f.name).collect();
        assert_eq!(names, [SVID_WAIT, NEXUS_URL, NEXUS_TRUST_ROOTS]);
    }

    #[test]
    fn durations_are_gos() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("1.5s", 1500),
            ("1h2m3s", 3_723_000),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(go_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1 s",
            "1d",
            "1..5s",
            "1s5",
            "9999999999999999999999h",
        ] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
