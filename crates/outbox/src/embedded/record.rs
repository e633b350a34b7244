//! Steps that take something in: a reservation, a conversion, a change.

use jiff::Timestamp;
use postback_core::{
    Conversion, Delivery, DeliveryState, Error, Fingerprint, LaneId,
    ports::{Recorded, RequestKey, Reservation, Target},
};
use postback_proto::v1;
use postback_redb_file::Step;
use prost::Message;

use super::{
    records::{Folder, KeyEntry},
    tables::{RECORDED, Tables},
};
use crate::rules::{self, Class};

/// See [`postback_core::ports::Outbox::reserve`].
pub(super) fn reserve(
    tables: &mut Tables<'_>,
    now: Timestamp,
    key: RequestKey,
    mine: &Reservation,
) -> Step<Reservation> {
    if let Some(kept) = tables.reservation(key.as_bytes())? {
        let ends = rules::ends(&kept);
        if ends > rules::millis(now) {
            return Ok(kept);
        }
        tables.reserved.remove((ends, *key.as_bytes()))?;
    }
    let record = v1::ReservationRecord::from(mine).encode_to_vec();
    tables.reservations.insert(key.as_bytes(), record.as_slice())?;
    tables.reserved.insert((rules::ends(mine), *key.as_bytes()), ())?;
    Ok(mine.clone())
}

/// See [`postback_core::ports::Outbox::record`].
pub(super) fn record(
    tables: &mut Tables<'_>,
    now: Timestamp,
    mut conversion: Conversion,
    mut delivery: Delivery,
    fingerprint: &Fingerprint,
) -> Step<Recorded> {
    rules::together(&conversion.lane, conversion.id.shard(), delivery.id.shard())?;
    let key = conversion.key().map(|key| *key.as_bytes());
    let entry = key.map(|key| tables.key(&key)).transpose()?.flatten();
    if let Some(found) = found(tables, &conversion)? {
        let first = entry.as_ref().map(KeyEntry::conversion).transpose()?;
        let is_other = |entry: &KeyEntry| entry.fingerprint != fingerprint.as_bytes();
        if first == Some(conversion.id) && entry.as_ref().is_some_and(is_other) {
            return Err(Error::conflict("transaction_id").into());
        }
        return Ok(found);
    }
    if let Some(entry) = entry {
        let first = entry.conversion()?;
        if entry.fingerprint.is_empty() {
            conversion.id = first;
        } else if entry.fingerprint != fingerprint.as_bytes() {
            return Err(Error::conflict("transaction_id").into());
        } else if let Some(found) = found(tables, &Conversion { id: first, ..conversion.clone() })? {
            return Ok(found);
        }
    }
    let lane = tables.lane(conversion.lane)?.unwrap_or_default();
    let told = told(tables, &conversion)?;
    let waiting = || told.iter().filter(|delivery| delivery.state == DeliveryState::Waiting);
    rules::room(lane.len() + waiting().count() + 1)?;
    rules::room(told.len() + 1)?;

    tables.put_conversion(&conversion)?;
    index(tables, &conversion)?;
    if let Some(key) = key {
        tables.put_key(&key, &KeyEntry::new(conversion.id, fingerprint.as_bytes()))?;
        let folder = tables.folder(conversion.id)?.unwrap_or_default();
        tables.put_folder(conversion.id, &Folder { key: key.to_vec(), ..folder })?;
    }
    (delivery.conversion, delivery.lane) = (conversion.id, conversion.lane);
    enter(tables, now, None, &mut delivery)?;
    for before in waiting() {
        let mut change = Delivery { lane: conversion.lane, ..before.clone() };
        enter(tables, now, Some(before), &mut change)?;
    }
    Ok(Recorded { conversion: conversion.id, delivery: delivery.id, fresh: true })
}

/// See [`postback_core::ports::Outbox::change`].
pub(super) fn change(
    tables: &mut Tables<'_>,
    now: Timestamp,
    target: Target,
    mut delivery: Delivery,
) -> Step<Recorded> {
    if let Some(before) = tables.delivery(delivery.id)? {
        return Ok(Recorded { conversion: before.conversion, delivery: before.id, fresh: false });
    }
    let (id, key) = match target {
        Target::Conversion(id) => (id, None),
        Target::Key(key) => {
            let entry = tables.key(key.as_bytes())?;
            let known = entry.map(|entry| entry.conversion()).transpose()?;
            (known.unwrap_or(delivery.conversion), Some(*key.as_bytes()))
        }
    };
    rules::together(&delivery.lane, id.shard(), delivery.id.shard())?;
    let folder = tables.folder(id)?;
    if folder.is_none() && key.is_none() {
        return Err(rules::no_conversion(id).into());
    }
    let folder = folder.unwrap_or_default();
    if let Some(conversion) = tables.conversion(id)? {
        delivery.lane = conversion.lane;
    }
    delivery.conversion = id;
    let recorded = Recorded { conversion: id, delivery: delivery.id, fresh: true };
    let lane = tables.lane(delivery.lane)?.unwrap_or_default();
    rules::room(lane.len() + 1)?;
    rules::room(folder.len() + 1)?;

    if folder.recorded {
        enter(tables, now, None, &mut delivery)?;
        return Ok(recorded);
    }
    if let Some(key) = key {
        tables.put_key(&key, &KeyEntry::new(id, &[]))?;
        tables.put_folder(id, &Folder { key: key.to_vec(), ..folder })?;
        tables.by_lane.insert((*delivery.lane.as_bytes(), *id.as_bytes()), ())?;
    }
    (delivery.state, delivery.due_at) = (DeliveryState::Waiting, None);
    tables.put(None, &mut delivery, now)?;
    Ok(recorded)
}

/// Puts a delivery at the end of its lane. A lane that was empty is due when the delivery is.
pub(super) fn enter(
    tables: &mut Tables<'_>,
    now: Timestamp,
    before: Option<&Delivery>,
    delivery: &mut Delivery,
) -> Step<()> {
    let id: LaneId = delivery.lane;
    let mut lane = tables.lane(id)?.unwrap_or_default();
    lane.push(delivery.id);
    delivery.state = DeliveryState::Pending;
    if lane.len() == 1 {
        lane.account = delivery.account.to_string();
        let due = rules::turn(delivery, now);
        tables.schedule(id, &mut lane, Some((due, Class::of(delivery))))?;
    }
    tables.put_lane(id, &lane)?;
    tables.put(before, delivery, now)
}

/// The conversion that was recorded before, by its id.
fn found(tables: &Tables<'_>, conversion: &Conversion) -> Step<Option<Recorded>> {
    let lead = tables.folder(conversion.id)?.and_then(|folder| folder.lead());
    Ok(lead.map(|delivery| Recorded { conversion: conversion.id, delivery, fresh: false }))
}

/// What was told of a conversion before it came, in that order.
fn told(tables: &Tables<'_>, conversion: &Conversion) -> Step<Vec<Delivery>> {
    let told = tables.folder(conversion.id)?.unwrap_or_default().told();
    told.into_iter().map(|id| tables.named(id)).collect()
}

fn index(tables: &mut Tables<'_>, conversion: &Conversion) -> Step<()> {
    let id = *conversion.id.as_bytes();
    tables.by_account.insert((conversion.account.as_str(), id), ())?;
    tables.by_lane.insert((*conversion.lane.as_bytes(), id), ())?;
    if let Some(user) = &conversion.user {
        tables.by_user.insert((rules::user_key(user), id), ())?;
    }
    tables.count(&conversion.account, RECORDED, 1)
}
