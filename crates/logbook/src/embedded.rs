//! The embedded engine: one file of one process.

mod tables;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, ClickId, ClickRef, Result,
    ports::{Action, Bucket, Clock, Logbook, Page},
};
use postback_redb_file::RedbFile;

use self::tables::Layout;
use crate::record;

/// Pages of the file that are kept in memory, in bytes.
const CACHE: usize = 8 * 1024 * 1024;

/// How many things one sweep removes at most.
const SWEPT: usize = 1_000;

/// The logbook in one file of this process, `logbook.redb`.
pub struct Embedded {
    file: RedbFile<Layout>,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Opens the file in the directory `dir`; makes both where they are missing.
    ///
    /// # Errors
    /// `FailedPrecondition` where another process holds the file or its format is another version's,
    /// `ResourceExhausted` where the disk is full, `Unavailable` where it refuses, `Internal` where the file is
    /// damaged or not ours.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self { file: RedbFile::open(dir, CACHE)?, clock })
    }
}

#[async_trait]
impl Logbook for Embedded {
    async fn add(&self, batch: [u8; 16], bucket: &Bucket) -> Result<()> {
        let (bucket, now) = (bucket.clone(), self.clock.now());
        self.file.make(move |tables| tables.add(batch, &bucket, now)).await
    }

    async fn history(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>> {
        let since = since.max(record::oldest_bucket(self.clock.now()));
        self.file.read(move |txn| tables::history(txn, since, until)).await
    }

    async fn enter(&self, action: Action) -> Result<()> {
        self.file.make(move |tables| tables.enter(&action)).await
    }

    async fn actions(&self, limit: usize, after: Option<[u8; 16]>) -> Result<Page<Action>> {
        let first = record::oldest_action(self.clock.now());
        let records = self.file.read(move |txn| tables::actions(txn, first, after, limit + 1)).await?;
        let actions = records.iter().map(|record| record::action(record)).collect::<Result<_>>()?;
        Ok(record::page(actions, limit, |action: &Action| action.id))
    }

    async fn glimpse(&self, campaign: &CampaignId, clicks: &[ClickRef]) -> Result<()> {
        let (campaign, names) = (campaign.clone(), clicks.iter().map(record::of_click).collect::<Vec<_>>());
        self.file.make(move |tables| tables.glimpse(&campaign, &names)).await
    }

    async fn latest(
        &self,
        campaign: &CampaignId,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<ClickRef>> {
        let (campaign, first) = (campaign.clone(), record::oldest_click(self.clock.now()));
        let after = after.map(record::from_place);
        let names =
            self.file.read(move |txn| tables::latest(txn, &campaign, first, after, limit + 1)).await?;
        let clicks = names.iter().map(|name| record::click(name)).collect::<Result<_>>()?;
        Ok(record::page(clicks, limit, record::place))
    }

    async fn forget(&self, campaign: &CampaignId, account: &AccountId, id: &ClickId) -> Result<()> {
        let (campaign, tail) = (campaign.clone(), record::tail(account, id));
        self.file.make(move |tables| tables.forget(&campaign, &tail)).await
    }

    async fn sweep(&self) -> Result<usize> {
        let now = self.clock.now();
        self.file.make(move |tables| tables.sweep(now, SWEPT)).await
    }
}
