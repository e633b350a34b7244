//! A clock that goes with tokio's, which tests pause.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_core::ports::Clock;
use tokio::time::Instant;

/// When every test begins.
pub(super) fn start() -> Timestamp {
    "2026-03-04T05:06:07Z".parse().unwrap()
}

pub(super) struct TestClock {
    began: Instant,
    /// For how many seconds the machine was suspended.
    suspended: AtomicU64,
}

impl TestClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), suspended: AtomicU64::default() }
    }

    /// Suspends the machine for so long: this clock goes on, and tokio's stands still.
    pub(super) fn suspend(&self, long: Duration) {
        self.suspended.fetch_add(long.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let suspended = Duration::from_secs(self.suspended.load(Ordering::Relaxed));
        start() + SignedDuration::try_from(self.began.elapsed() + suspended).unwrap()
    }
}
