//! One claim, from its call to its settlement.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{
    Account, Attempt, Call, LatencyBin, Outcome, Postback, Reason, Repeat, Result, Series, Tally,
    ports::{Claim, Clock, Outbox, Settlement},
    redacted,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, warn};

use crate::{
    backoff::Backoff,
    breakers::Breakers,
    judge::{self, Heard, Step, Trial},
    meter::{self, Meter},
    outgoing::{Mark, Outgoing},
    settings::Settings,
    spans,
    stack::{Leaf, Stack},
    within::since,
};

/// What all accounts' work shares.
pub(crate) struct Shared {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) settings: Settings,
    pub(crate) network: Leaf,
    pub(crate) breakers: Breakers,
}

/// When the last call of an account began that the network took, under its present settings. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct LastAccepted(Arc<Mutex<Option<Timestamp>>>);

impl LastAccepted {
    fn get(&self) -> Option<Timestamp> {
        *self.lock()
    }

    fn set(&self, began: Timestamp) {
        let mut last = self.lock();
        *last = (*last).max(Some(began));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim in work.
pub(crate) struct Sending {
    pub(crate) shared: Arc<Shared>,
    pub(crate) account: Account,
    pub(crate) meter: Arc<Meter>,
    pub(crate) accepted: LastAccepted,
    pub(crate) claim: Claim,
    /// When it was claimed.
    pub(crate) claimed_at: Timestamp,
    /// When the lease ends, where the machine is not suspended meanwhile.
    pub(crate) ends: Instant,
    pub(crate) stop: CancellationToken,
}

impl Sending {
    /// Sends the claim unless something speaks against it, and settles what came of it. `turn` is its place
    /// among those that wait for the account's limits.
    pub(crate) async fn run(&self, stack: Stack, turn: Option<OwnedSemaphorePermit>) {
        fail::fail_point!("claim");
        let span = spans::delivery(self.account.adapter.network(), &self.claim);
        self.work(stack, turn).instrument(span).await;
    }

    async fn work(&self, stack: Stack, turn: Option<OwnedSemaphorePermit>) {
        let call = self.account.adapter.call(&self.postback());
        let step = match judge::before(&self.claim, call, self.now()) {
            ControlFlow::Continue(call) => self.send(call, &stack, turn).await,
            ControlFlow::Break(step) => step,
        };
        self.conclude(step).await;
    }

    fn postback(&self) -> Postback<'_> {
        Postback { conversion: &self.claim.conversion, event: &self.claim.delivery.event }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn send(&self, call: Call, stack: &Stack, turn: Option<OwnedSemaphorePermit>) -> Step {
        let Call { request, shown, repeat, .. } = call;
        let span = spans::attempt(&request, &shown, self.claim.delivery.attempts.len());
        let outgoing = Outgoing::new(request, self.mark(&repeat));
        let begun = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Step::Release { at: self.now() },
            begun = stack.begin(outgoing) => begun,
        };
        drop(turn);
        if self.is_nearly_over() {
            return Step::Release { at: self.now() };
        }
        // What is taken while this call is under way says nothing of it: a network may refuse now and then.
        let (started_at, began, accepted_at) = (self.now(), Instant::now(), self.accepted.get());
        let result = match begun {
            Ok(answer) => answer.instrument(span.clone()).await,
            Err(failure) => Err(failure),
        };
        spans::end(&span, &result);
        let (now, duration) = (self.now(), began.elapsed());
        let jitter = fastrand::f64() * 2.0 - 1.0;
        let delivery = &self.claim.delivery;
        let (repeat, call) = (&repeat, shown.as_str());
        let trial = Trial { delivery, accepted_at, repeat, call, started_at, duration, now, jitter };
        let step = judge::after(&trial, result.map(|answer| self.heard(&answer, now)));
        fail::fail_point!("answer-in");
        step
    }

    /// Whether less is left of the lease than an attempt may take.
    fn is_nearly_over(&self) -> bool {
        let Settings { timeout, lease, .. } = self.shared.settings;
        Instant::now() + timeout >= self.ends || since(self.claimed_at, self.now()) + timeout >= lease
    }

    fn mark(&self, repeat: &Repeat) -> Option<Mark> {
        match repeat {
            Repeat::Keyed(_) => None,
            Repeat::Unkeyed(_) => Some(Mark::new(self.shared.outbox.clone(), self.claim.fence.clone())),
        }
    }

    fn heard(&self, answer: &Response<Bytes>, now: Timestamp) -> Heard {
        let (postback, adapter) = (self.postback(), &self.account.adapter);
        let mut private = adapter.private(&postback);
        private.extend(postback.conversion.details.customer.private());
        let verdict = adapter.verdict(&postback, answer, now).masked(&private);
        let words = String::from_utf8_lossy(answer.body());
        Heard { status: answer.status().as_u16(), answer: redacted(&words, &private), verdict }
    }

    async fn conclude(&self, step: Step) {
        match step {
            Step::Settle { attempt, settlement } => {
                if let Some(attempt) = &attempt {
                    self.count_attempt(attempt);
                    if matches!(attempt.outcome, Outcome::Accepted | Outcome::AlreadyDone) {
                        self.accepted.set(attempt.started_at);
                    }
                }
                self.settle(attempt, settlement).await;
            }
            Step::Pause { attempt, reason } => {
                self.count_attempt(&attempt);
                self.pause(reason).await;
                self.settle(Some(attempt), Settlement::Retry { at: self.now() }).await;
            }
            Step::Release { at } => {
                let fence = &self.claim.fence;
                if self.insist("release", || self.shared.outbox.release(fence, at)).await == Some(false) {
                    self.lost("release");
                }
            }
            Step::Leave => self.lost("start"),
        }
    }

    async fn settle(&self, attempt: Option<Attempt>, settlement: Settlement) {
        let settle = || self.shared.outbox.settle(&self.claim.fence, attempt.clone(), settlement.clone());
        let settled = self.insist("settle", settle).await;
        fail::fail_point!("settle");
        match settled {
            Some(true) => {
                spans::settled(&settlement);
                self.count_settlement(&settlement);
                if let Settlement::InDoubt(reason) = &settlement {
                    let (account, delivery) = (&self.account.id, self.claim.delivery.id);
                    warn!(%account, %delivery, %reason, "held in doubt: a person decides");
                }
            }
            Some(false) => self.lost("settle"),
            None => {}
        }
    }

    fn count_attempt(&self, attempt: &Attempt) {
        self.meter.attempt(self.account.adapter.network(), &self.claim, attempt);
        self.count(Series::Attempts(self.account.id.clone(), attempt.outcome));
    }

    fn count_settlement(&self, settlement: &Settlement) {
        self.meter.settled(&self.account.id, settlement);
        let account = self.account.id.clone();
        match settlement {
            Settlement::Retry { .. } => {}
            Settlement::InDoubt(_) => self.count(Series::InDoubt(account)),
            Settlement::Dead(_) => self.count(Series::Dead(account)),
            Settlement::Delivered { .. } => {
                let bin = LatencyBin::of(since(self.claim.delivery.created_at, self.now()));
                self.count(Series::Delivered(account.clone()));
                self.count(Series::Latency(account, bin));
            }
        }
    }

    fn count(&self, series: Series) {
        self.shared.tally.count(self.now(), series, 1);
    }

    /// Pauses the account; of all its calls that fail so at once, one raises the alert. Where a try was not heard, the
    /// next one may find what that one did.
    async fn pause(&self, reason: Reason) {
        let (account, unheard) = (&self.account.id, AtomicBool::new(false));
        let pause = async || {
            let paused = self.shared.outbox.pause(account, reason.clone()).await;
            unheard.fetch_or(paused.is_err(), Ordering::Relaxed);
            paused
        };
        let paused = self.insist("pause", pause).await;
        if paused.is_some_and(|fresh| fresh || unheard.into_inner()) {
            meter::pause(account);
            let network = self.account.adapter.network();
            error!(%account, network, %reason, "account paused: the network refuses it; mend it and resume");
        }
    }

    /// Takes a step at the outbox, again and again while it is away, until the lease is over.
    async fn insist<T, F>(&self, name: &'static str, step: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::new();
        loop {
            let Ok(result) = timeout_at(self.ends, step()).await else { break };
            let cause = match result {
                Ok(done) => return Some(done),
                Err(cause) => cause,
            };
            meter::outbox_error(name);
            debug!(step = name, %cause, "the outbox failed");
            let wait: Duration = backoff.next(fastrand::f64());
            if !cause.is_passing() || Instant::now() + wait >= self.ends {
                let (account, delivery) = (&self.account.id, self.claim.delivery.id);
                error!(%account, %delivery, step = name, %cause, "a claim is left to its lease");
                return None;
            }
            sleep(wait).await;
        }
        let (account, delivery) = (&self.account.id, self.claim.delivery.id);
        error!(%account, %delivery, step = name, "a claim is left to its lease: the outbox does not answer");
        None
    }

    fn lost(&self, step: &'static str) {
        let (account, delivery) = (&self.account.id, self.claim.delivery.id);
        meter::lease_lost(account);
        warn!(%account, %delivery, step, "the lease was lost: another worker has the delivery");
    }
}
