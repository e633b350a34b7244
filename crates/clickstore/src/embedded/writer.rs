//! The one thread that writes: it commits all that is queued at once, and answers after the fsync.

use std::{sync::Arc, thread};

use postback_core::{Error, Result};
use redb::{Database, Durability, StorageError};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::{
    failure::{failed, shared},
    tables::Tables,
};

/// How many writes wait for the writer at most; beyond it callers wait to get in.
const QUEUE: usize = 4096;

/// How many writes share a commit at most.
const BATCH: usize = 256;

/// The way to the writing thread. Dropping it lets the thread finish what is queued and waits for its end.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(database: Arc<Database>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread =
            thread::Builder::new()
                .name("clickstore".into())
                .spawn(move || write(&database, jobs))
                .map_err(|cause| Error::unavailable("cannot start the store's writer").caused_by(cause))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does `work` in the next commit and returns its result once that is durable.
    ///
    /// The engine's own errors undo the commit for all that share it; an error inside the result is the caller's alone,
    /// and `work` must then have changed nothing.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<Result<T>, StorageError> + Send + 'static,
    ) -> Result<T> {
        let stopped = || Error::unavailable("the embedded store's writer has stopped");
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work: Some(work), result: None, reply });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the embedded store's writer had panicked");
        }
    }
}

fn write(database: &Database, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let failure = commit(database, &mut batch).err().map(Arc::new);
        if let Some(cause) = &failure {
            error!(error = %cause, writes = batch.len(), "the embedded store failed to commit");
        }
        for job in batch.drain(..) {
            job.answer(failure.as_ref());
        }
    }
}

fn commit(database: &Database, batch: &mut [Box<dyn Job>]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    let changed = {
        let mut tables = Tables::open(&transaction)?;
        for job in batch {
            job.run(&mut tables)?;
        }
        tables.changed()
    };
    if changed { Ok(transaction.commit()?) } else { Ok(transaction.abort()?) }
}

/// One write on its way through the thread.
trait Job: Send {
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), StorageError>;
    fn answer(self: Box<Self>, failure: Option<&Arc<redb::Error>>);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<Result<T>, StorageError> + Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), StorageError> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(tables)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&Arc<redb::Error>>) {
        let result = match (failure, self.result) {
            (Some(cause), _) => Err(shared(cause)),
            (None, Some(result)) => result,
            (None, None) => Err(failed(StorageError::DatabaseClosed)),
        };
        // Whoever stopped waiting does not want to know.
        let _ = self.reply.send(result);
    }
}
