//! When a delivery is tried again.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The waits after the first, second, ... failed attempt, in seconds; after the last of them, daily.
const WAITS: [i64; 10] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200];
const DAILY: i64 = 86_400;

/// How far from its time an attempt may fall, either way.
pub const JITTER: f64 = 0.2;

/// The longest wait that [`next`] sets. What is due later than this was put off by a clock that was wrong.
pub const LONGEST: SignedDuration = SignedDuration::from_secs(2 * DAILY + SLACK);

/// How much longer than twice the schedule's own wait a network may ask for, in seconds.
const SLACK: i64 = 3_600;

/// How long before the end of life the last attempt is made.
pub const LAST_ATTEMPT: SignedDuration = SignedDuration::from_hours(1);

/// The time of the next attempt after `failed` attempts (at least one), or `None` where none is left.
///
/// `jitter` is a random number from -1 to 1. A network's `retry_after` only ever makes the wait longer, up to
/// twice the schedule's own and an hour more. Nothing is tried past `expires_at`; a wait that would reach over
/// the hour before it ends where that hour begins.
pub fn next(
    failed: usize,
    now: Timestamp,
    expires_at: Timestamp,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Timestamp> {
    let wait = *WAITS.get(failed.saturating_sub(1)).unwrap_or(&DAILY) as f64;
    let asked = retry_after.map_or(0.0, |after| after.as_secs_f64().min(2.0 * wait + SLACK as f64));
    let seconds = (wait * (1.0 + JITTER * jitter.clamp(-1.0, 1.0))).max(asked);
    let at = now.checked_add(SignedDuration::from_secs_f64(seconds)).ok()?;
    let last = expires_at.saturating_sub(LAST_ATTEMPT).unwrap_or(Timestamp::MIN);
    if at <= last {
        Some(at)
    } else if now < last {
        Some(last)
    } else {
        (at < expires_at).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn waits(failed: usize, after: Option<u64>, jitter: f64) -> f64 {
        let end = NOW + SignedDuration::from_hours(720);
        let at = next(failed, NOW, end, after.map(Duration::from_secs), jitter).unwrap();
        at.duration_since(NOW).as_secs_f64()
    }

    #[test]
    fn waits_grow_from_seconds_to_days() {
        let seen: Vec<f64> = (1..=12).map(|failed| waits(failed, None, 0.0)).collect();
        let want = [5., 30., 120., 600., 1800., 3600., 7200., 14400., 28800., 43200., 86400., 86400.];
        assert_eq!(seen, want);
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!((waits(4, None, -1.0), waits(4, None, 1.0)), (480.0, 720.0));
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_is_bounded() {
        assert_eq!(waits(1, Some(60), 0.0), 60.0);
        assert_eq!(waits(4, Some(60), 0.0), 600.0);
        assert_eq!(waits(1, Some(1_000_000), 0.0), 3_610.0);
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        let most = (1..20).map(|failed| waits(failed, Some(u64::MAX), 1.0)).fold(0.0, f64::max);
        assert_eq!(most, LONGEST.as_secs_f64());
    }

    #[test]
    fn a_long_wait_ends_an_hour_before_the_end_of_life_and_none_reaches_past_it() {
        let end = NOW + SignedDuration::from_hours(3);
        assert_eq!(next(9, NOW, end, None, 0.0), Some(NOW + SignedDuration::from_hours(2)));
        assert_eq!(next(10, NOW + SignedDuration::from_hours(2), end, None, 0.0), None);
        assert_eq!(next(1, end, end, None, 0.0), None);
    }
}
