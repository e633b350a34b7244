//! Lists over all partitions: each tells its latest ids, the latest of all are read and filtered.

use std::collections::{BTreeMap, btree_map::Entry};

use jiff::Timestamp;
use postback_core::{
    Conversion, ConversionId, Delivery, LaneId, Result,
    ports::{CHANGES_KEPT, ConversionFilter, DeliveryFilter, LOOKED_AT, Page},
};

use super::{
    PARTITIONS, RedisOutbox,
    records::{self, Stored},
    scripts::{CHANGED, Call, GET, LANE, LIST, STORY},
};
use crate::rules;

type Id = [u8; 16];

/// Where in the feed of changes the next piece begins: a time in milliseconds, and how much of it was read.
type Place = (i64, usize);

impl RedisOutbox {
    pub(super) async fn list_conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        after: Option<Id>,
    ) -> Result<Page<Conversion>> {
        // Where the list alone decides, no more is looked at than is wanted.
        let exact = filter.campaign.is_none() && filter.kind.is_none() && filter.until.is_none();
        let exact = exact && filter.since.is_none() && (filter.lane.is_none() || filter.account.is_none());
        let many = looked_at(exact, limit);
        let ids = match &filter.lane {
            Some(lane) => self.conversions_of(lane, after, many).await?,
            None => {
                let name = filter.account.as_ref().map(ToString::to_string).unwrap_or_default();
                let call = |partition| below(partition, after, filter.since, many).arg(&name);
                self.latest(PARTITIONS.map(|partition| call(partition).arg("conversions")), many).await?
            }
        };
        let found = self.read(&ids, "c", records::conversion).await?;
        Ok(page(&ids, many, limit, found, |conversion| rules::lists_conversion(filter, conversion)))
    }

    pub(super) async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<Id>,
    ) -> Result<Page<Delivery>> {
        if let Some(id) = filter.conversion {
            return self.list_told(id, filter, limit, after).await;
        }
        let many = looked_at(filter.since.is_none() && filter.until.is_none(), limit);
        let name = filter.account.as_ref().map(ToString::to_string).unwrap_or_default();
        let lists: Vec<&str> = rules::STATES
            .into_iter()
            .filter(|word| filter.state.is_none_or(|state| state == *word))
            .collect();
        let call = |partition| below(partition, after, filter.since, many).arg(&name).arg(&lists);
        let ids = self.latest(PARTITIONS.map(call), many).await?;
        let found = self.read(&ids, "d", records::delivery).await?;
        Ok(page(&ids, many, limit, found, |delivery| rules::lists_delivery(filter, delivery)))
    }

    /// The deliveries of one conversion.
    async fn list_told(
        &self,
        id: ConversionId,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<Id>,
    ) -> Result<Page<Delivery>> {
        let call = Call::new(&STORY, super::partition(id.shard())).arg(id.as_bytes());
        let (_, told): (Option<Stored>, Vec<Stored>) = self.run(call).await?;
        let told = told.iter().map(records::delivery).collect::<Result<Vec<_>>>()?;
        let mut found: BTreeMap<Id, Delivery> =
            told.into_iter().map(|delivery| (*delivery.id.as_bytes(), delivery)).collect();
        found.retain(|id, _| after.is_none_or(|after| *id < after));
        let ids: Vec<Id> = found.keys().rev().copied().collect();
        Ok(page(&ids, usize::MAX, limit, found, |delivery| rules::lists_delivery(filter, delivery)))
    }

    /// The changes of all partitions, in their order.
    pub(super) async fn list_changes(&self, since: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        let mut many = limit;
        loop {
            let named = self.named_changes(since, many).await?;
            let all = named.len() < many;
            let ids: Vec<Id> = named.iter().map(|change| change.1).collect();
            let mut found = self.read(&ids, "d", records::delivery).await?;
            // What changed since it was named is told by that change.
            let as_named = |(at, id): (i64, Id)| match found.entry(id) {
                Entry::Occupied(it) if rules::millis(it.get().updated_at) == at => Some(it.remove()),
                _ => None,
            };
            let mut changes: Vec<Delivery> = named.into_iter().filter_map(as_named).collect();
            if all || changes.len() >= limit {
                changes.truncate(limit);
                return Ok(changes);
            }
            many += limit;
        }
    }

    /// When which deliveries changed, of all partitions. Each tells them a piece at a time, until those that all of them
    /// told come before what any of them has left.
    async fn named_changes(&self, since: Timestamp, limit: usize) -> Result<Vec<(i64, Id)>> {
        let mut changes: Vec<(i64, Id)> = Vec::new();
        let mut left: Vec<(u8, Place)> = PARTITIONS.map(|part| (part, (rules::millis(since), 0))).collect();
        while !left.is_empty() && limit > 0 {
            let calls = left.iter().map(|(partition, (from, read))| {
                let call = Call::new(&CHANGED, *partition).arg(*from).arg(*read);
                call.arg(super::millis(CHANGES_KEPT))
            });
            let pieces = self.run_all::<(Option<Place>, Vec<(Vec<u8>, i64)>)>(calls).await?;
            for ((_, place), (next, said)) in left.iter_mut().zip(pieces) {
                *place = next.unwrap_or((i64::MAX, 0));
                for (id, at) in said {
                    changes.push((at, records::id(&id)?));
                }
            }
            changes.sort_unstable();
            changes.dedup();
            changes.truncate(limit);
            let last = changes.get(limit - 1).map_or(i64::MAX - 1, |change| change.0);
            left.retain(|(_, (from, _))| *from <= last);
        }
        Ok(changes)
    }

    /// The latest ids of some lists, the latest first, and one more than `many` where there are more.
    async fn latest(&self, calls: impl Iterator<Item = Call>, many: usize) -> Result<Vec<Id>> {
        let mut ids = Vec::new();
        for some in self.run_all::<Vec<Vec<u8>>>(calls).await? {
            for id in some {
                ids.push(records::id(&id)?);
            }
        }
        Ok(latest(ids, many))
    }

    /// The ids of the latest conversions of a lane below `after`.
    async fn conversions_of(&self, lane: &LaneId, after: Option<Id>, many: usize) -> Result<Vec<Id>> {
        let call = Call::new(&LANE, super::partition(lane.shard())).arg(lane.as_bytes());
        let ids: Vec<u8> = self.run(call).await?;
        let ids = ids.chunks(16).map(records::id).collect::<Result<Vec<_>>>()?;
        Ok(latest(ids.into_iter().filter(|id| after.is_none_or(|after| *id < after)).collect(), many))
    }

    /// Reads records by their ids, one call for each partition; what is damaged is left out.
    async fn read<T>(
        &self,
        ids: &[Id],
        sort: &str,
        put_together: impl Fn(&Stored) -> Result<T>,
    ) -> Result<BTreeMap<Id, T>> {
        let mut parts: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for id in ids {
            let partition = super::partition(postback_core::Shard::from_byte(id[15]));
            parts.entry(partition).or_default().extend_from_slice(id);
        }
        let calls = parts.into_iter().map(|(partition, ids)| Call::new(&GET, partition).arg(sort).arg(ids));
        let mut found = BTreeMap::new();
        for some in self.run_all::<Vec<Stored>>(calls).await? {
            for stored in some {
                match put_together(&stored) {
                    Ok(item) => drop(found.insert(records::id(&stored.0)?, item)),
                    Err(error) => rules::left_out(&error),
                }
            }
        }
        Ok(found)
    }
}

fn latest(mut ids: Vec<Id>, many: usize) -> Vec<Id> {
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(many.saturating_add(1));
    ids
}

fn looked_at(exact: bool, limit: usize) -> usize {
    if exact { limit.min(LOOKED_AT) } else { LOOKED_AT }
}

/// A call for the latest ids below `after`, made since a time, and one more than `many`.
fn below(partition: u8, after: Option<Id>, since: Option<Timestamp>, many: usize) -> Call {
    let below = after.map_or_else(|| b"+".to_vec(), |after| [b"(", after.as_slice()].concat());
    let first = [b"[", rules::oldest_id(since).as_slice()].concat();
    Call::new(&LIST, partition).arg(below).arg(first).arg(many + 1)
}

/// The first `limit` records that are wanted, of at most `many` that are looked at.
fn page<T>(
    ids: &[Id],
    many: usize,
    limit: usize,
    mut found: BTreeMap<Id, T>,
    wanted: impl Fn(&T) -> bool,
) -> Page<T> {
    let mut items = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        items.extend(found.remove(id).filter(&wanted));
        if items.len() >= limit || place + 1 == many {
            let next = (place + 1 < ids.len()).then_some(*id);
            return Page { items, next };
        }
    }
    Page { items, next: None }
}
