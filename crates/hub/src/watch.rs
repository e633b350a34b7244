//! Watching deliveries as they change.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{AccountId, Delivery, DeliveryId, Error, Result, ports::CHANGES_TOLD};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};

use crate::{Hub, limits::SKEW};

/// How often the store is asked.
const POLL: Duration = Duration::from_millis(500);
/// How many deliveries are asked for at once.
const PIECE: usize = 500;
/// How many may wait for a slow watcher.
const AHEAD: usize = 64;
/// How far back each question reaches: what another hub's clock dated a little earlier is not missed.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);
/// How far back is looked for the store's latest change, until there is one: its clock may be behind by so much.
const REACHES: [SignedDuration; 3] = [OVERLAP, SignedDuration::from_secs(30), SignedDuration::from_mins(5)];

impl Hub {
    /// Each delivery as it changes, from `since` or from now on: soon after each change, in the order of the
    /// changes. One that changes several times in half a second may come once, as it is then. The stream ends
    /// with the store's first error; a watcher that goes on from its last `updated_at` misses nothing.
    ///
    /// # Errors
    /// `InvalidArgument` at `start_time` for more than [`CHANGES_TOLD`] ago, or in the future; the store's own.
    pub async fn watch(
        &self,
        account: Option<AccountId>,
        since: Option<Timestamp>,
    ) -> Result<impl Stream<Item = Result<Delivery>> + Send + 'static + use<>> {
        let now = self.inner.clock.now();
        let too_old = |since: &Timestamp| now.duration_since(*since) > CHANGES_TOLD + SKEW;
        if let Some(since) = since.filter(too_old) {
            let hours = CHANGES_TOLD.as_hours();
            let message = format!("`{since}` is more than {hours} hours ago; changes are told from then on");
            return Err(Error::invalid("start_time", message));
        }
        if let Some(since) = since.filter(|since| since.duration_since(now) > SKEW) {
            return Err(Error::invalid("start_time", format!("`{since}` is in the future")));
        }
        let from = since.unwrap_or(now);
        let mut watcher = Watcher { hub: self.clone(), account, from, until: from, seen: HashSet::new() };
        if since.is_none() {
            watcher.skip().await?;
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(watcher.run(sender));
        Ok(ReceiverStream::new(receiver))
    }
}

struct Watcher {
    hub: Hub,
    account: Option<AccountId>,
    /// Nothing older is told.
    from: Timestamp,
    /// The latest change that was seen.
    until: Timestamp,
    /// What was told of the time in which questions overlap.
    seen: HashSet<(Timestamp, DeliveryId)>,
}

impl Watcher {
    async fn run(mut self, sender: mpsc::Sender<Result<Delivery>>) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = sender.closed() => return,
            }
            if let Err(error) = self.poll(&sender).await {
                // A watcher that left needs no answer.
                let _ = sender.send(Err(error)).await;
                return;
            }
        }
    }

    /// Passes over what is there by the store's clock, which may be behind this one.
    async fn skip(&mut self) -> Result<()> {
        let now = self.from;
        for reach in REACHES {
            self.from = now.saturating_sub(reach).unwrap_or(Timestamp::MIN);
            self.until = self.from;
            self.read(None).await?;
            if !self.seen.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Tells everything that changed since the last question.
    async fn poll(&mut self, sender: &mpsc::Sender<Result<Delivery>>) -> Result<()> {
        let now = self.hub.inner.clock.now();
        if now < self.until {
            // The clock was set back: what changes now is dated before what was seen, and is told all the same.
            self.until = now;
            self.from = self.from.min(self.overlapped());
        }
        self.read(Some(sender)).await
    }

    /// Reads on, and tells it where there is somebody to tell.
    async fn read(&mut self, sender: Option<&mpsc::Sender<Result<Delivery>>>) -> Result<()> {
        let (mut since, mut most) = (self.overlap(), PIECE);
        // What changes while it is read may not have been read.
        let began = self.hub.inner.clock.now();
        loop {
            let changed = self.hub.inner.outbox.changed_since(since, most).await?;
            let full = changed.len() >= most;
            let last = changed.last().map_or(since, |delivery| delivery.updated_at);
            for delivery in changed {
                self.until = self.until.max(delivery.updated_at.min(began));
                if !self.tell(delivery, sender).await {
                    return Ok(());
                }
            }
            let overlap = self.overlap();
            self.seen.retain(|(at, _)| *at >= overlap);
            if !full {
                return Ok(());
            }
            // A whole piece of one instant: only a larger one leads on.
            (since, most) = if last > since { (last, PIECE) } else { (since, most * 2) };
        }
    }

    fn overlap(&self) -> Timestamp {
        self.overlapped().max(self.from)
    }

    fn overlapped(&self) -> Timestamp {
        self.until.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN)
    }

    /// Sends a delivery that was not told. Returns whether anybody listens.
    async fn tell(&mut self, delivery: Delivery, sender: Option<&mpsc::Sender<Result<Delivery>>>) -> bool {
        let mine = self.account.as_ref().is_none_or(|account| delivery.account == *account);
        if !self.seen.insert((delivery.updated_at, delivery.id)) || !mine {
            return true;
        }
        match sender {
            Some(sender) => sender.send(Ok(delivery)).await.is_ok(),
            None => true,
        }
    }
}
