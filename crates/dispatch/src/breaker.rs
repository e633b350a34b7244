//! The circuit breaker of one account: a network that fails again and again gets one call at a time, then rest.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// So many failures in a row open it.
const FAILURES: u32 = 7;
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How far from its time a rest may end, either way.
const JITTER: f64 = 0.2;

/// A breaker. Seven failures in a row open it for a second; then one call is let through. If that fails, it
/// rests twice as long as before, up to a minute; if it succeeds, all is as at first. Time is an argument.
///
/// The one call is a delivery that is due. Where it has no key, as at Powerspace, and the network takes it and never
/// answers, each such call leaves one more delivery in doubt: about one a minute while that lasts.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    /// How many times in a row it has opened.
    opened: u32,
    /// Counts changes of state, so that the result of a call that was let through before one is not heard.
    epoch: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    Probing,
}

/// What a breaker lets through now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Any call.
    Free,
    /// One call, whose result decides.
    Probe,
    /// None before this.
    Shut { until: Timestamp },
    /// None until the probe's result is known.
    Probing,
}

/// What a result did to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It opened, for so long.
    Opened { rest: Duration },
    /// It closed.
    Closed,
}

/// One call that was let through.
#[derive(Debug)]
pub(crate) struct Pass {
    epoch: u64,
    probe: bool,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { state: State::Closed { failures: 0 }, opened: 0, epoch: 0 }
    }

    /// What it lets through at `now`. A rest that seems longer than any rest (the clock was set back) is over.
    pub(crate) fn gate(&self, now: Timestamp) -> Gate {
        match self.state {
            State::Closed { .. } => Gate::Free,
            State::Probing => Gate::Probing,
            State::Open { until } => {
                let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                if left.is_zero() || left > LONGEST_REST.mul_f64(1.0 + JITTER) {
                    Gate::Probe
                } else {
                    Gate::Shut { until }
                }
            }
        }
    }

    /// Lets one call through, where the gate allows; [`Breaker::record`] or [`Breaker::forget`] must follow.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Result<Pass, Gate> {
        let probe = match self.gate(now) {
            Gate::Free => false,
            Gate::Probe => {
                self.state = State::Probing;
                true
            }
            shut => return Err(shut),
        };
        Ok(Pass { epoch: self.epoch, probe })
    }

    /// Hears a call's result. `jitter` is a random number from -1 to 1.
    pub(crate) fn record(&mut self, pass: &Pass, well: bool, now: Timestamp, jitter: f64) -> Option<Turn> {
        if pass.epoch != self.epoch {
            return None;
        }
        match (&mut self.state, well) {
            (State::Closed { failures }, true) => *failures = 0,
            (State::Closed { failures }, false) => {
                *failures += 1;
                if *failures >= FAILURES {
                    return Some(self.open(now, jitter));
                }
            }
            (State::Probing, true) => {
                *self = Self { epoch: self.epoch + 1, ..Self::new() };
                return Some(Turn::Closed);
            }
            (State::Probing, false) => return Some(self.open(now, jitter)),
            (State::Open { .. }, _) => {}
        }
        None
    }

    /// Takes a pass back whose call says nothing of the network.
    pub(crate) fn forget(&mut self, pass: &Pass, now: Timestamp) {
        if pass.probe && pass.epoch == self.epoch {
            self.state = State::Open { until: now };
        }
    }

    fn open(&mut self, now: Timestamp, jitter: f64) -> Turn {
        let rest = FIRST_REST.saturating_mul(1 << self.opened.min(16)).min(LONGEST_REST);
        let rest = rest.mul_f64(1.0 + JITTER * jitter.clamp(-1.0, 1.0));
        let wait = SignedDuration::try_from(rest).unwrap_or(SignedDuration::MAX);
        self.state = State::Open { until: now.saturating_add(wait).unwrap_or(now) };
        self.opened += 1;
        self.epoch += 1;
        Turn::Opened { rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn fail(breaker: &mut Breaker, now: Timestamp) -> Option<Turn> {
        let pass = breaker.admit(now).unwrap();
        breaker.record(&pass, false, now, 0.0)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 1..FAILURES {
            assert_eq!(fail(&mut breaker, at(0)), None);
        }
        assert_eq!(fail(&mut breaker, at(0)), Some(Turn::Opened { rest: FIRST_REST }));
        breaker
    }

    #[test]
    fn seven_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::new();
        for _ in 0..5 {
            for _ in 1..FAILURES {
                assert_eq!(fail(&mut breaker, at(0)), None);
            }
            let pass = breaker.admit(at(0)).unwrap();
            assert_eq!(breaker.record(&pass, true, at(0), 0.0), None);
        }
        assert_eq!(breaker.gate(at(0)), Gate::Free);
        assert_eq!(opened().gate(at(0)), Gate::Shut { until: at(1) });
    }

    #[test]
    fn half_open_it_lets_exactly_one_call_through() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(0)).unwrap_err(), Gate::Shut { until: at(1) });
        assert_eq!(breaker.gate(at(1)), Gate::Probe);
        let probe = breaker.admit(at(1)).unwrap();
        assert_eq!(breaker.admit(at(1)).unwrap_err(), Gate::Probing);
        assert_eq!(breaker.record(&probe, true, at(2), 0.0), Some(Turn::Closed));
        assert_eq!(breaker.gate(at(2)), Gate::Free);
    }

    #[test]
    fn each_failed_probe_doubles_the_rest_up_to_a_minute_and_a_success_starts_anew() {
        let mut breaker = opened();
        let mut now = 0;
        for rest in [2, 4, 8, 16, 32, 60, 60] {
            now += 100;
            assert_eq!(
                fail(&mut breaker, at(now)),
                Some(Turn::Opened { rest: Duration::from_secs(rest) }),
                "{rest}"
            );
        }
        let probe = breaker.admit(at(now + 60)).unwrap();
        breaker.record(&probe, true, at(now + 60), 0.0);
        for _ in 1..FAILURES {
            fail(&mut breaker, at(now + 60));
        }
        assert_eq!(fail(&mut breaker, at(now + 60)), Some(Turn::Opened { rest: FIRST_REST }));
    }

    #[test]
    fn a_probe_that_was_cut_off_leaves_room_for_another() {
        let mut breaker = opened();
        let probe = breaker.admit(at(1)).unwrap();
        breaker.forget(&probe, at(1));
        assert_eq!(breaker.gate(at(1)), Gate::Probe);
    }

    #[test]
    fn what_was_let_through_before_it_opened_is_not_heard_after() {
        let mut breaker = Breaker::new();
        let (late, later) = (breaker.admit(at(0)).unwrap(), breaker.admit(at(0)).unwrap());
        for _ in 0..FAILURES {
            fail(&mut breaker, at(0));
        }
        assert_eq!(breaker.record(&late, true, at(0), 0.0), None);
        assert_eq!(breaker.gate(at(0)), Gate::Shut { until: at(1) });
        let probe = breaker.admit(at(1)).unwrap();
        assert_eq!(breaker.record(&later, false, at(1), 0.0), None);
        assert_eq!(breaker.record(&probe, true, at(1), 0.0), Some(Turn::Closed));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        assert_eq!(opened().gate(at(-86_400)), Gate::Probe);
    }

    #[test]
    fn rest_has_a_fifth_of_jitter_either_way() {
        for (jitter, millis) in [(-1.0, 800), (1.0, 1_200)] {
            let mut breaker = Breaker::new();
            let turn = (0..FAILURES)
                .map(|_| {
                    let pass = breaker.admit(at(0)).unwrap();
                    breaker.record(&pass, false, at(0), jitter)
                })
                .last()
                .flatten();
            assert_eq!(turn, Some(Turn::Opened { rest: Duration::from_millis(millis) }));
        }
    }
}
