//! What becomes of a claim: decided here, from values alone.

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Attempt, Call, Delivery, DeliveryState, Event, OnAmbiguous, Outcome, Reason, Repeat, Result, Verdict,
    ports::{Claim, Settlement},
    schedule,
};

use crate::outgoing::Failure;

/// How far the clock of another hub, which may have made an earlier attempt, may be from this one's.
const SKEW: Duration = Duration::from_secs(300);
/// How long a delivery rests whose mark the outbox could not take.
const UNMARKED_REST: SignedDuration = SignedDuration::from_secs(1);

/// What to do with a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// End it, and keep the proof.
    Settle { attempt: Option<Attempt>, settlement: Settlement },
    /// Stop the account, keep the proof, and let the delivery be due when the account goes on.
    Pause { attempt: Attempt, reason: Reason },
    /// Give it back untouched.
    Release { at: Timestamp },
    /// It is somebody else's by now.
    Leave,
}

/// Whether a claim is sent at all: goes on with the call, or breaks off with what to do instead.
pub(crate) fn before(claim: &Claim, call: Result<Call>, now: Timestamp) -> ControlFlow<Step, Call> {
    let delivery = &claim.delivery;
    if let Some(step) = interrupted(delivery, &call, now) {
        return ControlFlow::Break(step);
    }
    if now >= delivery.expires_at {
        return dead(expired("its time was over, and no attempt is known to have arrived"));
    }
    if matches!(delivery.event, Event::Changed(_)) && claim.lead != DeliveryState::Delivered {
        let state = claim.lead.as_str();
        let message = format!("its conversion's own delivery is {state}, so there is nothing to change");
        return dead(Reason::new("lead_not_delivered", message));
    }
    match call {
        Ok(call) => unanswered(delivery, &call, now).map_or(ControlFlow::Continue(call), ControlFlow::Break),
        Err(refused) => dead(Reason::new(refused.reason().to_ascii_lowercase(), refused.to_string())),
    }
}

/// An earlier attempt began, and nobody knows how it ended. Only calls without a key are marked so: a key that the
/// account was given since does not tell that one from a repeat.
fn interrupted(delivery: &Delivery, call: &Result<Call>, now: Timestamp) -> Option<Step> {
    let started_at = delivery.started_at?;
    let (shown, resend) = match call {
        Ok(call) => (call.shown.clone(), call.repeat == Repeat::Unkeyed(OnAmbiguous::Resend)),
        Err(_) => (String::new(), false),
    };
    let reason = Reason::new("interrupted", "an attempt began, and its outcome was never learned");
    let settlement = match resend {
        false => Settlement::InDoubt(reason.clone()),
        true if now < delivery.expires_at => Settlement::Retry { at: now },
        true => Settlement::Dead(expired(&reason.to_string())),
    };
    Some(settle(unheard(started_at, shown, reason), settlement))
}

/// Holds a delivery in doubt whose last unanswered attempt sent another call than this one. That call had a key, by which
/// the network would have known a repeat; this one has none. Where a person decided to send again, the calls are the
/// same, or the attempt that stands here has no call.
fn unanswered(delivery: &Delivery, call: &Call, now: Timestamp) -> Option<Step> {
    let last = delivery.attempts.iter().rev().find(|attempt| attempt.outcome == Outcome::Ambiguous)?;
    if call.repeat != Repeat::Unkeyed(OnAmbiguous::Hold) || last.call.is_empty() || last.call == call.shown {
        return None;
    }
    let (code, said) = last.reason.as_ref().map_or(("unknown", ""), |reason| (&reason.code, &reason.message));
    let message =
        format!("{said}; the account's settings are others since, by which a repeat would count again");
    let reason = Reason::new(code, message);
    Some(settle(unheard(now, String::new(), reason.clone()), Settlement::InDoubt(reason)))
}

/// The proof of an attempt of which nothing was heard here.
fn unheard(started_at: Timestamp, call: String, reason: Reason) -> Attempt {
    Attempt {
        started_at,
        duration: Duration::ZERO,
        call,
        status: None,
        answer: String::new(),
        outcome: Outcome::Ambiguous,
        reason: Some(reason),
    }
}

/// A call that was tried.
#[derive(Clone, Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) delivery: &'a Delivery,
    /// When the account's last call began that the network had taken before this one was sent, where one is known.
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) repeat: &'a Repeat,
    /// The call as it may be shown.
    pub(crate) call: &'a str,
    pub(crate) started_at: Timestamp,
    pub(crate) duration: Duration,
    /// When it ended.
    pub(crate) now: Timestamp,
    /// A random number from -1 to 1.
    pub(crate) jitter: f64,
}

/// An answer, and what the network's adapter made of it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// The answer's first bytes as text.
    pub(crate) answer: String,
    pub(crate) verdict: Verdict,
}

/// What becomes of a delivery whose call was tried.
pub(crate) fn after(trial: &Trial<'_>, result: Result<Heard, Failure>) -> Step {
    let heard = match result {
        Ok(heard) => heard,
        Err(Failure::NotSent { reason, .. }) => {
            return settle(trial.attempt(Outcome::NotSent, Some(&reason)), trial.again(None, &reason));
        }
        Err(Failure::Lost(reason)) => {
            return settle(trial.attempt(Outcome::Ambiguous, Some(&reason)), trial.unknown(&reason));
        }
        Err(Failure::Shut { until }) => return Step::Release { at: until },
        Err(Failure::LeaseLost) => return Step::Leave,
        Err(Failure::Unmarked) => {
            return Step::Release { at: trial.now.saturating_add(UNMARKED_REST).unwrap_or(trial.now) };
        }
    };
    let (status, answer) = (Some(heard.status), heard.answer);
    let proof = |outcome, reason| Attempt { status, answer, ..trial.attempt(outcome, reason) };
    match heard.verdict {
        Verdict::Accepted { remote_id } => {
            settle(proof(Outcome::Accepted, None), Settlement::Delivered { remote_id })
        }
        Verdict::AlreadyDone { remote_id } => {
            settle(proof(Outcome::AlreadyDone, None), Settlement::Delivered { remote_id })
        }
        Verdict::Retry { after, reason } => {
            settle(proof(Outcome::Retry, Some(&reason)), trial.again(after, &reason))
        }
        Verdict::Rejected { reason } => {
            settle(proof(Outcome::Rejected, Some(&reason)), Settlement::Dead(reason))
        }
        Verdict::Misconfigured { reason } if trial.is_refused_alone() => {
            let message =
                format!("{}; the network takes the account's other calls, and not this one", reason.message);
            let reason = Reason::new(reason.code, message);
            settle(proof(Outcome::Rejected, Some(&reason)), Settlement::Dead(reason))
        }
        Verdict::Misconfigured { reason } => {
            Step::Pause { attempt: proof(Outcome::Misconfigured, Some(&reason)), reason }
        }
        Verdict::Unreadable { reason } => {
            settle(proof(Outcome::Ambiguous, Some(&reason)), trial.unknown(&reason))
        }
    }
}

impl Trial<'_> {
    fn attempt(&self, outcome: Outcome, reason: Option<&Reason>) -> Attempt {
        Attempt {
            started_at: self.started_at,
            duration: self.duration,
            call: self.call.to_owned(),
            status: None,
            answer: String::new(),
            outcome,
            reason: reason.cloned(),
        }
    }

    /// Whether the network, before this call was sent again, took one of the account that began after it had
    /// first refused this one as the account's fault: then the fault is this call's.
    fn is_refused_alone(&self) -> bool {
        let attempts = self.delivery.attempts.iter().rev();
        let first = attempts.take_while(|attempt| attempt.outcome == Outcome::Misconfigured).last();
        first.zip(self.accepted_at).is_some_and(|(first, accepted_at)| {
            Duration::try_from(accepted_at.duration_since(first.started_at))
                .is_ok_and(|later| later > first.duration + SKEW)
        })
    }

    /// The network may or may not have counted it.
    fn unknown(&self, reason: &Reason) -> Settlement {
        match self.repeat {
            Repeat::Keyed(_) | Repeat::Unkeyed(OnAmbiguous::Resend) => self.again(None, reason),
            Repeat::Unkeyed(OnAmbiguous::Hold) => Settlement::InDoubt(reason.clone()),
        }
    }

    fn again(&self, after: Option<Duration>, reason: &Reason) -> Settlement {
        let failed = self.failed_before() + 1;
        match schedule::next(failed, self.now, self.delivery.expires_at, after, self.jitter) {
            Some(at) => Settlement::Retry { at },
            None => Settlement::Dead(expired(&reason.to_string())),
        }
    }

    /// The failed attempts of the present schedule. One begins anew where a person stepped in: after a refusal
    /// that was replayed, and after a doubt that was resolved. A refusal of the account burns no attempt.
    fn failed_before(&self) -> usize {
        let held = *self.repeat == Repeat::Unkeyed(OnAmbiguous::Hold);
        self.delivery
            .attempts
            .iter()
            .rev()
            .map(|attempt| attempt.outcome)
            .take_while(|&outcome| outcome != Outcome::Rejected && !(held && outcome == Outcome::Ambiguous))
            .filter(|&outcome| outcome != Outcome::Misconfigured)
            .count()
    }
}

fn settle(attempt: Attempt, settlement: Settlement) -> Step {
    Step::Settle { attempt: Some(attempt), settlement }
}

fn dead<C>(reason: Reason) -> ControlFlow<Step, C> {
    ControlFlow::Break(Step::Settle { attempt: None, settlement: Settlement::Dead(reason) })
}

fn expired(last: &str) -> Reason {
    Reason::new("expired", format!("no attempt is left before the end of the click's life; last: {last}"))
}
