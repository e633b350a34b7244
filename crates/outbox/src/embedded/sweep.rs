//! The step that removes what is past its time, a bounded piece at a time.

use jiff::{SignedDuration, Timestamp};
use postback_core::{ConversionId, Delivery, DeliveryId, DeliveryState};
use redb::{ReadableTable, Table};

use super::{
    failure::Step,
    tables::{Id, RECORDED, Tables},
};
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
    for change in until(&tables.changes, ago(rules::CHANGES_KEPT))? {
        tables.changes.remove(change)?;
        touched += 1;
    }
    Ok(touched)
}

/// The first entries that are as old as `time`.
fn until(times: &Table<'_, (i64, Id), ()>, time: i64) -> Step<Vec<(i64, Id)>> {
    let all = times.range((i64::MIN, [0; 16])..=(time, [255; 16]))?;
    all.take(rules::SWEPT).map(|entry| Ok(entry?.0.value())).collect()
}

/// Removes a conversion with everything that was told of it. Returns how many records that were.
fn remove(tables: &mut Tables<'_>, id: ConversionId) -> Step<usize> {
    let folder = tables.folder(id)?.unwrap_or_default();
    for told in folder.told() {
        let delivery = tables.named(told)?;
        tables.leave(&delivery)?;
        tables.deliveries.remove(told.as_bytes())?;
    }
    if let Some(conversion) = tables.conversion(id)? {
        let id = *id.as_bytes();
        tables.by_account.remove((conversion.account.as_str(), id))?;
        tables.by_lane.remove((*conversion.lane.as_bytes(), id))?;
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
