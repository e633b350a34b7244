//! The one thread that writes: every step that is waiting goes into one transaction, then all are answered.

use std::{sync::Arc, thread};

use postback_core::{Error, Result};
use redb::{Database, Durability};
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{Failure, Step, unavailable},
    tables::Tables,
};

/// How many steps may wait for the thread.
const WAITING: usize = 1_024;
/// How many steps one transaction takes.
const BATCH: usize = 256;

/// A step whose type of answer is put away.
trait Job: Send {
    /// Makes the step and keeps its result; a later run replaces it.
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Failure>;
    /// Answers with the kept result.
    fn answer(self: Box<Self>);
    /// Answers that nothing was made.
    fn fail(self: Box<Self>, error: Error);
}

struct Pending<T, F> {
    step: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&mut Tables<'_>) -> Step<T> + Send> Job for Pending<T, F> {
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Failure> {
        match (self.step)(tables) {
            Ok(value) => self.result = Some(Ok(value)),
            Err(Failure::Refused(error)) => self.result = Some(Err(error)),
            Err(broken) => return Err(broken),
        }
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
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(database: Arc<Database>) -> Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let thread = thread::Builder::new()
            .name("outbox-writer".into())
            .spawn(move || work(&database, waiting))
            .map_err(|error| Error::unavailable("the outbox's writer cannot start").caused_by(error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Makes a step, and returns once it is on the disk. `step` may run more than once, each time as if the
    /// runs before had not been.
    pub(super) async fn make<T, F>(&self, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>) -> Step<T> + Send + 'static,
    {
        let gone = || Error::unavailable("the outbox's writer has stopped");
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(Pending { step, result: None, reply })).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already answered by closing its channel.
            let _ = thread.join();
        }
    }
}

fn work(database: &Database, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            jobs.push(next);
        }
        make(database, jobs);
    }
}

/// Makes all steps in one transaction. One that breaks is answered and left out, and the others run again.
fn make(database: &Database, mut jobs: Vec<Box<dyn Job>>) {
    while !jobs.is_empty() {
        match transact(database, &mut jobs) {
            Ok(()) => return jobs.into_iter().for_each(Job::answer),
            Err((Some(broken), error)) => jobs.remove(broken).fail(error),
            Err((None, error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the outbox cannot be written");
                let (kind, reason, message) = (error.kind(), error.reason(), error.message().to_owned());
                return jobs.into_iter().for_each(|job| job.fail(Error::new(kind, reason, message.clone())));
            }
        }
    }
}

/// Runs and commits; says which step broke, where it was one.
fn transact(database: &Database, jobs: &mut [Box<dyn Job>]) -> Result<(), (Option<usize>, Error)> {
    let whole = |error: redb::Error| (None, unavailable(error));
    let mut transaction = database.begin_write().map_err(|error| whole(error.into()))?;
    transaction.set_durability(Durability::Immediate).map_err(|error| whole(error.into()))?;
    transaction.set_quick_repair(true);
    let mut tables = Tables::open(&transaction).map_err(|failure| (None, failure.into()))?;
    for (place, job) in jobs.iter_mut().enumerate() {
        if let Err(failure) = job.run(&mut tables) {
            drop(tables);
            transaction.abort().map_err(|error| whole(error.into()))?;
            return Err((Some(place), failure.into()));
        }
    }
    drop(tables);
    fail::fail_point!("commit");
    transaction.commit().map_err(|error| whole(error.into()))
}

#[cfg(test)]
mod tests {
    use postback_core::{AccountId, ErrorKind};
    use redb::{ReadableDatabase, backends::InMemoryBackend};

    use super::*;
    use crate::embedded::tables::COUNTS;

    /// What a step counts; the first one holds the thread until all others are queued behind it.
    enum Kind {
        Holds(std::sync::mpsc::Receiver<()>),
        Counts,
        Refuses,
        Breaks,
    }

    async fn make(writer: &Writer, account: AccountId, kind: Kind) -> Result<()> {
        let step = move |tables: &mut Tables<'_>| {
            match &kind {
                Kind::Refuses => return Err(Error::not_found("NOTHING", "it refuses").into()),
                Kind::Holds(until) => {
                    // It runs again after another one broke, and then nobody holds it.
                    let _ = until.recv();
                }
                Kind::Counts | Kind::Breaks => {}
            }
            tables.count(&account, "pending", 1)?;
            match kind {
                Kind::Breaks => Err(Failure::Broken(Error::internal("it breaks"))),
                _ => Ok(()),
            }
        };
        writer.make(step).await
    }

    #[tokio::test]
    async fn a_step_that_breaks_leaves_nothing_and_harms_none_of_the_others() {
        let database = Arc::new(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap());
        let writer = Writer::start(Arc::clone(&database)).unwrap();
        let (go, hold) = std::sync::mpsc::channel();
        let steps =
            [Kind::Holds(hold), Kind::Counts, Kind::Refuses, Kind::Breaks, Kind::Counts, Kind::Breaks];
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut made: Vec<_> = steps
            .into_iter()
            .zip(names)
            .map(|(kind, name)| Box::pin(make(&writer, name.parse().unwrap(), kind)))
            .collect();
        for step in &mut made {
            // One poll queues it.
            assert!(tokio::time::timeout(std::time::Duration::ZERO, step.as_mut()).await.is_err());
        }
        drop(go);
        let mut kinds = Vec::new();
        for step in made {
            kinds.push(step.await.err().map(|error| error.kind()));
        }
        let (refused, broken) = (Some(ErrorKind::NotFound), Some(ErrorKind::Internal));
        assert_eq!(kinds, [None, None, refused, broken, None, broken]);

        let counts = database.begin_read().unwrap().open_table(COUNTS).unwrap();
        let counted: Vec<_> = names
            .into_iter()
            .filter(|name| counts.get((*name, "pending")).unwrap().is_some_and(|count| count.value() == 1))
            .collect();
        assert_eq!(counted, ["a", "b", "e"]);
    }
}
