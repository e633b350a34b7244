//! Times, money and optional texts.

use jiff::Timestamp;
use postback_core::{Error, Money, Result};
use prost_types::Timestamp as WireTime;

use crate::v1;

/// A time for the wire.
pub fn timestamp(time: Timestamp) -> WireTime {
    let nanos = time.subsec_nanosecond();
    if nanos < 0 {
        return WireTime { seconds: time.as_second() - 1, nanos: nanos + 1_000_000_000 };
    }
    WireTime { seconds: time.as_second(), nanos }
}

/// A time from the wire.
///
/// # Errors
/// `InvalidArgument` at `field` for a time outside the years 0001 to 9999.
pub fn time_from(field: &'static str, time: &WireTime) -> Result<Timestamp> {
    Timestamp::new(time.seconds, time.nanos)
        .map_err(|_| Error::invalid(field, "is not a time between the years 0001 and 9999"))
}

/// A time that a record always has.
pub(crate) fn time_of(field: &'static str, time: Option<&WireTime>) -> Result<Timestamp> {
    time_from(field, time.ok_or_else(|| Error::invalid(field, "is missing").because("MISSING"))?)
}

/// A time that may be absent.
pub(crate) fn time_if(field: &'static str, time: Option<&WireTime>) -> Result<Option<Timestamp>> {
    time.map(|time| time_from(field, time)).transpose()
}

/// Money from the wire.
///
/// # Errors
/// `InvalidArgument` at `{field}.amount` or `{field}.currency`.
pub(crate) fn money_from(field: &str, money: &v1::Money) -> Result<Money> {
    Money::parse(&money.amount, &money.currency).map_err(|error| {
        let part = error.field().unwrap_or("amount").to_owned();
        error.at(format!("{field}.{part}"))
    })
}

impl From<&Money> for v1::Money {
    fn from(money: &Money) -> Self {
        Self { amount: money.amount().to_string(), currency: money.currency().to_string() }
    }
}

/// A text that is absent where it is empty.
pub(crate) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A parsed text that is absent where it is empty.
///
/// # Errors
/// The text's own, at `field`.
pub fn parsed<T: std::str::FromStr<Err = Error>>(field: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: Error| error.at(field))
}

/// A number of things for the wire.
pub fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A text for the wire, empty where it is absent.
pub(crate) fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}
