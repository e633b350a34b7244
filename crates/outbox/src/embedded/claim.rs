//! Steps of a worker: claim, start, settle, release.

use std::time::Duration;

use jiff::Timestamp;
use postback_core::{
    AccountId, Attempt, Delivery, DeliveryState, Error, LaneId,
    ports::{Claim, Claims, Fence, Settlement},
};
use postback_redb_file::{Failure, Step};
use redb::{AccessGuard, ReadableTable, StorageError};

use super::{
    records::Lane,
    tables::{Id, Tables},
};
use crate::rules::{self, Class};

/// Where a lane stands in its account's schedule: whether it is to be tried again, when it is due, and which it is.
type Place = (bool, i64, Id);
/// An entry of the schedule.
type Entry<'a> = (AccessGuard<'a, (&'static str, bool, i64, Id)>, AccessGuard<'a, ()>);

/// See [`postback_core::ports::Outbox::claim`].
pub(super) fn claim(
    tables: &mut Tables<'_>,
    now: Timestamp,
    account: &AccountId,
    limit: usize,
    lease: Duration,
) -> Step<Claims> {
    if tables.paused(account)?.is_some() {
        return Ok(Claims::default());
    }
    let lanes = due(&tables.schedule, account.as_str(), rules::millis(now), limit)?;

    let ends = rules::millis(now.saturating_add(lease).unwrap_or(Timestamp::MAX));
    let mut claims = Vec::with_capacity(lanes.len());
    for place in lanes {
        claims.extend(take(tables, account, place, ends)?);
    }
    Ok(Claims { claims, next_due: next_due(&tables.schedule, account.as_str())? })
}

/// The lanes to be claimed, of those that are due.
fn due(
    schedule: &impl ReadableTable<(&'static str, bool, i64, Id), ()>,
    account: &str,
    now: i64,
    limit: usize,
) -> Step<Vec<Place>> {
    let all = |class| {
        let retry = class == Class::Retry;
        schedule.range((account, retry, i64::MIN, [0; 16])..=(account, retry, now, [255; 16]))
    };
    // One more than can be claimed says that not all are.
    let mut lanes = places(all(Class::Fresh)?.take(limit + 1))?;
    let retries = places(all(Class::Retry)?.take(limit))?;
    let shares = rules::shares(limit, lanes.len(), retries.len(), fastrand::usize(..rules::DRAWS));
    lanes.truncate(shares.oldest);
    lanes.extend(places(all(Class::Fresh)?.rev().take(shares.newest))?);
    lanes.extend(&retries[..shares.retries]);
    Ok(lanes)
}

/// The lanes of a part of the schedule.
fn places<'a>(entries: impl Iterator<Item = Result<Entry<'a>, StorageError>>) -> Step<Vec<Place>> {
    let place = |entry: Entry<'_>| (entry.0.value().1, entry.0.value().2, entry.0.value().3);
    entries.map(|entry| Ok(place(entry?))).collect()
}

/// When the next lane of an account is due.
pub(super) fn next_due(
    schedule: &impl ReadableTable<(&'static str, bool, i64, Id), ()>,
    account: &str,
) -> Step<Option<Timestamp>> {
    let mut next: Option<i64> = None;
    for retry in [false, true] {
        let all = (account, retry, i64::MIN, [0; 16])..=(account, retry, i64::MAX, [255; 16]);
        if let Some(entry) = schedule.range(all)?.next() {
            let due = entry?.0.value().2;
            next = Some(next.map_or(due, |next| next.min(due)));
        }
    }
    Ok(next.map(rules::from_millis))
}

/// Leases a lane. One whose records are damaged is taken off the schedule, so that it stops no other.
fn take(
    tables: &mut Tables<'_>,
    account: &AccountId,
    (retry, due, id): Place,
    ends: i64,
) -> Step<Option<Claim>> {
    let name = LaneId::from_bytes(id);
    let (mut lane, mut claim) = match look(tables, name) {
        Ok(found) => found,
        Err(failure) => {
            let error = Error::from(failure);
            tracing::error!(lane = %name, error = &error as &dyn std::error::Error, "a lane stands still");
            tables.schedule.remove((account.as_str(), retry, due, id))?;
            return Ok(None);
        }
    };
    lane.lease = tables.next_lease()?;
    lane.lease_ends = ends;
    claim.fence.token = lane.lease;
    let class = lane.class();
    tables.schedule(name, &mut lane, Some((ends, class)))?;
    tables.put_lane(name, &lane)?;
    Ok(Some(claim))
}

/// Reads a lane, and what a worker needs of its head.
fn look(tables: &Tables<'_>, id: LaneId) -> Step<(Lane, Claim)> {
    let lost = |what: &str| Failure::Broken(Error::internal(format!("{what} of lane {id} is not there")));
    let lane = tables.lane(id)?.ok_or_else(|| lost("the record"))?;
    let head = lane.head().ok_or_else(|| lost("the head"))?;
    let delivery = tables.named(head)?;
    let conversion = tables.conversion(delivery.conversion)?.ok_or_else(|| lost("the conversion"))?;
    let lead = lead(tables, &delivery)?;
    let fence = Fence { account: delivery.account.clone(), lane: id, delivery: head, token: 0 };
    Ok((lane, Claim { fence, delivery, conversion, lead }))
}

/// Where the own delivery of a delivery's conversion stands.
fn lead(tables: &Tables<'_>, delivery: &Delivery) -> Step<DeliveryState> {
    match tables.folder(delivery.conversion)?.unwrap_or_default().lead() {
        Some(lead) if lead != delivery.id => Ok(tables.named(lead)?.state),
        _ => Ok(delivery.state.clone()),
    }
}

/// The lane, where the fence still holds it.
fn held(tables: &Tables<'_>, fence: &Fence) -> Step<Option<Lane>> {
    let lane = tables.lane(fence.lane)?;
    Ok(lane.filter(|lane| lane.lease == fence.token && lane.head() == Some(fence.delivery)))
}

/// Whether the fence's lease ended before, and in this way.
fn ended(tables: &Tables<'_>, fence: &Fence, released: bool) -> Step<bool> {
    let kept = tables.kept(fence.delivery)?;
    Ok(kept.is_some_and(|kept| kept.ended == fence.token && kept.released == released))
}

/// See [`postback_core::ports::Outbox::start`].
pub(super) fn start(tables: &mut Tables<'_>, now: Timestamp, fence: &Fence) -> Step<bool> {
    let Some(mut lane) = held(tables, fence)?.filter(|lane| rules::millis(now) < lane.lease_ends) else {
        return Ok(false);
    };
    if lane.mark == fence.token {
        return Ok(true);
    }
    let before = tables.named(fence.delivery)?;
    lane.mark = fence.token;
    lane.mark_before = before.started_at.map(rules::millis);
    tables.put_lane(fence.lane, &lane)?;
    let mut delivery = Delivery { started_at: Some(now), ..before.clone() };
    tables.put(Some(&before), &mut delivery, before.updated_at)?;
    Ok(true)
}

/// See [`postback_core::ports::Outbox::settle`].
pub(super) fn settle(
    tables: &mut Tables<'_>,
    now: Timestamp,
    fence: &Fence,
    attempt: Option<Attempt>,
    settlement: Settlement,
) -> Step<bool> {
    let Some(lane) = held(tables, fence)? else { return ended(tables, fence, false) };
    let before = tables.named(fence.delivery)?;
    let follows = rules::follows_its_lead(&settlement, &before, &lead(tables, &before)?);
    let mut delivery = before.clone();
    rules::settle(&mut delivery, attempt, if follows { Settlement::Retry { at: now } } else { settlement });
    tables.put_ended(Some(&before), &mut delivery, now, fence.token, false)?;
    if follows {
        follow(tables, now, lane, &delivery)?
    } else {
        go_on(tables, now, lane, &delivery)?
    }
    Ok(true)
}

/// Moves the head behind its conversion's own delivery, among the other changes in the order in which they came.
fn follow(tables: &mut Tables<'_>, now: Timestamp, mut lane: Lane, head: &Delivery) -> Step<()> {
    let told = tables.folder(head.conversion)?.unwrap_or_default().told();
    let later = told.iter().position(|id| *id == head.id).map_or(&[][..], |place| &told[place + 1..]);
    if let Some(lead) = told.first() {
        lane.step_behind(*lead, later);
    }
    let place = next(tables, now, &lane)?;
    free(tables, head.lane, lane, place)
}

/// See [`postback_core::ports::Outbox::release`].
pub(super) fn release(tables: &mut Tables<'_>, now: Timestamp, fence: &Fence, at: Timestamp) -> Step<bool> {
    let Some(lane) = held(tables, fence)? else { return ended(tables, fence, true) };
    let before = tables.named(fence.delivery)?;
    let mut delivery = Delivery { due_at: Some(rules::from_millis(rules::millis(at))), ..before.clone() };
    if lane.mark == fence.token {
        delivery.started_at = lane.mark_before.map(rules::from_millis);
    }
    tables.put_ended(Some(&before), &mut delivery, now, fence.token, true)?;
    go_on(tables, now, lane, &delivery)?;
    Ok(true)
}

/// Gives a lane its next place, after its head changed.
pub(super) fn go_on(tables: &mut Tables<'_>, now: Timestamp, mut lane: Lane, head: &Delivery) -> Step<()> {
    let place = match &head.state {
        DeliveryState::Pending => {
            let due = rules::millis(head.due_at.unwrap_or(now));
            Some((due, Class::of(head)))
        }
        DeliveryState::InDoubt(_) | DeliveryState::Waiting => None,
        DeliveryState::Delivered | DeliveryState::Dead(_) => {
            lane.pop();
            next(tables, now, &lane)?
        }
    };
    free(tables, head.lane, lane, place)
}

/// Puts a lane at its next place: no lease runs any more.
fn free(tables: &mut Tables<'_>, id: LaneId, mut lane: Lane, place: Option<(i64, Class)>) -> Step<()> {
    (lane.lease, lane.lease_ends, lane.mark, lane.mark_before) = (0, 0, 0, None);
    tables.schedule(id, &mut lane, place)?;
    tables.put_lane(id, &lane)
}

/// The place of a lane whose head is new.
fn next(tables: &mut Tables<'_>, now: Timestamp, lane: &Lane) -> Step<Option<(i64, Class)>> {
    let Some(head) = lane.head() else { return Ok(None) };
    let before = tables.named(head)?;
    let mut delivery = before.clone();
    let due = rules::turn(&mut delivery, now);
    tables.put(Some(&before), &mut delivery, now)?;
    Ok(Some((due, Class::of(&delivery))))
}
