//! One account's worker: claims what the account's limits leave room for, and has it sent.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use postback_core::{Account, Error, LaneId, ports::Claims};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    backoff::Backoff,
    breaker::Gate,
    guard::Switch,
    meter::{self, Meter},
    sending::{LastAccepted, Sending, Shared},
    stack::Stack,
};

/// How long what is under way may take to be settled after the dispatcher was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Works one account until it is told to stop.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    account: watch::Receiver<Account>,
    meter: Arc<Meter>,
    accepted: LastAccepted,
    /// Notified when something new may be due.
    wake: Arc<Notify>,
    stop: CancellationToken,
    switch: Switch,
    stack: Stack,
    /// Places for claims that wait for the account's limits: as many as may begin within a second.
    turns: Arc<Semaphore>,
    under_way: JoinSet<()>,
    /// Of each lane under way, what is cancelled when its latest call has ended.
    lanes: HashMap<LaneId, CancellationToken>,
    outbox: Away,
}

/// What the worker may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Claim so many.
    For(usize),
    /// Nothing, until a call under way ends.
    Full,
    /// Nothing before this: the breaker is open.
    Shut(Timestamp),
}

/// Whether the outbox is away, and since how many tries.
#[derive(Default)]
struct Away(Option<Backoff>);

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        mut account: watch::Receiver<Account>,
        wake: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
        let current = account.borrow_and_update().clone();
        meter::begin(&current.id);
        let switch =
            Switch::new(current.id.clone(), "deliveries", shared.clock.clone(), shared.breakers.clone());
        let stack = Stack::new(&current, switch.clone(), shared.settings.timeout, shared.network.clone());
        let (under_way, outbox) = (JoinSet::new(), Away::default());
        Self {
            shared,
            account,
            meter: Arc::default(),
            accepted: LastAccepted::default(),
            wake,
            stop,
            switch,
            stack,
            turns: turns(&current),
            under_way,
            lanes: HashMap::new(),
            outbox,
        }
    }

    pub(crate) async fn run(mut self) {
        while !self.stop.is_cancelled() {
            self.reap();
            match self.room() {
                Room::For(limit) => self.claim(limit).await,
                Room::Full => self.idle(self.shared.settings.poll).await,
                Room::Shut(until) => self.idle(self.until(Some(until))).await,
            }
        }
        self.drain().await;
    }

    /// As many as have a free place, will begin within a second or so, and the breaker lets through.
    fn room(&self) -> Room {
        let account = self.account.borrow();
        let free = account.concurrency.get().saturating_sub(self.under_way.len());
        let room = free.min(self.turns.available_permits());
        match self.switch.gate() {
            _ if room == 0 => Room::Full,
            Gate::Free => Room::For(room),
            Gate::Probe if self.under_way.is_empty() => Room::For(1),
            Gate::Probe | Gate::Probing => Room::Full,
            Gate::Shut { until } => Room::Shut(until),
        }
    }

    async fn claim(&mut self, limit: usize) {
        let account = self.account.borrow().clone();
        let (claimed_at, ends) = (self.shared.clock.now(), Instant::now() + self.shared.settings.lease);
        match self.shared.outbox.claim(&account.id, limit, self.shared.settings.lease).await {
            Err(cause) => self.wait_for_outbox(&account, &cause).await,
            Ok(Claims { claims, next_due }) => {
                if self.outbox.is_back() {
                    info!(account = %account.id, "the outbox answers again");
                }
                let all_claimed = claims.len() < limit;
                for claim in claims {
                    let (shared, account, stop) = (self.shared.clone(), account.clone(), self.stop.clone());
                    let (meter, accepted) = (self.meter.clone(), self.accepted.clone());
                    self.send(Sending { shared, account, meter, accepted, claim, claimed_at, ends, stop });
                }
                self.meter.in_flight(&account.id, self.under_way.len());
                if all_claimed {
                    self.idle(self.until(next_due)).await;
                }
            }
        }
    }

    /// Has a claim sent once what is under way of its lane has ended: a lease that ended early brings a lane here
    /// again, and no later step of it may overtake the older call.
    fn send(&mut self, sending: Sending) {
        let ended = CancellationToken::new();
        let older = self.lanes.insert(sending.claim.fence.lane, ended.clone());
        let (stack, turn) = (self.stack.clone(), self.turns.clone().try_acquire_owned().ok());
        // On the heap from the start: the runtime moves a task's future, and a last time when that has ended.
        self.under_way.spawn(Box::pin(async move {
            let _ended = ended.drop_guard();
            if let Some(older) = older {
                older.cancelled().await;
            }
            sending.run(stack, turn).await;
        }));
    }

    /// Waits with growing waits, deaf to wake-ups: a store that is away is not asked more often for them.
    async fn wait_for_outbox(&mut self, account: &Account, cause: &Error) {
        meter::outbox_error("claim");
        let (wait, first) = self.outbox.failed(fastrand::f64());
        if first {
            warn!(account = %account.id, %cause, "the outbox is away; trying again until it is back");
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }

    /// Waits until something may have changed: a call ended, a delivery came, the account changed, or the time
    /// is over.
    async fn idle(&mut self, wait: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.wake.notified() => {}
            Some(ended) = self.under_way.join_next() => complain(ended),
            Ok(()) = self.account.changed() => self.change(),
            () = sleep(wait) => {}
        }
    }

    /// Works on under the account's new settings; calls under way end under the old ones.
    fn change(&mut self) {
        let account = self.account.borrow_and_update().clone();
        let (timeout, network) = (self.shared.settings.timeout, self.shared.network.clone());
        self.stack = Stack::new(&account, self.switch.clone(), timeout, network);
        self.turns = turns(&account);
        self.accepted = LastAccepted::default();
        info!(account = %account.id, "the account's settings changed");
    }

    fn until(&self, due: Option<Timestamp>) -> Duration {
        nap(due, self.shared.clock.now(), self.shared.settings.poll)
    }

    fn reap(&mut self) {
        while let Some(ended) = self.under_way.try_join_next() {
            complain(ended);
        }
        self.lanes.retain(|_, ended| !ended.is_cancelled());
        self.meter.in_flight(&self.account.borrow().id, self.under_way.len());
    }

    async fn drain(mut self) {
        let most = self.shared.settings.timeout + GRACE;
        let all = async { while self.under_way.join_next().await.map(complain).is_some() {} };
        if timeout(most, all).await.is_err() {
            let left = self.under_way.len();
            let account = self.account.borrow();
            warn!(account = %account.id, left, "deliveries under way are left to their leases");
        }
        self.meter.in_flight(&self.account.borrow().id, 0);
    }
}

fn turns(account: &Account) -> Arc<Semaphore> {
    let slots = account.concurrency.get();
    let begin = account.per_second.map_or(slots, |n| slots.min(usize::try_from(n.get()).unwrap_or(slots)));
    Arc::new(Semaphore::new(begin))
}

impl Away {
    /// The next wait, and whether the outbox was there until now.
    fn failed(&mut self, random: f64) -> (Duration, bool) {
        let first = self.0.is_none();
        (self.0.get_or_insert_with(Backoff::new).next(random), first)
    }

    fn is_back(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// How long to wait for something that is due at `due`: never longer than `poll`, for it may be due earlier by
/// then. What is due already and was not claimed is being kept back (a paused account), so it waits as long.
fn nap(due: Option<Timestamp>, now: Timestamp, poll: Duration) -> Duration {
    due.and_then(|due| Duration::try_from(due.duration_since(now)).ok())
        .filter(|wait| !wait.is_zero())
        .map_or(poll, |wait| wait.min(poll))
}

/// A panic is a defect; its claim comes back when its lease ends.
fn complain(ended: Result<(), JoinError>) {
    if let Err(cause) = ended {
        error!(%cause, "sending a delivery failed by a defect");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_worker_naps_until_the_next_delivery_is_due_and_no_longer_than_its_poll() {
        let (now, poll) = (Timestamp::UNIX_EPOCH, Duration::from_millis(250));
        let due = |millis| Some(now + SignedDuration::from_millis(millis));
        for (due, want) in [(None, 250), (due(3), 3), (due(250), 250), (due(9_000), 250), (due(0), 250)] {
            assert_eq!(nap(due, now, poll), Duration::from_millis(want), "{due:?}");
        }
        assert_eq!(nap(due(-5), now, poll), poll, "due and not claimed: the account is paused");
    }
}
