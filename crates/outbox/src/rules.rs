//! What both engines decide alike: bounds, classes and shares, and what a step does to a delivery.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Attempt, COMMENT, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Error, ErrorKind, Event,
    LaneId, Reason, Result, Shard, UserId,
    ports::{ConversionFilter, DeliveryFilter, RequestKey, Reservation, Resolution, Settlement},
};
use postback_proto::v1;
use prost::Message;

/// The words of the states, as [`DeliveryState::as_str`] has them: under each an account's deliveries are listed.
pub(crate) const STATES: [&str; 5] = ["pending", "waiting", "in_doubt", "delivered", "dead"];

/// How long the keys live that tell a repeat from a new conversion: a click's life and a week.
pub(crate) const KEYS_KEPT: SignedDuration = SignedDuration::from_hours(37 * 24);
/// What is dated further ahead than this was dated by a clock that was wrong.
pub(crate) const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// Two clocks that differ by more than this are not believed where something would be removed by one of them.
pub(crate) const APART: SignedDuration = SignedDuration::from_hours(3);
/// The most attempts kept of a delivery: the first, and the latest of the rest.
pub(crate) const ATTEMPTS_KEPT: usize = 64;
/// The most deliveries of one conversion, and in one lane.
pub(crate) const MOST_TOLD: usize = 1_000;
/// The most records that one sweep takes of each sort.
pub(crate) const SWEPT: usize = 500;
/// The reason of a change whose conversion never came.
pub(crate) const LEAD_NEVER_CAME: &str = "lead_never_came";
/// The reason of a change whose conversion's own delivery died; those are replayed with it.
pub(crate) const LEAD_NOT_DELIVERED: &str = "lead_not_delivered";

/// Which share of a claim a lane takes, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Never attempted.
    Fresh,
    /// Attempted before.
    Retry,
}

impl Class {
    pub(crate) fn of(head: &Delivery) -> Self {
        if head.attempts.is_empty() && head.started_at.is_none() { Self::Fresh } else { Self::Retry }
    }
}

/// How many lanes are claimed, of those that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Fresh ones that have waited longest.
    pub(crate) oldest: usize,
    /// Fresh ones that came last: after an outage what is new does not wait for the whole backlog.
    pub(crate) newest: usize,
    /// Those to be tried again.
    pub(crate) retries: usize,
}

/// How many draws there are: see [`shares`].
pub(crate) const DRAWS: usize = 10;

/// The shares of a claim: a fifth for retries, the rest for fresh lanes, and to each what the other leaves. Where
/// more fresh ones are due than are claimed, half are taken from either end. A random `draw` below [`DRAWS`]
/// decides who has what cannot be parted, so that the shares hold over many small claims.
pub(crate) fn shares(limit: usize, fresh: usize, retries: usize, draw: usize) -> Shares {
    let promised = limit - (limit + draw % 5) / 5;
    let claimed = fresh.min(promised.max(limit.saturating_sub(retries)));
    let newest = if claimed < fresh { (claimed + draw / 5) / 2 } else { 0 };
    Shares { oldest: claimed - newest, newest, retries: retries.min(limit - claimed) }
}

/// How long a settled conversion is kept: as asked, and not less than its key is needed.
pub(crate) fn retention(asked: Duration) -> SignedDuration {
    SignedDuration::try_from(asked).unwrap_or(SignedDuration::MAX).max(KEYS_KEPT)
}

/// A time in whole milliseconds, which is what the schedules count in: never before `at`.
pub(crate) fn millis(at: Timestamp) -> i64 {
    let whole = at.as_millisecond();
    if from_millis(whole) < at { whole + 1 } else { whole }
}

/// The time of a schedule's entry.
pub(crate) fn from_millis(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// From `now` until `at`, in whole milliseconds: never less than it is, and what is due is not put off.
pub(crate) fn wait(at: Timestamp, now: Timestamp) -> i64 {
    let wait = millis(at) - now.as_millisecond();
    if at <= now { wait.min(0) } else { wait }
}

/// What ends a claim does to its delivery.
pub(crate) fn settle(delivery: &mut Delivery, attempt: Option<Attempt>, settlement: Settlement) {
    let unanswered = delivery.started_at.take().filter(|_| attempt.is_none());
    if let Some(attempt) = attempt {
        delivery.attempts.push(attempt);
        if delivery.attempts.len() > ATTEMPTS_KEPT {
            delivery.attempts.remove(1);
        }
    }
    delivery.due_at = None;
    delivery.state = match settlement {
        Settlement::Delivered { remote_id } => {
            delivery.remote_id = remote_id.or_else(|| delivery.remote_id.take());
            DeliveryState::Delivered
        }
        Settlement::Retry { at } => {
            delivery.due_at = Some(from_millis(millis(at)));
            DeliveryState::Pending
        }
        Settlement::InDoubt(reason) => {
            delivery.started_at = unanswered;
            DeliveryState::InDoubt(reason)
        }
        Settlement::Dead(reason) => DeliveryState::Dead(reason),
    };
}

/// What a person's decision does to a delivery in doubt.
pub(crate) fn resolve(delivery: &mut Delivery, resolution: Resolution, now: Timestamp) {
    delivery.started_at = None;
    match resolution {
        Resolution::Delivered => delivery.state = DeliveryState::Delivered,
        Resolution::Resend => (delivery.state, delivery.due_at) = (DeliveryState::Pending, Some(now)),
    }
}

/// Makes a delivery the head of its lane; returns when it is due, in milliseconds. One that was never put off is due
/// since it was created, and has its place in the schedule by that: what comes after an old conversion is not new.
pub(crate) fn turn(delivery: &mut Delivery, now: Timestamp) -> i64 {
    let due = millis(delivery.due_at.unwrap_or(delivery.created_at.min(now)));
    delivery.due_at = Some(from_millis(due));
    due
}

/// When a reservation ends, in milliseconds.
pub(crate) fn ends(reservation: &Reservation) -> i64 {
    millis(reservation.at.saturating_add(KEYS_KEPT).unwrap_or(Timestamp::MAX))
}

/// Whether a delivery may still tell its conversion's customer: it is to be told, or is a dead letter that can be
/// replayed.
pub(crate) fn needs_customer(delivery: &Delivery, now: Timestamp) -> bool {
    match delivery.state {
        DeliveryState::Delivered => false,
        DeliveryState::Dead(_) => now < delivery.expires_at,
        DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::InDoubt(_) => true,
    }
}

/// Whether a dead letter died because its conversion's own delivery did.
pub(crate) fn died_with_its_lead(delivery: &Delivery) -> bool {
    matches!(&delivery.state, DeliveryState::Dead(reason) if reason.code == LEAD_NOT_DELIVERED)
}

/// Whether a change that is to die with its conversion's own delivery takes a place behind it instead: that one was
/// replayed meanwhile, and waits in the same lane.
pub(crate) fn follows_its_lead(settlement: &Settlement, delivery: &Delivery, lead: &DeliveryState) -> bool {
    matches!(settlement, Settlement::Dead(reason) if reason.code == LEAD_NOT_DELIVERED)
        && matches!(delivery.event, Event::Changed(_))
        && *lead == DeliveryState::Pending
}

/// Why a change dies whose conversion never came.
pub(crate) fn never_came() -> Reason {
    Reason::new(LEAD_NEVER_CAME, "the conversion that it changes was never recorded")
}

/// Removes what identifies a person. Returns whether there was anything.
pub(crate) fn erase(conversion: &mut Conversion) -> bool {
    let details = &mut conversion.details;
    let known = !details.customer.is_anonymous() | conversion.user.take().is_some();
    details.customer.erase();
    details.fields.remove(COMMENT).is_some() | known
}

/// Removes what may identify a person from a change. Returns whether there was anything.
pub(crate) fn erase_change(delivery: &mut Delivery) -> bool {
    match &mut delivery.event {
        Event::Changed(change) => change.fields.remove(COMMENT).is_some(),
        Event::Created => false,
    }
}

/// Refuses more deliveries than one lane, or one conversion, may have.
pub(crate) fn room(many: usize) -> Result<()> {
    if many <= MOST_TOLD { Ok(()) } else { Err(full()) }
}

pub(crate) fn full() -> Error {
    let message = format!("more than {MOST_TOLD} deliveries wait for one source or are of one conversion");
    Error::new(ErrorKind::ResourceExhausted, "LANE_FULL", message)
}

/// Says that a damaged record is in no list: it keeps no others from being seen.
pub(crate) fn left_out(error: &Error) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a record cannot be read, and is left out of a list"
    );
}

pub(crate) fn damaged() -> Error {
    Error::internal("a stored record cannot be read")
}

/// A record that can be decoded and says nothing sensible.
pub(crate) fn unreadable(error: Error) -> Error {
    damaged().caused_by(error)
}

/// Reads a record.
pub(crate) fn read<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|error| damaged().caused_by(error))
}

/// Reads a reservation.
pub(crate) fn reservation(bytes: &[u8]) -> Result<Reservation> {
    Reservation::try_from(read::<v1::ReservationRecord>(bytes)?).map_err(unreadable)
}

pub(crate) fn no_conversion(id: ConversionId) -> Error {
    Error::not_found("CONVERSION_NOT_FOUND", format!("there is no conversion {id}"))
}

pub(crate) fn no_delivery(id: DeliveryId) -> Error {
    Error::not_found("DELIVERY_NOT_FOUND", format!("there is no delivery {id}"))
}

pub(crate) fn not_in_doubt(state: &str) -> Error {
    Error::precondition("NOT_IN_DOUBT", format!("the delivery is {state}; only one in doubt can be resolved"))
}

pub(crate) fn not_dead(state: &str) -> Error {
    Error::precondition("NOT_DEAD", format!("the delivery is {state}; only a dead letter can be replayed"))
}

pub(crate) fn clocks_apart() -> Error {
    let message = "the clocks of this machine and of Redis's differ by more than 3 hours; nothing is removed until \
                   they agree";
    Error::precondition("CLOCKS_APART", message)
}

pub(crate) fn life_over() -> Error {
    Error::precondition("CLICK_EXPIRED", "the click's life is over; the network would not count it any more")
}

pub(crate) fn no_lead() -> Error {
    Error::precondition("CONVERSION_NOT_FOUND", "the conversion that it changes was never recorded")
}

/// Refuses records that would lie apart from their lane.
pub(crate) fn together(lane: &LaneId, conversion: Shard, delivery: Shard) -> Result<()> {
    if conversion != lane.shard() {
        return Err(Error::invalid("conversion_id", "is not of its lane's shard"));
    }
    if delivery != lane.shard() {
        return Err(Error::invalid("delivery_id", "is not of its lane's shard"));
    }
    Ok(())
}

/// The name under which a user's conversions are found: no byte of it tells the user.
pub(crate) fn user_key(user: &UserId) -> [u8; 16] {
    *RequestKey::of(&["user", user.as_str()]).as_bytes()
}

/// Whether a conversion is one of those asked for.
pub(crate) fn lists_conversion(filter: &ConversionFilter, conversion: &Conversion) -> bool {
    filter.account.as_ref().is_none_or(|account| *account == conversion.account)
        && filter.campaign.as_ref().is_none_or(|campaign| Some(campaign) == conversion.campaign.as_ref())
        && filter.kind.is_none_or(|kind| kind == conversion.details.kind)
        && filter.lane.is_none_or(|lane| lane == conversion.lane)
        && filter.since.is_none_or(|since| conversion.recorded_at >= since)
        && filter.until.is_none_or(|until| conversion.recorded_at < until)
}

/// Whether a delivery is one of those asked for.
pub(crate) fn lists_delivery(filter: &DeliveryFilter, delivery: &Delivery) -> bool {
    filter.account.as_ref().is_none_or(|account| *account == delivery.account)
        && filter.conversion.is_none_or(|conversion| conversion == delivery.conversion)
        && filter.state.is_none_or(|state| state == delivery.state.as_str())
        && filter.since.is_none_or(|since| delivery.created_at >= since)
        && filter.until.is_none_or(|until| delivery.created_at < until)
}

/// Before this id nothing was made at or after `since`: an id is at most [`KEYS_KEPT`] older than its record.
pub(crate) fn oldest_id(since: Option<Timestamp>) -> [u8; 16] {
    let millis = since
        .and_then(|since| since.checked_sub(KEYS_KEPT).ok())
        .and_then(|since| u64::try_from(since.as_millisecond()).ok())
        .unwrap_or(0);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_keeps_four_fifths_and_what_is_not_used_goes_to_the_other() {
        for (limit, fresh, retries, want) in [
            (10, 100, 100, (8, 2)),
            (10, 100, 1, (9, 1)),
            (10, 3, 100, (3, 7)),
            (10, 0, 100, (0, 10)),
            (10, 100, 0, (10, 0)),
            (1, 1, 1, (1, 0)),
            (1, 0, 1, (0, 1)),
            (7, 100, 100, (6, 1)),
            (0, 5, 5, (0, 0)),
            (10, 2, 3, (2, 3)),
        ] {
            let Shares { oldest, newest, retries: old } = shares(limit, fresh, retries, 0);
            assert_eq!((oldest + newest, old), want, "{limit} of {fresh} and {retries}");
        }
    }

    #[test]
    fn more_than_can_be_claimed_is_taken_from_both_ends() {
        let of = |limit, fresh| {
            let Shares { oldest, newest, .. } = shares(limit, fresh, 0, 0);
            (oldest, newest)
        };
        assert_eq!([of(10, 11), of(10, 10), of(10, 3), of(9, 99)], [(5, 5), (10, 0), (3, 0), (5, 4)]);
    }

    #[test]
    fn claims_of_one_keep_the_shares_in_the_long_run() {
        let mut sum = Shares { oldest: 0, newest: 0, retries: 0 };
        for draw in 0..DRAWS {
            let one = shares(1, 100, 100, draw);
            sum.oldest += one.oldest;
            sum.newest += one.newest;
            sum.retries += one.retries;
        }
        assert_eq!(sum, Shares { oldest: 4, newest: 4, retries: 2 });
    }

    #[test]
    fn a_time_is_rounded_up_so_that_nothing_is_due_early() {
        let at: Timestamp = "2026-01-01T00:00:00.0000001Z".parse().unwrap();
        assert_eq!(from_millis(millis(at)), "2026-01-01T00:00:00.001Z".parse().unwrap());
        let whole: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!(from_millis(millis(whole)), whole);
    }

    #[test]
    fn a_wait_is_rounded_up_and_what_is_due_waits_for_nothing() {
        let now: Timestamp = "2026-01-01T00:00:00.0105Z".parse().unwrap();
        let waits =
            [-10_000, -200, 0, 200, 1_500].map(|micros| wait(now + SignedDuration::from_micros(micros), now));
        assert_eq!(waits, [-9, 0, 0, 1, 2]);
    }

    #[test]
    fn an_id_made_before_its_record_is_still_listed() {
        let since: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let reserved = uuid::Timestamp::from_unix(uuid::NoContext, since.as_second() as u64 - 30 * 86_400, 0);
        assert!(oldest_id(Some(since)) < *uuid::Uuid::new_v7(reserved).as_bytes());
        assert_eq!(oldest_id(None), [0; 16]);
    }
}
