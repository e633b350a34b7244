//! What a hub does beside its calls: it brings buffered clicks back, sweeps the stores, watches the clock and the
//! promise, writes the logbook and keeps sight of how it all stands.

use std::{future::Future, time::Duration};

use postback_core::{Result, Series};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{Hub, buffer::Waiting, capture::drop_refused, clock::pause, meters};

/// How many buffered clicks are written at once.
const BATCH: usize = 64;
/// How long one write of a buffered click may take.
const WRITE: Duration = Duration::from_secs(2);
/// The waits between failed writes: from this, doubled, to that.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the last writes may take when the hub is told to end.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How often a store is swept that has nothing more to sweep, and one that has.
const SWEEPS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_millis(100));
/// How often counts are written to the logbook.
const COUNTS: Duration = Duration::from_secs(5);

impl Hub {
    /// Works until `shutdown`: writes buffered clicks as soon as their store is back, sweeps the stores while the clock
    /// can be believed, asks the outbox twice a minute what it promises, writes the logbook, keeps sight. At
    /// the end it finishes what is under way, and writes what is still buffered or counted, for at most five seconds
    /// each; so shut down what takes clicks and what delivers first.
    pub async fn run(&self, shutdown: CancellationToken) {
        meters::describe();
        let (clicks, logbook) = (&self.inner.clicks, &self.inner.logbook);
        tokio::join!(
            self.write_back(&shutdown),
            self.keep_swept("clicks", || clicks.sweep(), &shutdown),
            self.keep_swept("outbox", || self.sweep_outbox(), &shutdown),
            self.keep_swept("logbook", || logbook.sweep(), &shutdown),
            self.keep_time(&shutdown),
            self.keep_promise(&shutdown),
            self.keep_logbook(&shutdown),
            self.keep_sight(&shutdown),
        );
    }

    async fn write_back(&self, shutdown: &CancellationToken) {
        let mut wait = WAITS.0;
        while shutdown.run_until_cancelled(self.inner.buffer.wanted()).await.is_some() {
            if self.write_some().await {
                wait = WAITS.0;
            } else if pause(wait.mul_f64(0.8 + 0.4 * fastrand::f64()), shutdown).await {
                wait = WAITS.1.min(wait * 2);
            }
        }
        let drained =
            timeout(LAST_WRITES, async { while self.inner.buffer.len() > 0 && self.write_some().await {} });
        if drained.await.is_err() || self.inner.buffer.len() > 0 {
            let left = self.inner.buffer.len();
            tracing::warn!(
                left,
                "the hub ends while clicks wait for their store; their tokens still attribute"
            );
        }
    }

    /// Writes a batch of the oldest buffered clicks. Returns whether the store took all of it.
    async fn write_some(&self) -> bool {
        let _writing = self.inner.buffer.writing().await;
        let batch = self.inner.buffer.oldest(BATCH);
        if batch.is_empty() {
            let answers = matches!(timeout(WRITE, self.inner.clicks.ping()).await, Ok(Ok(())));
            if answers {
                self.inner.buffer.back();
            }
            return answers;
        }
        let mut writes = JoinSet::new();
        for waiting in batch {
            let hub = self.clone();
            writes.spawn(async move { hub.write(waiting).await });
        }
        let all = writes.join_all().await.into_iter().all(|written| written);
        if all {
            self.inner.buffer.back();
        } else {
            self.inner.buffer.away();
        }
        all
    }

    async fn write(&self, Waiting { click, findable }: Waiting) -> bool {
        let written = timeout(WRITE, self.inner.clicks.capture(click.clone(), findable)).await;
        match written {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if !error.is_passing() => drop_refused(&click.click, &error),
            Ok(Err(_)) | Err(_) => return false,
        }
        self.inner.buffer.remove(&click.click.account, &click.click.id);
        true
    }

    async fn keep_logbook(&self, shutdown: &CancellationToken) {
        let mut away = false;
        while pause(COUNTS, shutdown).await {
            let failed = self.write_journal().await.err();
            if let Some(error) = failed.as_ref().filter(|_| !away) {
                tracing::warn!(%error, "the logbook is away; counts wait for it, for an hour at most");
            }
            away = failed.is_some();
        }
        // What is still at work counts too.
        let _ = timeout(LAST_WRITES, self.inner.work.wait()).await;
        match timeout(LAST_WRITES, self.write_journal()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the hub ends with counts that the logbook did not take")
            }
            Err(_) => tracing::warn!("the hub ends with counts that the logbook did not take in time"),
        }
    }

    /// Sweeps the outbox, and counts what becomes dead of it.
    async fn sweep_outbox(&self) -> Result<usize> {
        let swept = self.inner.outbox.sweep().await?;
        for account in swept.dead {
            meters::died(&account, 1);
            self.inner.tally.count(self.inner.clock.now(), Series::Dead(account), 1);
        }
        Ok(swept.touched)
    }

    /// Sweeps a store until `shutdown`: not while the clock is in doubt, and at once when it is set right.
    async fn keep_swept<F>(&self, store: &'static str, sweep: impl Fn() -> F, shutdown: &CancellationToken)
    where
        F: Future<Output = Result<usize>>,
    {
        let mut leaps = self.leaps();
        while !shutdown.is_cancelled() {
            leaps.mark_unchanged();
            let mut wait = SWEEPS.0;
            if self.look_at_clock() {
                match shutdown.run_until_cancelled(sweep()).await {
                    Some(Ok(0)) => {}
                    Some(Ok(_)) => wait = SWEEPS.1,
                    Some(Err(error)) => tracing::warn!(store, %error, "a sweep failed"),
                    None => return,
                }
            }
            tokio::select! {
                _ = pause(wait, shutdown) => {}
                Ok(()) = leaps.changed() => {}
            }
        }
    }
}
