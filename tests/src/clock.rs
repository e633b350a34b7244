//! The machine's clock, moved as a test wants.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use postback_core::ports::Clock;

/// A clock that runs ahead of the machine's.
#[derive(Debug, Default)]
pub struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// Moves the clock on.
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).expect("a shift in 64 bits"), Ordering::SeqCst);
    }

    /// Lets at least `time` pass, a minute at a time, and goes on until `enough`: what is due by the clock is
    /// done by tasks that take real time.
    pub async fn pass_until(&self, time: SignedDuration, enough: impl Fn() -> bool) {
        let minute = SignedDuration::from_mins(1);
        let mut passed = SignedDuration::ZERO;
        while passed < time || !enough() {
            self.advance(minute);
            passed += minute;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            assert!(passed < SignedDuration::from_hours(29 * 24), "what had to come never came");
        }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_millis(self.ahead_ms())
    }

    fn ahead_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
