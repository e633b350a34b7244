//! The step that removes what is past its time, and mends what a wrong clock dated, a bounded piece at a time.

use std::ops::RangeBounds;

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    ConversionId, Delivery, DeliveryId, DeliveryState, LaneId, ports::CHANGES_KEPT, schedule,
};
use postback_redb_file::Step;
use redb::{Range, ReadableTable, Table};

use super::tables::{Id, RECORDED, Tables};
use crate::rules;

/// See [`postback_core::ports::Outbox::sweep`].
pub(super) fn sweep(tables: &mut Tables<'_>, now: Timestamp, retention: SignedDuration) -> Step<usize> {
    let ago = |long: SignedDuration| rules::millis(now.saturating_sub(long).unwrap_or(Timestamp::MIN));
    let mut touched = 0;
    for (_, id) in until(&tables.waiting, ago(SignedDuration::ZERO))? {
        let before = tables.named(DeliveryId::from_bytes(id))?;
        let state = DeliveryState::Dead(rules::never_came());
        tables.put(Some(&before), &mut Delivery { state, ..before.clone() }, now)?;
        touched += 1;
    }
    for (at, id) in until(&tables.settled, ago(retention))? {
        tables.settled.remove((at, id))?;
        touched += remove(tables, ConversionId::from_bytes(id))?;
    }
    for (at, key) in until(&tables.reserved, ago(SignedDuration::ZERO))? {
        tables.reserved.remove((at, key))?;
        tables.reservations.remove(&key)?;
        touched += 1;
    }
    // Beside what is past its time: what was dated by a clock that ran ahead and was set right.
    let ahead = some(&tables.changes, (ago(-rules::AHEAD), [255; 16])..)?;
    for change in until(&tables.changes, ago(CHANGES_KEPT))?.into_iter().chain(ahead) {
        tables.changes.remove(change)?;
        touched += 1;
    }
    for lane in put_off(&tables.schedule, ago(-schedule::LONGEST))? {
        touched += recall(tables, LaneId::from_bytes(lane), rules::millis(now))?;
    }
    Ok(touched)
}

/// The first entries that are as old as `time`.
fn until(times: &Table<'_, (i64, Id), ()>, time: i64) -> Step<Vec<(i64, Id)>> {
    some(times, ..=(time, [255; 16]))
}

/// The first entries of a range.
fn some(times: &Table<'_, (i64, Id), ()>, range: impl RangeBounds<(i64, Id)>) -> Step<Vec<(i64, Id)>> {
    times.range(range)?.take(rules::SWEPT).map(|entry| Ok(entry?.0.value())).collect()
}

/// The first lanes of each account that are due later than `latest`, which no schedule and no lease reaches.
fn put_off(schedule: &Table<'_, (&'static str, bool, i64, Id), ()>, latest: i64) -> Step<Vec<Id>> {
    let mut lanes = Vec::new();
    let mut class = first(schedule.iter()?)?;
    while let Some((account, retry)) = class {
        let place = |due, lane| (account.as_str(), retry, due, lane);
        let last = place(i64::MAX, [255; 16]);
        for entry in schedule.range(place(latest, [255; 16])..=last)?.take(rules::SWEPT) {
            lanes.push(entry?.0.value().3);
        }
        class = first(schedule.range(last..)?)?;
    }
    Ok(lanes)
}

/// The account and the class of the next entry.
fn first(mut entries: Range<'_, (&'static str, bool, i64, Id), ()>) -> Step<Option<(String, bool)>> {
    let Some(entry) = entries.next() else { return Ok(None) };
    let place = entry?.0;
    let (account, retry, ..) = place.value();
    Ok(Some((account.to_owned(), retry)))
}

/// Lets a lane be due now. Returns how many lanes that were.
fn recall(tables: &mut Tables<'_>, id: LaneId, now: i64) -> Step<usize> {
    let Some(mut lane) = tables.lane(id)? else { return Ok(0) };
    let class = lane.class();
    tables.schedule(id, &mut lane, Some((now, class)))?;
    tables.put_lane(id, &lane)?;
    Ok(1)
}

/// Removes a conversion with everything that was told of it. Returns how many records that were.
fn remove(tables: &mut Tables<'_>, id: ConversionId) -> Step<usize> {
    let folder = tables.folder(id)?.unwrap_or_default();
    for told in folder.told() {
        let delivery = tables.named(told)?;
        tables.leave(&delivery)?;
        tables.by_lane.remove((*delivery.lane.as_bytes(), *id.as_bytes()))?;
        tables.deliveries.remove(told.as_bytes())?;
    }
    if let Some(conversion) = tables.conversion(id)? {
        let id = *id.as_bytes();
        tables.by_account.remove((conversion.account.as_str(), id))?;
        if let Some(user) = &conversion.user {
            tables.by_user.remove((rules::user_key(user), id))?;
        }
        tables.conversions.remove(&id)?;
        tables.count(&conversion.account, RECORDED, -1)?;
    }
    if let Some(key) = folder.key() {
        tables.keys.remove(&key)?;
    }
    tables.folders.remove(id.as_bytes())?;
    Ok(1 + folder.len())
}
