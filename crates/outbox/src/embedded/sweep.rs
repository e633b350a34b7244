//! The step that removes what is past its time, and mends what a wrong clock dated, a bounded piece at a time.

use std::ops::RangeBounds;

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, LaneId,
    ports::{CHANGES_KEPT, Swept},
    schedule,
};
use postback_redb_file::{Failure, Step};
use redb::{Range, ReadableTable, Table};

use super::{
    records::Folder,
    tables::{Id, RECORDED, Tables},
};
use crate::rules;

/// See [`postback_core::ports::Outbox::sweep`].
pub(super) fn sweep(tables: &mut Tables<'_>, now: Timestamp, retention: SignedDuration) -> Step<Swept> {
    let ago = |long: SignedDuration| rules::millis(now.saturating_sub(long).unwrap_or(Timestamp::MIN));
    let Swept { mut touched, mut dead } = Swept::default();
    for (at, id) in until(&tables.waiting, ago(SignedDuration::ZERO))? {
        match readable(tables.named(DeliveryId::from_bytes(id)))? {
            Some(before) if before.state.is_settled() => {
                tables.waiting.remove((at, id))?;
                readable(tables.forget_customer(before.conversion, now))?;
            }
            Some(before) => {
                let state = DeliveryState::Dead(rules::never_came());
                tables.put(Some(&before), &mut Delivery { state, ..before.clone() }, now)?;
                dead.push(before.account);
            }
            None => drop(tables.waiting.remove((at, id))?),
        }
        touched += 1;
    }
    for (at, id) in until(&tables.settled, ago(retention))? {
        tables.settled.remove((at, id))?;
        if let Some(all) = readable(folder(tables, ConversionId::from_bytes(id)))? {
            touched += remove(tables, ConversionId::from_bytes(id), all)?;
        }
    }
    for (at, key) in until(&tables.reserved, ago(SignedDuration::ZERO))? {
        tables.reserved.remove((at, key))?;
        tables.reservations.remove(&key)?;
        touched += 1;
    }
    for change in until(&tables.changes, ago(CHANGES_KEPT))? {
        tables.changes.remove(change)?;
        touched += 1;
    }
    touched += mend(tables, now, ago(-rules::AHEAD))?;
    for lane in put_off(&tables.schedule, ago(-schedule::LONGEST))? {
        touched += recall(tables, LaneId::from_bytes(lane), rules::millis(now))?;
    }
    Ok(Swept { touched, dead })
}

/// What is dated later than `latest` was dated by a clock that ran ahead and was set right: it is as if it had been
/// settled now, and had changed before what is still told.
fn mend(tables: &mut Tables<'_>, now: Timestamp, latest: i64) -> Step<usize> {
    let mut touched = 0;
    for (at, id) in some(&tables.changes, (latest, [255; 16])..)? {
        tables.changes.remove((at, id))?;
        if let Some(Some(mut delivery)) = readable(tables.delivery(DeliveryId::from_bytes(id)))? {
            delivery.updated_at = now.saturating_sub(CHANGES_KEPT).unwrap_or(Timestamp::MIN);
            tables.put_quietly(&delivery)?;
        }
        touched += 1;
    }
    for (at, id) in some(&tables.settled, (latest, [255; 16])..)? {
        tables.settled.remove((at, id))?;
        let (id, now) = (ConversionId::from_bytes(id), rules::millis(now));
        if let Some(Some(mut folder)) = readable(tables.folder(id))? {
            folder.settled = Some(now);
            tables.settled.insert((now, *id.as_bytes()), ())?;
            tables.put_folder(id, &folder)?;
        }
        touched += 1;
    }
    Ok(touched)
}

/// What was read; nothing where the record is damaged: it leaves the times that a sweep looks at, and stops no other.
fn readable<T>(read: Step<T>) -> Step<Option<T>> {
    match read {
        Err(Failure::Broken(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a record is not swept");
            Ok(None)
        }
        read => read.map(Some),
    }
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

/// What is kept of a conversion: its folder, itself where it was recorded, and its deliveries.
type Kept = (Folder, Option<Conversion>, Vec<Delivery>);

fn folder(tables: &Tables<'_>, id: ConversionId) -> Step<Kept> {
    let folder = tables.folder(id)?.unwrap_or_default();
    let deliveries = folder.told().into_iter().map(|told| tables.named(told)).collect::<Step<_>>()?;
    Ok((folder, tables.conversion(id)?, deliveries))
}

/// Removes a conversion with everything that was told of it. Returns how many records that were.
fn remove(tables: &mut Tables<'_>, id: ConversionId, (folder, conversion, deliveries): Kept) -> Step<usize> {
    for delivery in &deliveries {
        tables.leave(delivery)?;
        tables.by_lane.remove((*delivery.lane.as_bytes(), *id.as_bytes()))?;
        tables.deliveries.remove(delivery.id.as_bytes())?;
    }
    if let Some(conversion) = conversion {
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
