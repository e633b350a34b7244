//! The judge, as a table: every result under every way to repeat, early in a click's life and at its end.

use std::{ops::ControlFlow, time::Duration};

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use postback_core::{
    Attempt, Call, Delivery, DeliveryState, Error, Outcome, Reason, Repeat, Result, Verdict,
    ports::{Claim, Settlement},
};

use super::{
    adapter::{HOLD, RESEND, keyed},
    rig::{at, change, claim},
};
use crate::{
    judge::{Heard, Step, Trial, after, before},
    outgoing::Failure,
};

const END: i64 = 30 * 86_400;
const LAST: i64 = END - 3_600;

fn reason() -> Reason {
    Reason::new("why", "because")
}

fn call(repeat: &Repeat) -> Result<Call> {
    let request = Request::get("https://a.example").body(Bytes::new()).unwrap();
    Ok(Call { request, shown: "GET ***".to_owned(), repeat: repeat.clone(), warnings: Vec::new() })
}

fn refused() -> Result<Call> {
    Err(Error::invalid("value", "is above 200").because("PRICE_TOO_HIGH"))
}

/// What a step comes to, in a word.
fn word(step: &Step) -> String {
    match step {
        Step::Settle { settlement, .. } => match settlement {
            Settlement::Delivered { remote_id } => {
                format!("delivered {}", remote_id.as_deref().unwrap_or("-"))
            }
            Settlement::Retry { at: then } => format!("retry +{}", then.duration_since(at(0)).as_secs()),
            Settlement::InDoubt(reason) => format!("in doubt {}", reason.code),
            Settlement::Dead(reason) => format!("dead {}", reason.code),
        },
        Step::Pause { reason, .. } => format!("pause {}", reason.code),
        Step::Release { at: then } => format!("release +{}", then.duration_since(at(0)).as_secs()),
        Step::Leave => "leave".to_owned(),
    }
}

fn attempt(step: &Step) -> Option<&Attempt> {
    match step {
        Step::Settle { attempt, .. } => attempt.as_ref(),
        Step::Pause { attempt, .. } => Some(attempt),
        Step::Release { .. } | Step::Leave => None,
    }
}

fn says(verdict: Verdict) -> Result<Heard, Failure> {
    Ok(Heard { status: 200, answer: "body".to_owned(), verdict })
}

/// What the step at `now` is, after attempts that came to `before`.
fn judged(repeat: &Repeat, before: &[Outcome], now: Timestamp, result: Result<Heard, Failure>) -> Step {
    let attempts = before.iter().map(|&outcome| earlier(outcome)).collect();
    judged_beside(None, repeat, attempts, now, result)
}

/// The same, after a call of the account that began at `accepted_at` and was taken.
fn judged_beside(
    accepted_at: Option<Timestamp>,
    repeat: &Repeat,
    attempts: Vec<Attempt>,
    now: Timestamp,
    result: Result<Heard, Failure>,
) -> Step {
    let delivery = Delivery { attempts, ..claim().delivery };
    let (delivery, call, duration) = (&delivery, "GET ***", Duration::from_millis(40));
    let trial = Trial { delivery, accepted_at, repeat, call, started_at: now, duration, now, jitter: 0.0 };
    after(&trial, result)
}

fn earlier(outcome: Outcome) -> Attempt {
    Attempt {
        started_at: at(0),
        duration: Duration::ZERO,
        call: String::new(),
        status: None,
        answer: String::new(),
        outcome,
        reason: None,
    }
}

/// A result, its outcome, and what becomes of the delivery: with a key, to be held, to be sent again.
type Row = (fn() -> Result<Heard, Failure>, Option<Outcome>, [&'static str; 3]);

const EARLY: [Row; 13] = [
    (
        || says(Verdict::Accepted { remote_id: Some("7".to_owned()) }),
        Some(Outcome::Accepted),
        ["delivered 7"; 3],
    ),
    (|| says(Verdict::Accepted { remote_id: None }), Some(Outcome::Accepted), ["delivered -"; 3]),
    (
        || says(Verdict::AlreadyDone { remote_id: Some("7".to_owned()) }),
        Some(Outcome::AlreadyDone),
        ["delivered 7"; 3],
    ),
    (|| says(Verdict::Retry { after: None, reason: reason() }), Some(Outcome::Retry), ["retry +5"; 3]),
    (
        || says(Verdict::Retry { after: Some(Duration::from_secs(90)), reason: reason() }),
        Some(Outcome::Retry),
        ["retry +90"; 3],
    ),
    (|| says(Verdict::Rejected { reason: reason() }), Some(Outcome::Rejected), ["dead why"; 3]),
    (|| says(Verdict::Misconfigured { reason: reason() }), Some(Outcome::Misconfigured), ["pause why"; 3]),
    (
        || says(Verdict::Unreadable { reason: reason() }),
        Some(Outcome::Ambiguous),
        ["retry +5", "in doubt why", "retry +5"],
    ),
    (|| Err(Failure::NotSent { reason: reason(), blip: true }), Some(Outcome::NotSent), ["retry +5"; 3]),
    (|| Err(Failure::Lost(reason())), Some(Outcome::Ambiguous), ["retry +5", "in doubt why", "retry +5"]),
    (|| Err(Failure::Shut { until: at(9) }), None, ["release +9"; 3]),
    (|| Err(Failure::Unmarked), None, ["release +1"; 3]),
    (|| Err(Failure::LeaseLost), None, ["leave"; 3]),
];

#[test]
fn every_result_is_judged_as_the_way_to_repeat_it_allows() {
    for (row, (result, outcome, want)) in EARLY.into_iter().enumerate() {
        for (repeat, want) in [keyed(), HOLD, RESEND].iter().zip(want) {
            let step = judged(repeat, &[], at(0), result());
            assert_eq!(word(&step), want, "row {row}, {repeat:?}");
            assert_eq!(attempt(&step).map(|attempt| attempt.outcome), outcome, "row {row}, {repeat:?}");
        }
    }
}

#[test]
fn where_no_attempt_is_left_what_would_be_retried_is_dead_and_what_is_in_doubt_stays_so() {
    for (row, (result, outcome, early)) in EARLY.into_iter().enumerate() {
        for (repeat, early) in [keyed(), HOLD, RESEND].iter().zip(early) {
            let step = judged(repeat, &[], at(END - 1), result());
            let now = END - 1;
            let want = match early {
                _ if early.starts_with("retry") => "dead expired".to_owned(),
                "release +1" => format!("release +{}", now + 1),
                other => other.to_owned(),
            };
            assert_eq!(word(&step), want, "row {row}, {repeat:?}");
            assert_eq!(attempt(&step).map(|attempt| attempt.outcome), outcome, "row {row}, {repeat:?}");
        }
    }
}

#[test]
fn one_attempt_is_made_an_hour_before_the_end() {
    let before = [Outcome::Retry; 10];
    let retry = || says(Verdict::Retry { after: None, reason: reason() });
    assert_eq!(word(&judged(&HOLD, &before, at(LAST - 7_200), retry())), format!("retry +{LAST}"));
    assert_eq!(word(&judged(&HOLD, &before, at(LAST), retry())), "dead expired");
}

#[test]
fn an_attempt_keeps_the_time_the_call_the_answer_and_the_reason() {
    let step = judged(&HOLD, &[], at(3), says(Verdict::Retry { after: None, reason: reason() }));
    let want = Attempt {
        started_at: at(3),
        duration: Duration::from_millis(40),
        call: "GET ***".to_owned(),
        status: Some(200),
        answer: "body".to_owned(),
        outcome: Outcome::Retry,
        reason: Some(reason()),
    };
    assert_eq!(attempt(&step), Some(&want));
    let step = judged(&HOLD, &[], at(3), Err(Failure::Lost(reason())));
    let want = Attempt { status: None, answer: String::new(), outcome: Outcome::Ambiguous, ..want };
    assert_eq!(attempt(&step), Some(&want));
}

#[test]
fn waits_grow_with_the_failed_attempts_of_the_present_schedule() {
    use Outcome::{Ambiguous, Misconfigured, NotSent, Rejected, Retry};
    let table: [(&[Outcome], [&str; 2]); 7] = [
        (&[], ["retry +5", "retry +5"]),
        (&[Retry], ["retry +30", "retry +30"]),
        (&[Retry, NotSent, Retry], ["retry +600", "retry +600"]),
        // refused for good, and replayed: a fresh schedule
        (&[Retry, Retry, Rejected], ["retry +5", "retry +5"]),
        (&[Retry, Rejected, NotSent], ["retry +30", "retry +30"]),
        // the account was refused: nothing is burnt
        (&[Retry, Misconfigured, Misconfigured], ["retry +30", "retry +30"]),
        // ambiguous: with a key one more failure; held, a person has sent it again since
        (&[Retry, Ambiguous], ["retry +120", "retry +5"]),
    ];
    for (before, want) in table {
        for (repeat, want) in [keyed(), HOLD].iter().zip(want) {
            let step = judged(repeat, before, at(0), Err(Failure::NotSent { reason: reason(), blip: true }));
            assert_eq!(word(&step), want, "{before:?}, {repeat:?}");
        }
    }
}

/// Earlier attempts by when they began, when the account's last call that was taken began, and what comes of it.
type Refused = (&'static [(Outcome, i64)], Option<i64>, &'static str);

#[test]
fn a_call_that_is_refused_again_though_the_account_is_not_is_dead() {
    use Outcome::{Misconfigured, NotSent};
    let table: [Refused; 9] = [
        (&[], Some(500), "pause why"),
        (&[(Misconfigured, 10)], None, "pause why"),
        (&[(Misconfigured, 10)], Some(9), "pause why"),
        // a call that began before the refusal came says nothing of what holds since
        (&[(Misconfigured, 10)], Some(11), "pause why"),
        // another hub may have been refused, whose clock may be five minutes behind
        (&[(Misconfigured, 10)], Some(311), "pause why"),
        (&[(Misconfigured, 10)], Some(312), "dead why"),
        // the account was taken after the first refusal of the unbroken run
        (&[(Misconfigured, 10), (Misconfigured, 400)], Some(350), "dead why"),
        (&[(Misconfigured, 10), (NotSent, 200), (Misconfigured, 300)], Some(350), "pause why"),
        (&[(Misconfigured, 10), (NotSent, 20)], Some(350), "pause why"),
    ];
    for (before, accepted_at, want) in table {
        let attempts = before
            .iter()
            .map(|&(outcome, after)| Attempt {
                started_at: at(after),
                duration: Duration::from_secs(1),
                ..earlier(outcome)
            })
            .collect();
        let refused = says(Verdict::Misconfigured { reason: reason() });
        let step = judged_beside(accepted_at.map(at), &HOLD, attempts, at(600), refused);
        assert_eq!(word(&step), want, "{before:?}, {accepted_at:?}");
        let tried = attempt(&step).unwrap();
        let dead = want.starts_with("dead");
        assert_eq!(tried.outcome, if dead { Outcome::Rejected } else { Misconfigured });
        assert_eq!(tried.reason.as_ref().unwrap().message.contains("takes the account's other calls"), dead);
    }
}

/// What comes before a claim's call: `send`, or the step instead of it.
fn opened(claim: &Claim, call: Result<Call>, now: Timestamp) -> (String, Option<Step>) {
    match before(claim, call, now) {
        ControlFlow::Continue(_) => ("send".to_owned(), None),
        ControlFlow::Break(step) => (word(&step), Some(step)),
    }
}

#[test]
fn a_claim_is_sent_unless_something_speaks_against_it() {
    let table = [
        ("fresh", claim(), call(&HOLD), 0, "send"),
        ("with a second left", claim(), call(&HOLD), END - 1, "send"),
        ("past its time", claim(), call(&HOLD), END, "dead expired"),
        ("refused by the adapter", claim(), refused(), 0, "dead price_too_high"),
        ("refused and past its time", claim(), refused(), END, "dead expired"),
        ("a change after its lead", change(DeliveryState::Delivered), call(&keyed()), 0, "send"),
        (
            "a change whose lead is dead",
            change(DeliveryState::Dead(reason())),
            call(&keyed()),
            0,
            "dead lead_not_delivered",
        ),
        (
            "a change whose lead was replayed behind it",
            change(DeliveryState::Pending),
            call(&keyed()),
            0,
            "dead lead_not_delivered",
        ),
    ];
    for (name, claim, call, now, want) in table {
        let (word, step) = opened(&claim, call, at(now));
        assert_eq!(word, want, "{name}");
        assert!(step.as_ref().and_then(attempt).is_none(), "{name}: nothing was tried");
    }
}

#[test]
fn a_claim_whose_earlier_attempt_began_and_did_not_end_is_ambiguous() {
    let mut claim = claim();
    claim.delivery.started_at = Some(at(1));
    let table = [
        ("with a key since", call(&keyed()), 60, "in doubt interrupted"),
        ("held", call(&HOLD), 60, "in doubt interrupted"),
        ("held, past its time", call(&HOLD), END, "in doubt interrupted"),
        ("resent", call(&RESEND), 60, "retry +60"),
        ("resent, past its time", call(&RESEND), END, "dead expired"),
        ("refused by now", refused(), 60, "in doubt interrupted"),
    ];
    for (name, call, now, want) in table {
        let (word, step) = opened(&claim, call, at(now));
        assert_eq!(word, want, "{name}");
        let step = step.unwrap();
        let attempt = attempt(&step).unwrap();
        assert_eq!((attempt.outcome, attempt.started_at), (Outcome::Ambiguous, at(1)), "{name}");
        assert_eq!(attempt.reason.as_ref().unwrap().code, "interrupted", "{name}");
    }
}

#[test]
fn what_another_call_may_have_told_is_not_told_by_one_that_cannot_tell_a_repeat() {
    let keyed_call = || Attempt { call: "GET key=***".to_owned(), ..earlier(Outcome::Ambiguous) };
    let this_call = || Attempt { call: "GET ***".to_owned(), ..earlier(Outcome::Ambiguous) };
    let table = [
        ("with the key", vec![keyed_call()], keyed(), "send"),
        ("without the key since", vec![keyed_call()], HOLD, "in doubt unknown"),
        ("that, and one for later", vec![keyed_call(), earlier(Outcome::Retry)], HOLD, "in doubt unknown"),
        ("to be sent again without a key", vec![keyed_call()], RESEND, "send"),
        ("a person decided to send it again", vec![this_call()], HOLD, "send"),
        ("an attempt that was never sent", vec![earlier(Outcome::NotSent)], HOLD, "send"),
    ];
    for (name, attempts, repeat, want) in table {
        let mut claim = claim();
        claim.delivery.attempts = attempts;
        let (word, step) = opened(&claim, call(&repeat), at(60));
        assert_eq!(word, want, "{name}");
        let Some(step) = step else { continue };
        // A person decides to send it again: now it is.
        claim.delivery.attempts.extend(attempt(&step).cloned());
        assert_eq!(opened(&claim, call(&repeat), at(90)).0, "send", "{name}");
    }
}

#[test]
fn a_refusal_says_which_field_is_wrong() {
    let ControlFlow::Break(Step::Settle { settlement: Settlement::Dead(reason), .. }) =
        before(&claim(), refused(), at(0))
    else {
        panic!("a refused call is dead");
    };
    assert_eq!(reason.to_string(), "price_too_high: value: is above 200");
}
