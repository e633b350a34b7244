//! The embedded engine: one file of one process.

mod tables;

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, ClickId, ClickRef, Error, ErrorKind, Result,
    ports::{Action, Bucket, Clock, Logbook, Page},
};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase};

use self::tables::Tables;
use crate::record;

/// The file in the data directory.
const FILE: &str = "logbook.redb";

/// Pages of the file that are kept in memory, in bytes.
const CACHE: usize = 8 * 1024 * 1024;

/// How many things one sweep removes at most.
const SWEPT: usize = 1_000;

/// The logbook in one file of this process, `logbook.redb`.
pub struct Embedded {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Opens the file in the directory `dir`; makes both where they are missing.
    ///
    /// # Errors
    /// `FailedPrecondition` where another process holds the file, `Unavailable` where the disk refuses, `Internal`
    /// where the file is damaged or not ours.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        make(dir)?;
        let path = dir.join(FILE);
        let database = Database::builder().set_cache_size(CACHE).create(&path);
        let database = database.map_err(|error| refused(&path, error))?;
        tables::create(&database).map_err(failed)?;
        Ok(Self { database: Arc::new(database), clock })
    }

    /// Reads on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        on_disk(move || read(&database.begin_read()?)).await
    }

    /// Writes likewise: durable when it returns.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tables<'_>, Timestamp) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T> {
        let (database, now) = (Arc::clone(&self.database), self.clock.now());
        on_disk(move || {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            let written = write(&mut Tables::open(&transaction)?, now)?;
            transaction.commit()?;
            Ok(written)
        })
        .await
    }
}

#[async_trait]
impl Logbook for Embedded {
    async fn add(&self, batch: [u8; 16], bucket: &Bucket) -> Result<()> {
        let bucket = bucket.clone();
        self.write(move |tables, now| tables.add(batch, &bucket, now)).await
    }

    async fn history(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>> {
        let since = since.max(record::oldest_bucket(self.clock.now()));
        self.read(move |txn| tables::history(txn, since, until)).await
    }

    async fn enter(&self, action: Action) -> Result<()> {
        self.write(move |tables, _| tables.enter(&action)).await
    }

    async fn actions(&self, limit: usize, after: Option<[u8; 16]>) -> Result<Page<Action>> {
        let first = record::oldest_action(self.clock.now());
        let records = self.read(move |txn| tables::actions(txn, first, after, limit + 1)).await?;
        let actions = records.iter().map(|record| record::action(record)).collect::<Result<_>>()?;
        Ok(record::page(actions, limit, |action: &Action| action.id))
    }

    async fn glimpse(&self, campaign: &CampaignId, clicks: &[ClickRef]) -> Result<()> {
        let (campaign, names) = (campaign.clone(), clicks.iter().map(record::of_click).collect::<Vec<_>>());
        self.write(move |tables, _| tables.glimpse(&campaign, &names)).await
    }

    async fn latest(
        &self,
        campaign: &CampaignId,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<ClickRef>> {
        let (campaign, first) = (campaign.clone(), record::oldest_click(self.clock.now()));
        let after = after.map(record::from_place);
        let names = self.read(move |txn| tables::latest(txn, &campaign, first, after, limit + 1)).await?;
        let clicks = names.iter().map(|name| record::click(name)).collect::<Result<_>>()?;
        Ok(record::page(clicks, limit, record::place))
    }

    async fn forget(&self, campaign: &CampaignId, account: &AccountId, id: &ClickId) -> Result<()> {
        let (campaign, tail) = (campaign.clone(), record::tail(account, id));
        self.write(move |tables, _| tables.forget(&campaign, &tail)).await
    }

    async fn sweep(&self) -> Result<usize> {
        self.write(move |tables, now| tables.sweep(now, SWEPT)).await
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, redb::Error> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|stopped| Error::unavailable("the embedded logbook is shutting down").caused_by(stopped))?
        .map_err(failed)
}

/// Makes the directory for the owner's eyes alone.
fn make(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        Error::unavailable(format!("cannot make the data directory {}", dir.display())).caused_by(error)
    })
}

fn refused(path: &Path, error: DatabaseError) -> Error {
    if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
        let message = format!(
            "{} is held by another process; stop that one, or let both use Redis, which can be shared",
            path.display()
        );
        return Error::precondition("STORE_IN_USE", message).caused_by(error);
    }
    failed(error)
}

/// What a failure of the engine means to a caller.
fn failed(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    let refusal = match &error {
        redb::Error::Io(cause) if cause.kind() == std::io::ErrorKind::StorageFull => {
            Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", "the embedded logbook's disk is full")
        }
        redb::Error::PreviousIo => {
            Error::unavailable("the embedded logbook met a failing disk; mend it and start again")
        }
        redb::Error::Io(cause) if cause.kind() != std::io::ErrorKind::InvalidData => {
            Error::unavailable("the embedded logbook's disk refuses work")
        }
        _ => Error::internal("the embedded logbook is damaged or not a logbook"),
    };
    refusal.caused_by(error)
}
