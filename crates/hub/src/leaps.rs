//! Leaps of the wall clock, seen against the monotonic one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_core::ports::Clock;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Hub, clock::pause, meters};

/// By how much the clocks must part at once to be told: what a time server corrects without a leap is less.
const LEAP: SignedDuration = SignedDuration::from_mins(1);
/// How often the clocks are compared.
const LOOK: Duration = Duration::from_secs(1);
/// How long a clock that leapt ahead is not believed where something would be removed by it.
const DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

/// What was seen of the clocks.
pub(crate) struct Leaps {
    seen: Mutex<Seen>,
    last: watch::Sender<Option<SignedDuration>>,
}

struct Seen {
    wall: Timestamp,
    at: Instant,
    /// By how much the wall clock leapt ahead and was not set back since.
    ahead: SignedDuration,
    /// Until when that is doubted.
    doubted: Instant,
}

impl Leaps {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let at = Instant::now();
        let seen = Seen { wall: machine(clock), at, ahead: SignedDuration::ZERO, doubted: at };
        Self { seen: Mutex::new(seen), last: watch::Sender::default() }
    }

    /// Compares the clocks. A leap since the last look is returned, to whoever looks first.
    fn look(&self, clock: &dyn Clock) -> Option<SignedDuration> {
        let leap = self.lock().look(machine(clock), Instant::now())?;
        self.last.send_replace(Some(leap));
        Some(leap)
    }

    /// Whether the wall clock leapt ahead within a day, and was not set back.
    fn is_doubtful(&self) -> bool {
        let seen = self.lock();
        seen.ahead > LEAP && Instant::now() < seen.doubted
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn look(&mut self, wall: Timestamp, at: Instant) -> Option<SignedDuration> {
        let passed = SignedDuration::try_from(at.duration_since(self.at)).unwrap_or(SignedDuration::MAX);
        let leap = wall.duration_since(self.wall).saturating_sub(passed);
        (self.wall, self.at) = (wall, at);
        if leap.abs() <= LEAP {
            return None;
        }
        if at >= self.doubted {
            self.ahead = SignedDuration::ZERO;
        }
        self.ahead = self.ahead.saturating_add(leap).max(SignedDuration::ZERO);
        self.doubted = at + DOUBT;
        Some(leap)
    }
}

/// What the machine's clock says: a test that lets time pass is no leap.
fn machine(clock: &dyn Clock) -> Timestamp {
    let ahead = SignedDuration::from_millis(clock.ahead_ms());
    clock.now().saturating_sub(ahead).unwrap_or(Timestamp::MIN)
}

impl Hub {
    /// Compares the clocks until `shutdown`.
    pub(crate) async fn keep_time(&self, shutdown: &CancellationToken) {
        while pause(LOOK, shutdown).await {
            self.look_at_clock();
        }
    }

    /// Says each leap of the clock once, and loudly. Returns whether the clock can be believed.
    pub(crate) fn look_at_clock(&self) -> bool {
        let leaps = &self.inner.leaps;
        if let Some(leap) = leaps.look(self.inner.clock.as_ref()) {
            let ahead = leap.is_positive();
            meters::leapt(ahead);
            if ahead {
                tracing::error!(%leap, "the clock leapt ahead; nothing is swept for a day unless it is set back");
            } else {
                tracing::error!(leap = %leap.abs(), "the clock was set back");
                self.inner.mint.begin_anew();
            }
        }
        !leaps.is_doubtful()
    }

    /// The last leap, as leaps happen.
    pub(crate) fn leaps(&self) -> watch::Receiver<Option<SignedDuration>> {
        self.inner.leaps.last.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const MONTH: i64 = 31 * 24 * HOUR;

    /// What is seen where the monotonic clock goes on and the wall clock by so much more, in seconds.
    fn seen(steps: &[(i64, i64)]) -> (Vec<i64>, bool) {
        let mut at = Instant::now();
        let mut wall = Timestamp::from_second(1_000_000_000).unwrap();
        let mut seen = Seen { wall, at, ahead: SignedDuration::ZERO, doubted: at };
        let mut leaps = Vec::new();
        for (passed, leap) in steps {
            at += Duration::from_secs(passed.unsigned_abs());
            wall += SignedDuration::from_secs(passed + leap);
            leaps.extend(seen.look(wall, at).map(|leap| leap.as_secs()));
        }
        (leaps, seen.ahead > LEAP && at < seen.doubted)
    }

    #[test]
    fn time_that_passes_and_a_small_correction_are_no_leap() {
        assert_eq!(seen(&[(1, 0), (60, 0), (HOUR, 0), (1, 59), (1, -59)]), (vec![], false));
    }

    #[test]
    fn a_leap_is_told_once_and_the_clock_is_doubted_for_a_day() {
        assert_eq!(seen(&[(1, MONTH), (1, 0), (HOUR, 0)]), (vec![MONTH], true));
        assert_eq!(seen(&[(1, MONTH), (24 * HOUR, 0)]), (vec![MONTH], false));
        assert_eq!(seen(&[(1, -MONTH), (1, 0)]), (vec![-MONTH], false));
    }

    #[test]
    fn a_clock_that_is_set_right_is_believed_at_once() {
        assert_eq!(seen(&[(1, MONTH), (9, -MONTH)]), (vec![MONTH, -MONTH], false));
        assert_eq!(seen(&[(1, MONTH), (9, -HOUR)]), (vec![MONTH, -HOUR], true));
        assert_eq!(seen(&[(1, -HOUR), (9, HOUR)]), (vec![-HOUR, HOUR], true));
    }
}
