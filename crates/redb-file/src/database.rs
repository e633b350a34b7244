//! A database that is opened again after its disk failed it.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use redb::Database;

/// The longest wait between two tries on a disk that fails, where the first is no longer.
const LONGEST: Duration = Duration::from_secs(1);

type Open = dyn Fn() -> Result<Database, redb::Error> + Send + Sync;

/// Why there is nothing to work with, or what the disk failed with.
type Cause = Arc<redb::Error>;

/// A database, and how to open it.
pub(crate) struct Reopened {
    /// The store's, in the log.
    name: &'static str,
    open: Box<Open>,
    /// The wait after a first failure; it doubles with each further one.
    wait: Duration,
    held: RwLock<Held>,
}

struct Held {
    /// `None`: it is closed, and opened again once it is time for another try.
    database: Option<Database>,
    /// How often it was opened, or closed after a failure.
    turn: u64,
    trouble: Option<Trouble>,
}

/// What holds from a failure until a commit succeeds.
struct Trouble {
    cause: Cause,
    since: Instant,
    wait: Duration,
    /// When it is time for another try.
    again: Instant,
}

/// What someone wants of the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read, which a full disk allows.
    Read,
    /// To write, which a failing disk is asked for only from time to time.
    Write,
}

impl Reopened {
    /// Opens it for the first time.
    pub(crate) fn open(name: &'static str, open: Box<Open>, wait: Duration) -> Result<Self, redb::Error> {
        let database = Some(open()?);
        Ok(Self { name, open, wait, held: RwLock::new(Held { database, turn: 0, trouble: None }) })
    }

    /// Works with the database. After an error it is closed, once nobody works with it any more, and opened again.
    pub(crate) fn with<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Cause> {
        if self.read().is_to_be_opened() {
            self.open_again();
        }
        let held = self.read();
        let (done, turn) = (work(held.ready(purpose)?), held.turn);
        drop(held);
        done.map_err(|error| {
            let cause = Arc::new(error);
            self.fail(turn, Arc::clone(&cause));
            cause
        })
    }

    /// Ends the trouble: a commit succeeded.
    pub(crate) fn committed(&self) {
        if self.read().trouble.is_some()
            && let Some(trouble) = self.write().trouble.take()
        {
            let after = trouble.since.elapsed();
            tracing::info!(store = self.name, ?after, "the store's disk takes writes again");
        }
    }

    /// Closes the database that failed in its `turn`, and tries once to open it.
    fn fail(&self, turn: u64, cause: Cause) {
        let mut held = self.write();
        if held.turn == turn {
            held.turn += 1;
            held.database = None;
            self.failed(&mut held, cause);
            self.try_open(&mut held);
        }
    }

    fn open_again(&self) {
        let mut held = self.write();
        if held.is_to_be_opened() {
            self.try_open(&mut held);
        }
    }

    fn try_open(&self, held: &mut Held) {
        match (self.open)() {
            Ok(database) => held.database = Some(database),
            Err(error) => self.failed(held, Arc::new(error)),
        }
    }

    fn failed(&self, held: &mut Held, cause: Cause) {
        let now = Instant::now();
        let (since, wait) = match &held.trouble {
            Some(trouble) => (trouble.since, trouble.wait.saturating_mul(2).min(LONGEST.max(self.wait))),
            None => (now, self.wait),
        };
        let error = &*cause as &dyn std::error::Error;
        tracing::error!(store = self.name, error, again_in = ?wait, "the store's disk fails");
        held.trouble = Some(Trouble { cause, since, wait, again: now + wait });
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is_to_be_opened(&self) -> bool {
        self.database.is_none() && !self.waits()
    }

    fn waits(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| Instant::now() < trouble.again)
    }

    fn ready(&self, purpose: Purpose) -> Result<&Database, Cause> {
        let waits = purpose == Purpose::Write && self.waits();
        match (&self.database, &self.trouble) {
            (Some(database), _) if !waits => Ok(database),
            (_, Some(trouble)) => Err(Arc::clone(&trouble.cause)),
            (_, None) => Err(Arc::new(redb::Error::DatabaseClosed)),
        }
    }
}
