//! A clock that goes with tokio's, which tests pause.

use jiff::{SignedDuration, Timestamp};
use postback_core::ports::Clock;
use tokio::time::Instant;

/// When every test begins.
pub(super) fn start() -> Timestamp {
    "2026-03-04T05:06:07Z".parse().unwrap()
}

pub(super) struct TestClock(Instant);

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}
