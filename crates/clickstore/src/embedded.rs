//! The embedded engine: one file, one process, every acknowledgement after an fsync.

mod failure;
mod tables;
mod writer;

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use postback_core::{
    AccountId, Click, ClickId, Error, Result, UserId,
    ports::{Attribution, ClickStore, Clock, FindClicks},
};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase};
use tracing::info;

use self::{failure::failed, tables::Tables, writer::Writer};
use crate::{attributions, finding, key, record};

/// The file in the data directory.
const FILE: &str = "clicks.redb";

/// Pages of the file that are kept in memory, in bytes.
const CACHE: usize = 64 * 1024 * 1024;

/// How many expired things one sweep removes at most: a few milliseconds of the writer's time.
const SWEPT: usize = 1000;

/// Clicks in one file of this process, `clicks.redb`.
///
/// One thread writes: it takes all that is queued, commits it in one transaction and answers everyone, so that the
/// price of an fsync is shared without anyone waiting for company. Reads run beside it, off the async runtime.
pub struct Embedded {
    database: Arc<Database>,
    writer: Writer,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Opens the file in the directory `dir`; makes both where they are missing.
    ///
    /// # Errors
    /// `FailedPrecondition` where another process holds the file, `Unavailable` where the disk refuses,
    /// `Internal` where the file is damaged or not ours.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        make(dir)?;
        let path = dir.join(FILE);
        let database =
            Database::builder().set_cache_size(CACHE).create(&path).map_err(|error| refused(&path, error))?;
        tables::create(&database).map_err(failed)?;
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database))?;
        info!(path = %path.display(), "opened the embedded store of clicks");
        Ok(Self { database, writer, clock })
    }

    /// Reads on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> redb::Result<T, redb::Error> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        tokio::task::spawn_blocking(move || read(&database.begin_read()?))
            .await
            .map_err(|stopped| Error::unavailable("the embedded store is shutting down").caused_by(stopped))?
            .map_err(failed)
    }
}

#[async_trait]
impl ClickStore for Embedded {
    async fn capture(&self, click: Click, findable: bool) -> Result<Click> {
        let clock = Arc::clone(&self.clock);
        self.writer.run(move |tables| tables.capture(click, findable, clock.now())).await
    }

    async fn click(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>> {
        let name = key::of_click(account, id);
        let Some(record) = self.read(move |txn| tables::click(txn, &name)).await? else { return Ok(None) };
        let click = record::decode(account, id, &record)?;
        Ok((!click.click.is_expired(self.clock.now())).then_some(click))
    }

    async fn attach(&self, user: &UserId, attribution: Attribution) -> Result<()> {
        let (user, clock) = (user.clone(), Arc::clone(&self.clock));
        self.writer.run(move |tables| tables.attach(&user, attribution, clock.now())).await
    }

    async fn clicks_of(&self, user: &UserId) -> Result<Vec<Attribution>> {
        let user = user.clone();
        let list = self.read(move |txn| tables::clicks_of(txn, &user)).await?;
        Ok(attributions::alive(attributions::decode(&list)?, self.clock.now()))
    }

    async fn find(&self, find: &FindClicks) -> Result<Vec<Click>> {
        let now = self.clock.now();
        let (asked, since) = (find.clone(), finding::since(find, now));
        let found = self.read(move |txn| tables::find(txn, &asked, since)).await?;
        let mut clicks = Vec::with_capacity(found.len());
        for stored in found {
            let (account, id) = key::parse_click(&stored.name)?;
            clicks.push(record::decode(&account, &id, &stored.record)?);
        }
        Ok(finding::pick(clicks, find, now))
    }

    async fn erase_click(&self, account: &AccountId, id: &ClickId) -> Result<bool> {
        let (account, id, clock) = (account.clone(), id.clone(), Arc::clone(&self.clock));
        self.writer.run(move |tables| tables.erase_click(&account, &id, clock.now())).await
    }

    async fn erase_user(&self, user: &UserId) -> Result<bool> {
        let (user, clock) = (user.clone(), Arc::clone(&self.clock));
        self.writer.run(move |tables| tables.erase_user(&user, clock.now())).await
    }

    async fn sweep(&self) -> Result<usize> {
        let clock = Arc::clone(&self.clock);
        self.writer.run(move |tables| tables.sweep(clock.now(), SWEPT)).await
    }

    async fn ping(&self) -> Result<()> {
        self.writer.run(|tables: &mut Tables<'_>| tables.touch()).await
    }
}

/// Makes the directory for the owner's eyes alone: clicks are personal data.
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
