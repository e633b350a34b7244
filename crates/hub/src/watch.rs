//! Deliveries as they change.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{AccountId, Delivery, DeliveryId, Result};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};

use crate::Hub;

/// How often the outbox is asked.
const EVERY: Duration = Duration::from_millis(500);
/// How far back each look reaches, for changes that become visible late.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// The most changes of one look, and the most that wait for a slow reader.
const MOST: usize = 500;

impl Hub {
    /// Each delivery as it changes, at or after `since` or from now on, until the stream is dropped or the store
    /// fails.
    pub fn watch(
        &self,
        account: Option<AccountId>,
        since: Option<Timestamp>,
    ) -> impl Stream<Item = Result<Delivery>> + Send + 'static + use<> {
        let (sender, receiver) = mpsc::channel(MOST);
        let start = since.unwrap_or_else(|| self.inner.clock.now());
        tokio::spawn(follow(self.clone(), account, start, sender));
        ReceiverStream::new(receiver)
    }
}

async fn follow(
    hub: Hub,
    account: Option<AccountId>,
    start: Timestamp,
    sender: mpsc::Sender<Result<Delivery>>,
) {
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut since, mut seen) = (start, HashMap::<DeliveryId, Timestamp>::new());
    loop {
        tokio::select! {
            () = sender.closed() => return,
            _ = look.tick() => {}
        }
        let changed = match hub.inner.outbox.changed_since(since, MOST).await {
            Ok(changed) => changed,
            Err(error) => return drop(sender.send(Err(error)).await),
        };
        // A full look whose changes are all known would come back the same: then the overlap is given up.
        let full = changed.len() == MOST;
        let mut latest = since;
        let mut news = false;
        for delivery in changed {
            latest = latest.max(delivery.updated_at);
            if seen.insert(delivery.id, delivery.updated_at) == Some(delivery.updated_at) {
                continue;
            }
            news = true;
            let wanted = account.as_ref().is_none_or(|account| *account == delivery.account);
            if wanted && sender.send(Ok(delivery)).await.is_err() {
                return;
            }
        }
        let back = if full && !news { latest } else { latest.saturating_sub(OVERLAP).unwrap_or(latest) };
        since = since.max(back);
        seen.retain(|_, updated| *updated >= since);
    }
}
