//! Calls outside the schedule of deliveries: look-ups.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{
    Account, AccountId, Accounts, Call, Error, ErrorKind, Result,
    ports::{Caller, Clock},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tracing::info;

use crate::{
    breakers::Breakers,
    guard::Switch,
    network::Network,
    outgoing::{Failure, Outgoing},
    stack::{Leaf, Stack},
};

/// Calls networks for look-ups: through a stack per account with the account's limits, apart from that of its
/// deliveries, so that neither waits for the other.
pub struct NetworkCaller {
    accounts: watch::Receiver<Accounts>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    network: Leaf,
    stacks: Arc<Stacks>,
}

type Stacks = Mutex<HashMap<AccountId, (Account, Stack)>>;

impl NetworkCaller {
    /// A caller for these accounts. `timeout` bounds one call in all, and the wait for the limits before it. Wants a
    /// tokio runtime around it.
    ///
    /// # Errors
    /// `Internal` where TLS cannot be set up.
    pub fn new(
        accounts: watch::Receiver<Accounts>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<Self> {
        Ok(Self::over(accounts, clock, timeout, Leaf::new(Network::new(timeout)?)))
    }

    pub(crate) fn over(
        accounts: watch::Receiver<Accounts>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
        network: Leaf,
    ) -> Self {
        let stacks = Arc::default();
        tokio::spawn(follow(accounts.clone(), Arc::downgrade(&stacks)));
        Self { accounts, clock, timeout, network, stacks }
    }

    /// The account's stack, made anew where the account's limits changed.
    fn stack(&self, id: &AccountId) -> Result<(Account, Stack)> {
        let accounts = self.accounts.borrow();
        let account = accounts.get(id).ok_or_else(|| {
            Error::not_found("ACCOUNT_NOT_FOUND", format!("no account `{id}`")).at("account")
        })?;
        let mut stacks = lock(&self.stacks);
        let limits = |account: &Account| (account.concurrency, account.per_second);
        if let Some((known, stack)) = stacks.get(id)
            && limits(known) == limits(account)
        {
            return Ok((account.clone(), stack.clone()));
        }
        let switch = Switch::new(id.clone(), "look-ups", self.clock.clone(), Breakers::default());
        let stack = Stack::new(account, switch, self.timeout, self.network.clone());
        stacks.insert(id.clone(), (account.clone(), stack.clone()));
        Ok((account.clone(), stack))
    }
}

/// Lets go of the stacks of accounts that are gone.
async fn follow(mut accounts: watch::Receiver<Accounts>, stacks: Weak<Stacks>) {
    while accounts.changed().await.is_ok() {
        let Some(stacks) = stacks.upgrade() else { return };
        let known = accounts.borrow_and_update();
        lock(&stacks).retain(|id, _| known.contains_key(id));
    }
}

fn lock(stacks: &Stacks) -> MutexGuard<'_, HashMap<AccountId, (Account, Stack)>> {
    stacks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Caller for NetworkCaller {
    async fn call(&self, account: &AccountId, call: Call) -> Result<Response<Bytes>> {
        let (account, stack) = self.stack(account)?;
        let outgoing = Outgoing::new(call.request, None);
        let begun = timeout(self.timeout, stack.begin(outgoing)).await.map_err(|_| {
            let message = format!("the limits of account `{}` leave no room", account.id);
            Error::new(ErrorKind::ResourceExhausted, "ACCOUNT_LIMIT", message)
        })?;
        let began = Instant::now();
        let result = match begun {
            Ok(answer) => answer.await,
            Err(failure) => Err(failure),
        };
        let (id, network) = (&account.id, account.adapter.network());
        let duration_ms = began.elapsed().as_millis() as u64;
        let status = result.as_ref().ok().map(|answer| answer.status().as_u16());
        info!(account = %id, network, duration_ms, status, call = call.shown, "look-up");
        result.map_err(|failure| unavailable(failure, network, self.clock.now()))
    }
}

fn unavailable(failure: Failure, network: &str, now: Timestamp) -> Error {
    let (why, wait) = match failure {
        Failure::NotSent { reason, .. } | Failure::Lost(reason) => (reason.message, None),
        Failure::Shut { until } => {
            let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            ("it failed again and again, and is given a rest".to_owned(), Some(wait))
        }
        Failure::LeaseLost | Failure::Unmarked => ("the call was not made".to_owned(), None),
    };
    let error = Error::unavailable(format!("{network} gave no answer: {why}")).because("NETWORK_UNAVAILABLE");
    match wait {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}
