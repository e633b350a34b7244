//! The tables of the file, and every step that changes them inside a transaction.

use jiff::Timestamp;
use postback_core::{
    CampaignId,
    ports::{ACTIONS_MOST, Action, BATCHES_KEPT, Bucket, LATEST_MOST},
};
use postback_redb_file::{Schema, Step};
use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, StorageError, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::record;

/// A bucket's beginning in seconds and the text of a series -> how many.
const COUNTS: TableDefinition<'_, (i64, &str), u64> = TableDefinition::new("counts");
/// When a batch was added, in seconds, and its id.
const BATCHES: TableDefinition<'_, (i64, [u8; 16]), ()> = TableDefinition::new("batches");
/// The ids of those batches.
const ADDED: TableDefinition<'_, [u8; 16], ()> = TableDefinition::new("added");
/// An action's id -> its record.
const ACTIONS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("actions");
/// A campaign and the name of a click.
const LATEST: TableDefinition<'_, (&str, &[u8]), ()> = TableDefinition::new("latest");

/// The tables open for writing in one transaction.
pub(super) struct Tables<'txn> {
    counts: Table<'txn, (i64, &'static str), u64>,
    batches: Table<'txn, (i64, [u8; 16]), ()>,
    added: Table<'txn, [u8; 16], ()>,
    actions: Table<'txn, [u8; 16], &'static [u8]>,
    latest: Table<'txn, (&'static str, &'static [u8]), ()>,
    changed: bool,
}

/// What lies in the logbook's file.
pub(super) struct Layout;

impl Schema for Layout {
    const NAME: &'static str = "logbook";
    const LAYOUT: u8 = 1;
    type Tables<'t> = Tables<'t>;

    fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, TableError> {
        Ok(Tables {
            counts: transaction.open_table(COUNTS)?,
            batches: transaction.open_table(BATCHES)?,
            added: transaction.open_table(ADDED)?,
            actions: transaction.open_table(ACTIONS)?,
            latest: transaction.open_table(LATEST)?,
            changed: false,
        })
    }

    fn changed(tables: &Tables<'_>) -> bool {
        tables.changed
    }
}

/// The buckets of a time. A series that this version does not know is left out.
pub(super) fn history(txn: &ReadTransaction, since: Timestamp, until: Timestamp) -> Step<Vec<Bucket>> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for entry in txn.open_table(COUNTS)?.range((record::ceil(since), "")..(record::ceil(until), ""))? {
        let (key, count) = entry?;
        let (start, series) = key.value();
        let start = Timestamp::from_second(start).unwrap_or(Timestamp::MIN);
        let Ok(series) = series.parse() else { continue };
        if buckets.last().is_none_or(|last| last.start != start) {
            buckets.push(Bucket { start, counts: Vec::new() });
        }
        if let Some(last) = buckets.last_mut() {
            last.counts.push((series, count.value()));
        }
    }
    Ok(buckets)
}

/// The latest actions before `after`, down to `first`.
pub(super) fn actions(
    txn: &ReadTransaction,
    first: [u8; 16],
    after: Option<[u8; 16]>,
    most: usize,
) -> Step<Vec<Vec<u8>>> {
    let table = txn.open_table(ACTIONS)?;
    let range = match after {
        Some(after) => table.range(first..after.max(first))?,
        None => table.range(first..)?,
    };
    let latest = range.rev().take(most).map(|entry| Ok(entry?.1.value().to_vec()));
    Ok(latest.collect::<Result<_, StorageError>>()?)
}

/// The names of a campaign's latest clicks before `after`, down to `first`.
pub(super) fn latest(
    txn: &ReadTransaction,
    campaign: &CampaignId,
    first: [u8; 8],
    after: Option<Vec<u8>>,
    most: usize,
) -> Step<Vec<Vec<u8>>> {
    let table = txn.open_table(LATEST)?;
    let end = after.unwrap_or_else(|| vec![u8::MAX; 9]).max(first.to_vec());
    let range = table.range((campaign.as_str(), &first[..])..(campaign.as_str(), &end[..]))?;
    let latest = range.rev().take(most).map(|entry| Ok(entry?.0.value().1.to_vec()));
    Ok(latest.collect::<Result<_, StorageError>>()?)
}

impl Tables<'_> {
    /// Adds a batch that was not added yet.
    pub(super) fn add(&mut self, batch: [u8; 16], bucket: &Bucket, now: Timestamp) -> Step<()> {
        if self.added.insert(batch, ())?.is_some() {
            return Ok(());
        }
        self.changed = true;
        self.batches.insert((now.as_second(), batch), ())?;
        for (series, count) in &bucket.counts {
            let text = series.to_string();
            let key = (bucket.start.as_second(), text.as_str());
            let old = self.counts.get(key)?.map_or(0, |old| old.value());
            self.counts.insert(key, old.saturating_add(*count))?;
        }
        Ok(())
    }

    /// Keeps an action; past the bound the oldest goes.
    pub(super) fn enter(&mut self, action: &Action) -> Step<()> {
        self.changed = true;
        self.actions.insert(action.id, &record::of_action(action)[..])?;
        if self.actions.len()? > ACTIONS_MOST as u64 {
            self.actions.pop_first()?;
        }
        Ok(())
    }

    /// Keeps the names of clicks; past the bound the oldest of the campaign go.
    pub(super) fn glimpse(&mut self, campaign: &CampaignId, names: &[Vec<u8>]) -> Step<()> {
        for name in names {
            self.changed |= self.latest.insert((campaign.as_str(), &name[..]), ())?.is_none();
        }
        let kept = self.names_of(campaign)?;
        for name in &kept[..kept.len().saturating_sub(LATEST_MOST)] {
            self.latest.remove((campaign.as_str(), &name[..]))?;
        }
        Ok(())
    }

    /// Removes the clicks of a campaign whose names end so.
    pub(super) fn forget(&mut self, campaign: &CampaignId, tail: &[u8]) -> Step<()> {
        for name in self.names_of(campaign)?.iter().filter(|name| name.get(8..) == Some(tail)) {
            self.changed |= self.latest.remove((campaign.as_str(), &name[..]))?.is_some();
        }
        Ok(())
    }

    fn names_of(&self, campaign: &CampaignId) -> Result<Vec<Vec<u8>>, StorageError> {
        let all = self.latest.range((campaign.as_str(), &[][..])..(campaign.as_str(), &[u8::MAX; 9][..]))?;
        all.map(|entry| Ok(entry?.0.value().1.to_vec())).collect()
    }

    /// Removes at most `most` things that are past their time; how many it was.
    pub(super) fn sweep(&mut self, now: Timestamp, most: usize) -> Step<usize> {
        let mut swept = 0;
        let old = record::ceil(record::oldest_bucket(now));
        for entry in self.counts.extract_from_if(..(old, ""), |_, _| true)?.take(most) {
            entry?;
            swept += 1;
        }
        let mut batches = Vec::new();
        let old = record::before(now, BATCHES_KEPT).as_second();
        for entry in self.batches.extract_from_if(..(old, [0; 16]), |_, ()| true)?.take(most - swept) {
            batches.push(entry?.0.value().1);
        }
        for batch in &batches {
            self.added.remove(batch)?;
        }
        swept += batches.len();
        for entry in
            self.actions.extract_from_if(..record::oldest_action(now), |_, _| true)?.take(most - swept)
        {
            entry?;
            swept += 1;
        }
        let old = record::oldest_click(now);
        let past = |(_, name): (&str, &[u8]), ()| name < &old[..];
        for entry in self.latest.extract_if(past)?.take(most - swept) {
            entry?;
            swept += 1;
        }
        self.changed |= swept > 0;
        Ok(swept)
    }
}
