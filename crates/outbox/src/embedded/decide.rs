//! Steps of an operator: resolve, replay, pause, resume, erase.

use jiff::Timestamp;
use postback_core::{
    AccountId, ClickId, ConversionId, Delivery, DeliveryId, DeliveryState, Error, Event, LaneId, Reason,
    Source, UserId,
    ports::{Paused, Resolution},
};
use postback_proto::v1;
use postback_redb_file::{Failure, Step};
use prost::Message;
use redb::ReadableTable;

use super::{
    claim::go_on,
    record::enter,
    tables::{Id, Tables},
};
use crate::rules;

/// See [`postback_core::ports::Outbox::resolve`].
pub(super) fn resolve(
    tables: &mut Tables<'_>,
    now: Timestamp,
    id: DeliveryId,
    resolution: Resolution,
) -> Step<Delivery> {
    let before = wanted(tables, id)?;
    if !matches!(before.state, DeliveryState::InDoubt(_)) {
        return Err(rules::not_in_doubt(before.state.as_str()).into());
    }
    let lane = tables.lane(before.lane)?.filter(|lane| lane.head() == Some(id));
    let lane =
        lane.ok_or_else(|| Failure::Broken(Error::internal("a delivery in doubt is not in its lane")))?;
    let mut delivery = before.clone();
    rules::resolve(&mut delivery, resolution, now);
    tables.put(Some(&before), &mut delivery, now)?;
    go_on(tables, now, lane, &delivery)?;
    Ok(delivery)
}

/// See [`postback_core::ports::Outbox::replay`].
pub(super) fn replay(tables: &mut Tables<'_>, now: Timestamp, id: DeliveryId) -> Step<Delivery> {
    let before = wanted(tables, id)?;
    let DeliveryState::Dead(_) = before.state else {
        return Err(rules::not_dead(before.state.as_str()).into());
    };
    if now >= before.expires_at {
        return Err(rules::life_over().into());
    }
    let folder = tables.folder(before.conversion)?.unwrap_or_default();
    if !folder.recorded {
        return Err(rules::no_lead().into());
    }
    let mut all = vec![before];
    if matches!(all[0].event, Event::Created) {
        for told in folder.told().into_iter().skip(1) {
            let change = tables.named(told)?;
            if rules::died_with_its_lead(&change) && now < change.expires_at {
                all.push(change);
            }
        }
    }
    let line = tables.lane(all[0].lane)?.map_or(0, |lane| lane.len());
    rules::room(line + all.len())?;
    for before in &all {
        let mut delivery = Delivery { due_at: None, started_at: None, ..before.clone() };
        enter(tables, now, Some(before), &mut delivery)?;
    }
    tables.named(id)
}

fn wanted(tables: &Tables<'_>, id: DeliveryId) -> Step<Delivery> {
    Ok(tables.delivery(id)?.ok_or_else(|| rules::no_delivery(id))?)
}

/// See [`postback_core::ports::Outbox::pause`].
pub(super) fn pause(
    tables: &mut Tables<'_>,
    now: Timestamp,
    account: &AccountId,
    reason: &Reason,
) -> Step<bool> {
    if tables.paused(account)?.is_some() {
        return Ok(false);
    }
    let record = v1::PauseRecord::from(&Paused { since: now, reason: reason.clone() }).encode_to_vec();
    tables.pauses.insert(account.as_str(), record.as_slice())?;
    Ok(true)
}

/// See [`postback_core::ports::Outbox::resume`].
pub(super) fn resume(tables: &mut Tables<'_>, account: &AccountId) -> Step<bool> {
    Ok(tables.pauses.remove(account.as_str())?.is_some())
}

/// See [`postback_core::ports::Outbox::erase_click`].
pub(super) fn erase_click(tables: &mut Tables<'_>, account: &AccountId, click: &ClickId) -> Step<usize> {
    let lane = LaneId::of(account, &Source::Click(click.clone()), "");
    let found = seconds(&tables.by_lane, lane.as_bytes())?;
    erase(tables, found)
}

/// See [`postback_core::ports::Outbox::erase_user`].
pub(super) fn erase_user(tables: &mut Tables<'_>, user: &UserId) -> Step<usize> {
    let found = seconds(&tables.by_user, &rules::user_key(user))?;
    erase(tables, found)
}

fn seconds(pairs: &impl ReadableTable<(Id, Id), ()>, first: &Id) -> Step<Vec<Id>> {
    let all = pairs.range((*first, [0; 16])..=(*first, [255; 16]))?;
    all.map(|pair| Ok(pair?.0.value().1)).collect()
}

fn erase(tables: &mut Tables<'_>, conversions: Vec<Id>) -> Step<usize> {
    let mut touched = 0;
    for id in conversions.into_iter().map(ConversionId::from_bytes) {
        let mut known = false;
        if let Some(mut conversion) = tables.conversion(id)? {
            if let Some(user) = &conversion.user {
                tables.by_user.remove((rules::user_key(user), *id.as_bytes()))?;
            }
            known = rules::erase(&mut conversion);
            tables.put_conversion(&conversion)?;
        }
        for told in tables.folder(id)?.unwrap_or_default().told() {
            let mut delivery = tables.named(told)?;
            known |= rules::erase_change(&mut delivery);
            tables.put_quietly(&delivery)?;
        }
        touched += usize::from(known);
    }
    Ok(touched)
}
