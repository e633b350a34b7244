//! The workers, one per account, as the accounts come, change and go.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use postback_core::{Account, AccountId, Accounts};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{error, info};

use crate::{sending::Shared, worker::Worker};

/// How long after a worker fell the next one begins.
const REST: Duration = Duration::from_secs(1);

/// All workers.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    at_work: BTreeMap<AccountId, Post>,
    running: JoinSet<()>,
}

/// How one worker is reached.
struct Post {
    account: watch::Sender<Account>,
    wake: Arc<Notify>,
    stop: CancellationToken,
}

impl Crew {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, at_work: BTreeMap::new(), running: JoinSet::new() }
    }

    /// Brings the crew in line with the accounts. A worker whose account is gone ends what it has under way; one
    /// whose account changed goes on under the new settings.
    pub(crate) fn follow(&mut self, accounts: &Accounts) {
        self.at_work.retain(|id, post| {
            let stays = accounts.contains_key(id);
            if !stays {
                info!(account = %id, "the account is gone");
                post.stop.cancel();
            }
            stays
        });
        for account in accounts.values() {
            match self.at_work.get(&account.id) {
                Some(post) => {
                    post.account.send_if_modified(|known| {
                        let changed = differs(known, account);
                        *known = account.clone();
                        changed
                    });
                }
                None => self.hire(account.clone()),
            }
        }
    }

    fn hire(&mut self, account: Account) {
        let id = account.id.clone();
        let (sender, receiver) = watch::channel(account);
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        self.running.spawn(keep(self.shared.clone(), receiver, wake.clone(), stop.clone()));
        self.at_work.insert(id, Post { account: sender, wake, stop });
    }

    /// Tells every worker that something new may be due. A worker that is busy hears it when it next waits.
    pub(crate) fn wake(&self) {
        self.at_work.values().for_each(|post| post.wake.notify_one());
    }

    /// Has all workers end what they have under way, and waits for them.
    pub(crate) async fn dismiss(mut self) {
        self.at_work.values().for_each(|post| post.stop.cancel());
        while self.running.join_next().await.is_some() {}
    }
}

/// Has a worker at work until it is told to stop: one that falls by a defect is followed by another.
async fn keep(
    shared: Arc<Shared>,
    account: watch::Receiver<Account>,
    wake: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        let worker = Worker::new(shared.clone(), account.clone(), wake.clone(), stop.clone());
        let Err(cause) = AbortOnDropHandle::new(tokio::spawn(worker.run())).await else { return };
        error!(account = %account.borrow().id, %cause, "an account's worker fell by a defect; another follows");
        sleep(REST).await;
    }
}

fn differs(one: &Account, other: &Account) -> bool {
    one.settings != other.settings
        || one.concurrency != other.concurrency
        || one.per_second != other.per_second
}
