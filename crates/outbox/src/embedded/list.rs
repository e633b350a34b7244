//! What is read: stories, lists, the feed of changes, counts. Reads see the last commit and hold up no step.

use jiff::Timestamp;
use postback_core::{
    AccountId, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState,
    ports::{
        AccountStats, ConversionFilter, DeliveryFilter, LOOKED_AT, Page, Paused, RequestKey, Reservation,
        Story,
    },
};
use postback_proto::v1;
use postback_redb_file::{Failure, Step};
use redb::{Key, ReadOnlyTable, ReadTransaction, TableDefinition, Value};

use super::{
    claim,
    records::{self, Folder, Kept},
    tables::{self, Id},
};
use crate::rules;

/// One consistent sight of the store.
pub(super) struct View<'t>(pub(super) &'t ReadTransaction);

impl View<'_> {
    fn table<K: Key, V: Value>(&self, table: TableDefinition<'_, K, V>) -> Step<ReadOnlyTable<K, V>> {
        Ok(self.0.open_table(table)?)
    }

    pub(super) fn conversion(&self, id: ConversionId) -> Step<Option<Conversion>> {
        let record = self.table(tables::CONVERSIONS)?.get(id.as_bytes())?;
        record.map(|record| records::conversion(record.value())).transpose()
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Step<Option<Delivery>> {
        let record = self.table(tables::DELIVERIES)?.get(id.as_bytes())?;
        record.map(|record| records::read::<Kept>(record.value())?.delivery()).transpose()
    }

    fn folder(&self, id: ConversionId) -> Step<Folder> {
        let record = self.table(tables::FOLDERS)?.get(id.as_bytes())?;
        Ok(record.map(|record| records::read(record.value())).transpose()?.unwrap_or_default())
    }

    pub(super) fn paused(&self, account: &AccountId) -> Step<Option<Paused>> {
        let Some(record) = self.table(tables::PAUSES)?.get(account.as_str())? else { return Ok(None) };
        let paused = Paused::try_from(records::read::<v1::PauseRecord>(record.value())?);
        paused.map(Some).map_err(records::unreadable)
    }

    pub(super) fn reserved(&self, key: RequestKey, now: Timestamp) -> Step<Option<Reservation>> {
        let Some(record) = self.table(tables::RESERVATIONS)?.get(key.as_bytes())? else { return Ok(None) };
        let kept = records::reservation(record.value())?;
        Ok(Some(kept).filter(|kept| rules::ends(kept) > rules::millis(now)))
    }

    pub(super) fn next_due(&self, account: &AccountId) -> Step<Option<Timestamp>> {
        claim::next_due(&self.table(tables::SCHEDULE)?, account.as_str())
    }

    pub(super) fn story(&self, id: ConversionId) -> Step<Option<Story>> {
        let Some(conversion) = self.conversion(id)? else { return Ok(None) };
        let mut deliveries = Vec::new();
        for told in self.folder(id)?.told() {
            deliveries.extend(self.delivery(told)?);
        }
        Ok(Some(Story { conversion, deliveries }))
    }

    pub(super) fn conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        after: Option<Id>,
    ) -> Step<Page<Conversion>> {
        let before = after.unwrap_or([255; 16]);
        let first = rules::oldest_id(filter.since);
        let ids = match (&filter.lane, &filter.account) {
            (Some(lane), _) => {
                let lane = *lane.as_bytes();
                let all = self.table(tables::BY_LANE)?.range((lane, first)..(lane, before))?;
                latest(all.rev().map(|entry| Ok(entry?.0.value().1)))?
            }
            (None, Some(account)) => {
                let account = account.as_str();
                let all = self.table(tables::BY_ACCOUNT)?.range((account, first)..(account, before))?;
                latest(all.rev().map(|entry| Ok(entry?.0.value().1)))?
            }
            (None, None) => {
                let all = self.table(tables::CONVERSIONS)?.range(first..before)?;
                latest(all.rev().map(|entry| Ok(entry?.0.value())))?
            }
        };
        page(ids, limit, |id| {
            let found = self.conversion(ConversionId::from_bytes(id))?;
            Ok(found.filter(|conversion| rules::lists_conversion(filter, conversion)))
        })
    }

    pub(super) fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<Id>,
    ) -> Step<Page<Delivery>> {
        let range = rules::oldest_id(filter.since)..after.unwrap_or([255; 16]);
        let mut ids = match (filter.conversion, &filter.account, filter.state) {
            (Some(conversion), ..) => self.folder(conversion)?.told_in(&range),
            (None, None, None) => {
                let all = self.table(tables::DELIVERIES)?.range(range)?;
                latest(all.rev().map(|entry| Ok(entry?.0.value())))?
            }
            (None, Some(account), state) => self.in_states(account.as_str(), state, &range)?,
            (None, None, state) => {
                let mut all = Vec::new();
                for account in self.accounts()? {
                    all.extend(self.in_states(&account, state, &range)?);
                }
                all
            }
        };
        ids.sort_unstable_by(|one, other| other.cmp(one));
        page(ids, limit, |id| {
            let found = self.delivery(DeliveryId::from_bytes(id))?;
            Ok(found.filter(|delivery| rules::lists_delivery(filter, delivery)))
        })
    }

    /// The latest deliveries of an account in one state, or in any.
    fn in_states(&self, account: &str, state: Option<&str>, ids: &std::ops::Range<Id>) -> Step<Vec<Id>> {
        let table = self.table(tables::BY_STATE)?;
        let mut all = Vec::new();
        for state in rules::STATES.into_iter().filter(|word| state.is_none_or(|state| state == *word)) {
            let some = table.range((account, state, ids.start)..(account, state, ids.end))?;
            all.extend(latest(some.rev().map(|entry| Ok(entry?.0.value().2)))?);
        }
        Ok(all)
    }

    fn accounts(&self) -> Step<Vec<String>> {
        let table = self.table(tables::COUNTS)?;
        let mut accounts: Vec<String> = Vec::new();
        for entry in table.range::<(&str, &str)>(..)? {
            let entry = entry?;
            let account = entry.0.value().0;
            if accounts.last().is_none_or(|last| last != account) {
                accounts.push(account.to_owned());
            }
        }
        Ok(accounts)
    }

    pub(super) fn changed_since(&self, since: Timestamp, limit: usize) -> Step<Vec<Delivery>> {
        let all = self.table(tables::CHANGES)?.range((rules::millis(since), [0; 16])..)?;
        let mut changed = Vec::new();
        for entry in all.take(limit) {
            changed.extend(self.delivery(DeliveryId::from_bytes(entry?.0.value().1))?);
        }
        Ok(changed)
    }

    pub(super) fn stats(&self, account: &AccountId) -> Step<AccountStats> {
        let counts = self.table(tables::COUNTS)?;
        let count = |what: &str| -> Step<u64> {
            Ok(counts.get((account.as_str(), what))?.map_or(0, |count| count.value()))
        };
        let pending = DeliveryState::Pending.as_str();
        let all = (account.as_str(), pending, [0; 16])..(account.as_str(), pending, [255; 16]);
        let oldest = self.table(tables::BY_STATE)?.range(all)?.next();
        let oldest = oldest.map(|entry| Ok::<_, redb::StorageError>(entry?.0.value().2)).transpose()?;
        let oldest = oldest.map(|id| self.delivery(DeliveryId::from_bytes(id))).transpose()?.flatten();
        Ok(AccountStats {
            conversions: count(tables::RECORDED)?,
            pending: count(pending)?,
            waiting: count("waiting")?,
            in_doubt: count("in_doubt")?,
            delivered: count("delivered")?,
            dead: count("dead")?,
            oldest_pending: oldest.map(|delivery| delivery.created_at),
        })
    }
}

/// As many ids as one call looks at, and one more to tell whether there are more.
fn latest(ids: impl Iterator<Item = Step<Id>>) -> Step<Vec<Id>> {
    ids.take(LOOKED_AT + 1).collect()
}

/// Reads the records of `ids`, the latest first, until the page is full or enough was looked at.
fn page<T>(ids: Vec<Id>, limit: usize, read: impl Fn(Id) -> Step<Option<T>>) -> Step<Page<T>> {
    let mut items = Vec::new();
    for (place, &id) in ids.iter().enumerate() {
        match read(id) {
            Err(Failure::Broken(error)) => rules::left_out(&error),
            item => items.extend(item?),
        }
        if items.len() >= limit || place + 1 == LOOKED_AT {
            let next = (place + 1 < ids.len()).then_some(id);
            return Ok(Page { items, next });
        }
    }
    Ok(Page { items, next: None })
}
