//! The one thread that writes: every step that is waiting goes into one transaction, then all are answered.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use postback_core::{Error, Result};
use redb::{Database, Durability, ReadableTable, TableDefinition, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Schema,
    database::{Purpose, Reopened},
    failure::{Failure, Step, refused},
};

/// How many steps may wait for the thread; beyond it callers wait to get in.
const WAITING: usize = 4_096;
/// How many steps one transaction takes.
const BATCH: usize = 256;
/// How the records of the file lie.
const LAYOUT: TableDefinition<'_, (), u8> = TableDefinition::new("layout");

/// A step whose type of answer is put away.
trait Job<S: Schema>: Send {
    /// Makes the step and keeps its result; a later run replaces it.
    fn run(&mut self, tables: &mut S::Tables<'_>) -> Step<()>;
    /// Answers with the kept result.
    fn answer(self: Box<Self>);
    /// Answers that nothing was made.
    fn fail(self: Box<Self>, error: Error);
}

type Jobs<S> = Vec<Box<dyn Job<S>>>;

struct Pending<T, F> {
    step: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<S: Schema, T: Send, F: FnMut(&mut S::Tables<'_>) -> Step<T> + Send> Job<S> for Pending<T, F> {
    fn run(&mut self, tables: &mut S::Tables<'_>) -> Step<()> {
        self.result = Some(match (self.step)(tables) {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(failure) => return Err(failure),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        // Whoever asked may have stopped listening; the step stands.
        let _ = self.reply.send(self.result.unwrap_or_else(|| Err(Error::internal("a step gave no result"))));
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// The way to the thread. Dropping it ends the thread and waits for its last transaction.
pub(crate) struct Writer<S: Schema> {
    jobs: Option<mpsc::Sender<Box<dyn Job<S>>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl<S: Schema> Writer<S> {
    /// Starts the thread.
    pub(crate) fn start(database: Arc<Reopened>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let thread =
            thread::Builder::new().name(S::NAME.to_owned()).spawn(move || work::<S>(&database, waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// See [`crate::RedbFile::make`].
    pub(crate) async fn make<T, F>(&self, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut S::Tables<'_>) -> Step<T> + Send + 'static,
    {
        let gone = || Error::unavailable("the store's writer has stopped");
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(Pending { step, result: None, reply })).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl<S: Schema> Drop for Writer<S> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had panicked");
        }
    }
}

fn work<S: Schema>(database: &Reopened, mut waiting: mpsc::Receiver<Box<dyn Job<S>>>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while waiting.blocking_recv_many(&mut jobs, BATCH) > 0 {
        make(database, &mut jobs);
    }
}

/// Makes all steps in one transaction. One that breaks is answered and left out, and the others run again.
fn make<S: Schema>(database: &Reopened, jobs: &mut Jobs<S>) {
    while !jobs.is_empty() {
        match database.with(Purpose::Write, |database| guarded(database, jobs)) {
            Ok(Done::Broken(step, error)) => jobs.remove(step).fail(error),
            Ok(done) => {
                if matches!(done, Done::Committed) {
                    database.committed();
                }
                jobs.drain(..).for_each(Job::answer);
            }
            Err(cause) => jobs.drain(..).for_each(|job| job.fail(refused(&cause))),
        }
    }
}

/// The transaction; a panic in it counts as a failure of the disk, after which the file is opened again.
fn guarded<S: Schema>(database: &Database, jobs: &mut Jobs<S>) -> Result<Done, redb::Error> {
    catch_unwind(AssertUnwindSafe(|| transact(database, jobs)))
        .unwrap_or_else(|_| Err(io::Error::other("a step panicked").into()))
}

/// What became of a transaction.
enum Done {
    Committed,
    /// There was nothing to commit.
    Unchanged,
    /// The step at this place broke, and nothing was made.
    Broken(usize, Error),
}

/// Makes the tables that are missing, so that readers find them. Refuses records that lie otherwise.
pub(crate) fn prepare<S: Schema>(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    let before = transaction.list_tables()?.count();
    let mut layout = transaction.open_table(LAYOUT)?;
    let unnamed = if before == 0 { S::LAYOUT } else { 1 };
    let found = layout.get(())?.map_or(unnamed, |named| named.value());
    if found != S::LAYOUT {
        return Err(redb::Error::UpgradeRequired(found));
    }
    layout.insert((), found)?;
    drop(layout);
    drop(S::open(&transaction)?);
    let made = transaction.list_tables()?.count() > before;
    if made {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}

/// A transaction that commits in two phases, each ended by an fsync, and after which no repair takes long.
fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn transact<S: Schema>(database: &Database, jobs: &mut Jobs<S>) -> Result<Done, redb::Error> {
    let transaction = begin(database)?;
    let mut tables = S::open(&transaction)?;
    let mut broken = None;
    for (place, job) in jobs.iter_mut().enumerate() {
        if let Err(failure) = job.run(&mut tables) {
            broken = Some((place, failure));
            break;
        }
    }
    let changed = S::changed(&tables);
    drop(tables);
    match broken {
        Some((_, Failure::Disk(cause))) => Err(cause),
        Some((place, failure)) => {
            transaction.abort()?;
            Ok(Done::Broken(place, failure.into()))
        }
        None if changed => {
            fail::fail_point!("commit");
            transaction.commit()?;
            Ok(Done::Committed)
        }
        None => {
            transaction.abort()?;
            Ok(Done::Unchanged)
        }
    }
}
