//! The embedded engine: one file, one process, every acknowledgement after an fsync.

mod tables;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use postback_core::{
    AccountId, Click, ClickId, Result, UserId,
    ports::{Attribution, ClickStore, Clock, FindClicks},
};
use postback_redb_file::RedbFile;

use self::tables::{Layout, Tables};
use crate::{attributions, finding, key};

/// Pages of the file that are kept in memory, in bytes.
const CACHE: usize = 64 * 1024 * 1024;

/// How many expired things one sweep removes at most: a few milliseconds of the writer's time.
const SWEPT: usize = 1000;

/// Clicks in one file of this process, `clicks.redb`.
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
impl ClickStore for Embedded {
    async fn capture(&self, click: Arc<Click>, findable: bool) -> Result<Arc<Click>> {
        let clock = Arc::clone(&self.clock);
        self.file.make(move |tables| tables.capture(&click, findable, clock.now())).await
    }

    async fn click(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>> {
        let name = key::of_click(account, id);
        let Some(record) = self.file.read(move |txn| tables::click(txn, &name)).await? else {
            return Ok(None);
        };
        let click = tables::decode(account, id, &record)?;
        Ok((!click.click.is_expired(self.clock.now())).then_some(click))
    }

    async fn attach(&self, user: &UserId, attribution: Attribution) -> Result<()> {
        let (user, clock) = (user.clone(), Arc::clone(&self.clock));
        self.file.make(move |tables| tables.attach(&user, attribution.clone(), clock.now())).await
    }

    async fn clicks_of(&self, user: &UserId) -> Result<Vec<Attribution>> {
        let user = user.clone();
        let list = self.file.read(move |txn| tables::clicks_of(txn, &user)).await?;
        Ok(attributions::alive(attributions::decode(&list)?, self.clock.now()))
    }

    async fn find(&self, find: &FindClicks) -> Result<Vec<Click>> {
        let now = self.clock.now();
        let (asked, since) = (find.clone(), finding::since(find, now));
        let found = self.file.read(move |txn| tables::find(txn, &asked, since)).await?;
        let mut clicks = Vec::with_capacity(found.len());
        for stored in found {
            let (account, id) = key::parse_click(&stored.name)?;
            clicks.push(tables::decode(&account, &id, &stored.record)?);
        }
        Ok(finding::pick(clicks, find, now))
    }

    async fn erase_click(&self, account: &AccountId, id: &ClickId) -> Result<bool> {
        let (account, id, clock) = (account.clone(), id.clone(), Arc::clone(&self.clock));
        self.file.make(move |tables| tables.erase_click(&account, &id, clock.now())).await
    }

    async fn erase_user(&self, user: &UserId) -> Result<bool> {
        let (user, clock) = (user.clone(), Arc::clone(&self.clock));
        self.file.make(move |tables| tables.erase_user(&user, clock.now())).await
    }

    async fn sweep(&self) -> Result<usize> {
        let clock = Arc::clone(&self.clock);
        self.file.make(move |tables| tables.sweep(clock.now(), SWEPT)).await
    }

    async fn ping(&self) -> Result<()> {
        self.file.make(|tables: &mut Tables<'_>| tables.touch()).await
    }
}
