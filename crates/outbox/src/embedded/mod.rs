//! The outbox in one file of redb, for one machine: synced to the disk before anything is acknowledged.

mod claim;
mod decide;
mod list;
mod record;
mod records;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Attempt, ClickId, Conversion, ConversionId, Delivery, DeliveryId, Error, Fingerprint, Reason,
    Result, UserId,
    ports::{
        AccountStats, Claims, Clock, ConversionFilter, DeliveryFilter, Fence, Outbox, Page, Paused, Promise,
        Recorded, RequestKey, Reservation, Resolution, Settlement, Story, Swept, Target,
    },
};
use postback_redb_file::{RedbFile, Step};

use self::{
    list::View,
    tables::{Layout, Tables},
};
use crate::rules;

/// How much of the file is kept in memory at most, in bytes.
const CACHE: usize = 1024 * 1024 * 1024;

/// The embedded outbox. One process has it open at a time.
pub struct Embedded {
    file: RedbFile<Layout>,
    clock: Arc<dyn Clock>,
    retention: SignedDuration,
}

impl Embedded {
    /// Opens the outbox in the directory `dir`, and makes both where they are missing. Settled conversions are
    /// kept for `retention`, and never less than the 37 days for which a repeat must be told from a new one.
    ///
    /// # Errors
    /// `FailedPrecondition` where another process has it open or its format is another version's;
    /// `ResourceExhausted` where the disk is full; `Unavailable` where the directory cannot be read or written;
    /// `Internal` where the file is damaged.
    pub async fn open(dir: &Path, clock: Arc<dyn Clock>, retention: Duration) -> Result<Self> {
        let dir = dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || RedbFile::open(&dir, CACHE)).await;
        let file = opened
            .map_err(|error| Error::internal("the opening of the outbox broke off").caused_by(error))??;
        Ok(Self::over(file, clock, retention))
    }

    fn over(file: RedbFile<Layout>, clock: Arc<dyn Clock>, retention: Duration) -> Self {
        Self { file, clock, retention: rules::retention(retention) }
    }

    /// Makes a step at the time at which its turn comes.
    async fn make<T, F>(&self, mut step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>, Timestamp) -> Step<T> + Send + 'static,
    {
        let clock = Arc::clone(&self.clock);
        self.file.make(move |tables| step(tables, whole(clock.now()))).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Step<T> + Send + 'static,
    ) -> Result<T> {
        self.file.read(move |transaction| read(&View(transaction))).await
    }
}

/// A time in whole milliseconds, as all engines keep it.
fn whole(time: Timestamp) -> Timestamp {
    rules::from_millis(time.as_millisecond())
}

#[async_trait]
impl Outbox for Embedded {
    async fn reserve(&self, key: RequestKey, mine: Reservation) -> Result<Reservation> {
        self.make(move |tables, now| record::reserve(tables, now, key, &mine)).await
    }

    async fn reserved(&self, key: RequestKey) -> Result<Option<Reservation>> {
        let now = whole(self.clock.now());
        self.read(move |view| view.reserved(key, now)).await
    }

    async fn record(
        &self,
        conversion: Conversion,
        delivery: Delivery,
        fingerprint: Fingerprint,
    ) -> Result<Recorded> {
        self.make(move |tables, now| {
            record::record(tables, now, conversion.clone(), delivery.clone(), &fingerprint)
        })
        .await
    }

    async fn change(&self, target: Target, delivery: Delivery) -> Result<Recorded> {
        self.make(move |tables, now| record::change(tables, now, target, delivery.clone())).await
    }

    async fn claim(&self, account: &AccountId, limit: usize, lease: Duration) -> Result<Claims> {
        let now = whole(self.clock.now());
        let owned = account.clone();
        let next_due = self
            .read(move |view| Ok(if view.paused(&owned)?.is_some() { None } else { view.next_due(&owned)? }))
            .await?;
        if next_due.is_none_or(|due| due > now) {
            return Ok(Claims { claims: Vec::new(), next_due });
        }
        let account = account.clone();
        self.make(move |tables, now| claim::claim(tables, now, &account, limit, lease)).await
    }

    async fn start(&self, fence: &Fence) -> Result<bool> {
        let fence = fence.clone();
        self.make(move |tables, now| claim::start(tables, now, &fence)).await
    }

    async fn settle(&self, fence: &Fence, attempt: Option<Attempt>, settlement: Settlement) -> Result<bool> {
        let fence = fence.clone();
        self.make(move |tables, now| claim::settle(tables, now, &fence, attempt.clone(), settlement.clone()))
            .await
    }

    async fn release(&self, fence: &Fence, at: Timestamp) -> Result<bool> {
        let fence = fence.clone();
        self.make(move |tables, now| claim::release(tables, now, &fence, at)).await
    }

    async fn resolve(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        self.make(move |tables, now| decide::resolve(tables, now, id, resolution)).await
    }

    async fn replay(&self, id: DeliveryId) -> Result<Delivery> {
        self.make(move |tables, now| decide::replay(tables, now, id)).await
    }

    async fn pause(&self, account: &AccountId, reason: Reason) -> Result<bool> {
        let account = account.clone();
        self.make(move |tables, now| decide::pause(tables, now, &account, &reason)).await
    }

    async fn resume(&self, account: &AccountId) -> Result<bool> {
        let account = account.clone();
        self.make(move |tables, _| decide::resume(tables, &account)).await
    }

    async fn paused(&self, account: &AccountId) -> Result<Option<Paused>> {
        let account = account.clone();
        self.read(move |view| view.paused(&account)).await
    }

    async fn story(&self, id: ConversionId) -> Result<Option<Story>> {
        self.read(move |view| view.story(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        self.read(move |view| view.delivery(id)).await
    }

    async fn conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        let filter = filter.clone();
        self.read(move |view| view.conversions(&filter, limit, after)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        let filter = filter.clone();
        self.read(move |view| view.deliveries(&filter, limit, after)).await
    }

    async fn changed_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        self.read(move |view| view.changed_since(since, limit)).await
    }

    async fn stats(&self, account: &AccountId) -> Result<AccountStats> {
        let account = account.clone();
        self.read(move |view| view.stats(&account)).await
    }

    async fn erase_click(&self, account: &AccountId, click: &ClickId) -> Result<usize> {
        let (account, click) = (account.clone(), click.clone());
        self.make(move |tables, _| decide::erase_click(tables, &account, &click)).await
    }

    async fn erase_user(&self, user: &UserId) -> Result<usize> {
        let user = user.clone();
        self.make(move |tables, _| decide::erase_user(tables, &user)).await
    }

    async fn sweep(&self) -> Result<Swept> {
        let retention = self.retention;
        self.make(move |tables, now| sweep::sweep(tables, now, retention)).await
    }

    async fn ping(&self) -> Result<()> {
        self.read(|_| Ok(())).await
    }

    async fn promise(&self) -> Result<Promise> {
        let words = "what is acknowledged is on this machine's disk: it survives a crash and a power cut, and \
                     nothing but the loss of the disk";
        Ok(Promise { words: words.to_owned(), weak: false })
    }
}
