//! What is counted, measured and logged of the work.

use std::sync::OnceLock;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use postback_core::{
    AccountId, Attempt, Outcome,
    ports::{Claim, Settlement},
};
use tracing::info;

const ATTEMPTS: &str = "postback_attempts_total";
const DELIVERIES: &str = "postback_deliveries_total";
const SECONDS: &str = "postback_delivery_seconds";
const IN_FLIGHT: &str = "postback_deliveries_in_flight";
const PAUSES: &str = "postback_account_pauses_total";
const BREAKER: &str = "postback_breaker_open";
const LEASES_LOST: &str = "postback_leases_lost_total";
const OUTBOX_ERRORS: &str = "postback_dispatch_outbox_errors_total";
/// How a delivery ends.
const ENDS: [&str; 3] = ["delivered", "in_doubt", "dead"];

/// Says what the numbers mean.
pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        Unit::Count,
        "Calls to a network and claims found interrupted, by account and what they came to"
    );
    describe_counter!(
        DELIVERIES,
        Unit::Count,
        "Deliveries that ended delivered, in_doubt or dead, by account"
    );
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "How long one call to a network took, body included, by account and what it came to"
    );
    describe_gauge!(IN_FLIGHT, Unit::Count, "Deliveries being sent or settled, by account");
    describe_counter!(PAUSES, Unit::Count, "How often a network's refusal of the account paused it");
    describe_gauge!(
        BREAKER,
        Unit::Count,
        "1 while the account's circuit breaker is not closed, for deliveries and for look-ups"
    );
    describe_counter!(LEASES_LOST, Unit::Count, "Claims that ended before they were settled");
    describe_counter!(OUTBOX_ERRORS, Unit::Count, "Steps at the outbox that failed, by step");
    for step in ["claim", "start", "settle", "release", "pause"] {
        counter!(OUTBOX_ERRORS, "step" => step).absolute(0);
    }
}

/// Shows an account's counters before anything of them happened.
pub(crate) fn begin(account: &AccountId) {
    for counter in [PAUSES, LEASES_LOST] {
        counter!(counter, "account" => account.to_string()).absolute(0);
    }
    for outcome in ENDS {
        counter!(DELIVERIES, "account" => account.to_string(), "outcome" => outcome).absolute(0);
    }
}

/// What every delivery of an account is counted in, each looked up once and not before there is something to count.
#[derive(Default)]
pub(crate) struct Meter {
    attempts: [OnceLock<(Counter, Histogram)>; Outcome::ALL.len()],
    ends: [OnceLock<Counter>; ENDS.len()],
    in_flight: OnceLock<Gauge>,
}

impl Meter {
    /// Logs and counts one call.
    pub(crate) fn attempt(&self, network: &'static str, claim: &Claim, attempt: &Attempt) {
        let account = &claim.delivery.account;
        let outcome = attempt.outcome.as_str();
        let (attempts, seconds) = self.attempts[attempt.outcome as usize].get_or_init(|| {
            (
                counter!(ATTEMPTS, "account" => account.to_string(), "outcome" => outcome),
                histogram!(SECONDS, "account" => account.to_string(), "outcome" => outcome),
            )
        });
        attempts.increment(1);
        seconds.record(attempt.duration.as_secs_f64());
        info!(
            %account,
            network,
            delivery = %claim.delivery.id,
            conversion = %claim.delivery.conversion,
            started_at = %attempt.started_at,
            duration_ms = attempt.duration.as_millis() as u64,
            outcome,
            status = attempt.status,
            reason = attempt.reason.as_ref().map(tracing::field::display),
            call = attempt.call,
            "postback"
        );
    }

    /// Counts a delivery that ended.
    pub(crate) fn settled(&self, account: &AccountId, settlement: &Settlement) {
        let place = match settlement {
            Settlement::Retry { .. } => return,
            Settlement::Delivered { .. } => 0,
            Settlement::InDoubt(_) => 1,
            Settlement::Dead(_) => 2,
        };
        let counter = || counter!(DELIVERIES, "account" => account.to_string(), "outcome" => ENDS[place]);
        self.ends[place].get_or_init(counter).increment(1);
    }

    pub(crate) fn in_flight(&self, account: &AccountId, deliveries: usize) {
        let gauge = || gauge!(IN_FLIGHT, "account" => account.to_string());
        self.in_flight.get_or_init(gauge).set(deliveries as f64);
    }
}

pub(crate) fn pause(account: &AccountId) {
    counter!(PAUSES, "account" => account.to_string()).increment(1);
}

pub(crate) fn breaker(account: &AccountId, what: &'static str, open: bool) {
    gauge!(BREAKER, "account" => account.to_string(), "calls" => what).set(f64::from(u8::from(open)));
}

pub(crate) fn lease_lost(account: &AccountId) {
    counter!(LEASES_LOST, "account" => account.to_string()).increment(1);
}

pub(crate) fn outbox_error(step: &'static str) {
    counter!(OUTBOX_ERRORS, "step" => step).increment(1);
}
