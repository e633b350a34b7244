//! The file of a store: its steps go to the writer, its reads see the last commit.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use postback_core::{Error, Result};
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::{
    database::{Purpose, Reopened},
    failure::{Failure, Step, full, is_full},
    writer::{self, Writer},
};

/// The wait after a first failure of the disk.
const WAIT: Duration = Duration::from_millis(50);

/// What a store keeps in its file.
pub trait Schema: 'static {
    /// The file's name without `.redb`, and its thread's.
    const NAME: &'static str;
    /// How the records lie. A file that does not say is of layout 1.
    const LAYOUT: u8;
    /// The tables, open for one transaction.
    type Tables<'t>;

    /// Opens all tables, and makes those that are missing.
    ///
    /// # Errors
    /// Whatever the engine says.
    fn open(transaction: &WriteTransaction) -> Result<Self::Tables<'_>, redb::TableError>;

    /// Whether the steps made in a transaction left anything to commit.
    fn changed(tables: &Self::Tables<'_>) -> bool;
}

/// A store's file. Dropping it finishes what is queued.
pub struct RedbFile<S: Schema> {
    // The writer comes first, so that its thread has ended when the database is closed.
    writer: Writer<S>,
    database: Arc<Reopened>,
}

impl<S: Schema> RedbFile<S> {
    /// Opens the file in the directory `dir`, and makes both where they are missing. At most `cache` bytes of it are
    /// kept in memory.
    ///
    /// # Errors
    /// `FailedPrecondition` where another process holds the file or its format is another version's,
    /// `ResourceExhausted` where the disk is full, `Unavailable` where it refuses, `Internal` where the file is
    /// damaged or not ours.
    pub fn open(dir: &Path, cache: usize) -> Result<Self> {
        make(dir)?;
        let path = dir.join(S::NAME).with_extension("redb");
        let begun = Begun::at(&path, cache);
        let file = Self::over(move || begun.open(), WAIT).map_err(|error| refused(&path, error))?;
        tracing::info!(path = %path.display(), "opened an embedded store");
        Ok(file)
    }

    /// The file behind `open`, which is called again after each failure of the disk: first after `wait`, then after
    /// waits that grow up to a second.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn over(
        open: impl Fn() -> Result<Database, redb::Error> + Send + Sync + 'static,
        wait: Duration,
    ) -> Result<Self, redb::Error> {
        let open = move || {
            let database = open()?;
            writer::prepare::<S>(&database)?;
            Ok(database)
        };
        let database = Arc::new(Reopened::open(S::NAME, Box::new(open), wait)?);
        let writer = Writer::start(Arc::clone(&database)).map_err(redb::Error::Io)?;
        Ok(Self { writer, database })
    }

    /// Makes a step, and returns once it is on the disk. `step` may run more than once, each time as if the runs
    /// before had not been.
    ///
    /// # Errors
    /// The step's own; `ResourceExhausted` where the disk is full and `Unavailable` where it fails: then the step may
    /// or may not have been made.
    pub async fn make<T, F>(&self, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut S::Tables<'_>) -> Step<T> + Send + 'static,
    {
        self.writer.make(step).await
    }

    /// Reads what was last committed, on a thread that may wait for the disk.
    ///
    /// # Errors
    /// The read's own; `Unavailable` where the disk fails, and until the file is opened again.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Step<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        let done = tokio::task::spawn_blocking(move || {
            database.with(Purpose::Read, |database| match read(&database.begin_read()?) {
                Err(Failure::Disk(error)) => Err(error),
                done => Ok(done),
            })
        });
        match done.await {
            Ok(Ok(done)) => done.map_err(Error::from),
            Ok(Err(cause)) => Err(Error::unavailable("the store's file cannot be read now").caused_by(cause)),
            Err(stopped) => Err(Error::unavailable("a read of the store broke off").caused_by(stopped)),
        }
    }
}

/// Makes the directory for the owner's eyes alone: a store holds personal data.
fn make(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| unmade("make the data directory", dir, &error).caused_by(error))
}

/// The file on the disk. It is created by the first open alone: if it vanishes later (its disk was unmounted, say), opening
/// fails, and no empty file takes its place.
struct Begun {
    path: PathBuf,
    cache: usize,
    begun: AtomicBool,
}

impl Begun {
    fn at(path: &Path, cache: usize) -> Self {
        Self { path: path.to_owned(), cache, begun: AtomicBool::new(false) }
    }

    fn open(&self) -> Result<Database, redb::Error> {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache);
        if self.begun.load(Ordering::Relaxed) {
            return Ok(builder.open(&self.path)?);
        }
        let database = create(&self.path, &builder)?;
        self.begun.store(true, Ordering::Relaxed);
        Ok(database)
    }
}

/// Opens the file, or makes it. One that cannot be begun is removed: it would not be known for a store later.
fn create(path: &Path, builder: &Builder) -> Result<Database, redb::Error> {
    match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(builder.create(path)?),
        Err(error) => Err(redb::Error::Io(error)),
        Ok(file) => Ok(builder.create_file(file).inspect_err(|_| {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a file that could not be begun is left behind");
            }
        })?),
    }
}

fn refused(path: &Path, error: redb::Error) -> Error {
    let shown = path.display();
    let refusal = match &error {
        redb::Error::DatabaseAlreadyOpen => Error::precondition(
            "STORE_IN_USE",
            format!(
                "{shown} is held by another process; stop that one, or let both use Redis, which can be shared"
            ),
        ),
        redb::Error::UpgradeRequired(version) => Error::precondition(
            "STORE_FORMAT",
            format!("{shown} has format {version}, which this version does not read"),
        ),
        redb::Error::Io(cause) if cause.kind() != io::ErrorKind::InvalidData => unmade("open", path, cause),
        _ => Error::internal(format!("{shown} is damaged, or not a store of postback")),
    };
    refusal.caused_by(error)
}

fn unmade(what: &str, path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    if is_full(error) {
        full(format!("cannot {what} {shown}: its disk is full; make room and start again"))
    } else {
        Error::unavailable(format!("cannot {what} {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_missed_and_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        let begun = Begun::at(&path, 1 << 20);
        for _ in ["first", "again"] {
            begun.open().unwrap();
        }
        fs::remove_file(&path).unwrap();
        let missed =
            |error| matches!(error, redb::Error::Io(cause) if cause.kind() == io::ErrorKind::NotFound);
        assert!(missed(begun.open().unwrap_err()));
        assert!(!path.exists());
    }
}
