//! Times as people write and read them.

use clap::Args;
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use postback_proto::{time_from, timestamp};
use prost_types::Timestamp as WireTime;

/// A time from a command line: RFC 3339, a day in UTC, or how long ago.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    seen_from(Timestamp::now(), text)
}

fn seen_from(now: Timestamp, text: &str) -> Result<Timestamp, String> {
    let utc = |date: Date| date.to_zoned(TimeZone::UTC).map(|midnight| midnight.timestamp()).ok();
    let ago = |span: Span| {
        let then = now.to_zoned(TimeZone::UTC).checked_sub(span).ok()?.timestamp();
        (then <= now).then_some(then)
    };
    let known = text.parse().ok();
    let known = known.or_else(|| text.parse().ok().and_then(utc));
    known
        .or_else(|| text.parse().ok().and_then(ago))
        .ok_or_else(|| "is not a time such as 2026-11-21T09:30:00Z, 2026-11-21, 2h or 7d (ago)".to_owned())
}

/// A time for people; empty where there is none.
pub(super) fn shown(time: Option<&WireTime>) -> String {
    let time = time.and_then(|time| time_from("time", time).ok());
    let second = time.and_then(|time| Timestamp::from_second(time.as_second()).ok());
    second.map(|time| time.to_string()).unwrap_or_default()
}

/// From when until when.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Window {
    /// At or after this: RFC 3339, a day (UTC), or how long ago, such as 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = parse)]
    pub(super) since: Option<Timestamp>,
    /// Before this.
    #[arg(long, value_name = "TIME", value_parser = parse)]
    pub(super) until: Option<Timestamp>,
}

impl Window {
    /// Its start, for the wire.
    pub(super) fn start(self) -> Option<WireTime> {
        self.since.map(timestamp)
    }

    /// Its end, for the wire.
    pub(super) fn end(self) -> Option<WireTime> {
        self.until.map(timestamp)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_time_is_said_in_full_by_its_day_or_by_how_long_ago() {
        assert_eq!(parse("2026-11-21T09:30:00+02:00").unwrap().to_string(), "2026-11-21T07:30:00Z");
        assert_eq!(parse("2026-11-21").unwrap().to_string(), "2026-11-21T00:00:00Z");
        let now = "2026-11-21T09:30:00Z".parse().unwrap();
        for (text, hours) in [("2h", 2), ("7d", 168), ("1d12h", 36), ("120m", 2)] {
            let ago = seen_from(now, text).unwrap();
            assert_eq!(now.duration_since(ago), SignedDuration::from_hours(hours), "{text}");
        }
        for wrong in ["", "yesterday", "-2h", "2026-13-01", "12"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second_in_utc() {
        let time: Timestamp = "2026-11-21T09:30:00.987Z".parse().unwrap();
        assert_eq!(shown(Some(&timestamp(time))), "2026-11-21T09:30:00Z");
        assert_eq!(shown(None), "");
        let before = timestamp(time - SignedDuration::from_hours(24 * 365 * 60));
        assert!(shown(Some(&before)).starts_with("1966-"));
    }
}
