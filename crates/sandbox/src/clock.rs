//! The sandbox's clock: a source of time, and a shift that tests set.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};

/// Where the sandbox takes its time from: the machine by default, anything else in a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that asks `now`.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time `shift` away from the source's, at most the calendar's first or last moment.
    pub(crate) fn shifted(&self, shift: SignedDuration) -> Timestamp {
        let now = (self.0)();
        let edge = if shift.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        now.checked_add(shift).unwrap_or(edge)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The time `by` before `now`, at least the calendar's first moment.
pub(crate) fn before(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}
