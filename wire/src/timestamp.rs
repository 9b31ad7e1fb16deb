//! Times as Go writes them: RFC 3339 with up to nine digits of a second, UTC from us, any zone from others.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spike_policy::UnixMillis;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

/// A point in time on the wire. The default is Go's zero time, `0001-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

/// A text that is no time as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-11-22T02:26:53.123Z")]
pub struct InvalidTime;

const ZERO: OffsetDateTime = datetime!(0001-01-01 0:00 UTC);
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59.999 UTC);

impl Timestamp {
    /// Whether it is Go's zero time, which means "never".
    pub fn is_zero(self) -> bool {
        self.0 == ZERO
    }

    /// Milliseconds since the Unix epoch, rounded down; `None` before 1970.
    pub fn unix_millis(self) -> Option<UnixMillis> {
        u64::try_from(self.0.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .map(UnixMillis)
    }

    /// The date and time, in the zone it was written in.
    pub fn date_time(self) -> OffsetDateTime {
        self.0
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self(ZERO)
    }
}

impl From<UnixMillis> for Timestamp {
    /// Times after the year 9999, which RFC 3339 cannot write, become its last millisecond.
    fn from(millis: UnixMillis) -> Self {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis.0) * 1_000_000);
        Self(time.unwrap_or(LAST).to_offset(UtcOffset::UTC).min(LAST))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self).map_err(|_| InvalidTime)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn times_are_written_as_go_writes_them() {
        assert_eq!(Timestamp::default().to_string(), "0001-01-01T00:00:00Z");
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_314_413_000, "2026-11-22T02:26:53Z"),
            (1_795_314_413_120, "2026-11-22T02:26:53.12Z"),
            (1_795_314_413_007, "2026-11-22T02:26:53.007Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from(UnixMillis(millis)).to_string(), text);
        }
    }

    #[test]
    fn times_of_other_servers_are_read_with_zone_and_nanoseconds() {
        let time: Timestamp = serde_json::from_str(r#""2026-11-21T21:26:53.123456789-05:00""#).unwrap();
        assert_eq!(time.unix_millis(), Some(UnixMillis(1_795_314_413_123)));
        assert_eq!(time.to_string(), "2026-11-21T21:26:53.123456789-05:00");
        assert!(serde_json::from_str::<Timestamp>("null").unwrap().is_zero());
        assert!(serde_json::from_str::<Timestamp>(r#""yesterday""#).is_err());
    }
}
