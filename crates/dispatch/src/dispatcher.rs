//! The dispatcher: a worker for every account, from start to graceful end.

use std::{pin::pin, sync::Arc};

use postback_core::{
    Accounts, Result, Tally,
    ports::{Clock, Outbox},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    breakers::Breakers, crew::Crew, meter, network::Network, sending::Shared, settings::Settings, stack::Leaf,
};

/// What a dispatcher is made of.
pub struct Parts {
    /// Where deliveries are claimed and settled.
    pub outbox: Arc<dyn Outbox>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The accounts to work; they may change at any time.
    pub accounts: watch::Receiver<Accounts>,
    /// Where attempts and what they came to are counted.
    pub tally: Arc<Tally>,
    /// Notified after each new delivery by whoever records them in this process, so that an idle worker need
    /// not wait for its poll.
    pub wake: Arc<Notify>,
    /// The times.
    pub settings: Settings,
}

/// Delivers what is due, each account on its own.
pub struct Dispatcher {
    shared: Arc<Shared>,
    accounts: watch::Receiver<Accounts>,
    wake: Arc<Notify>,
}

impl Dispatcher {
    /// A dispatcher that is ready to run.
    ///
    /// # Errors
    /// `InvalidArgument` where the settings contradict each other.
    pub fn new(parts: Parts) -> Result<Self> {
        let network = Leaf::new(Network::new(parts.settings.timeout)?);
        Self::over(parts, network)
    }

    pub(crate) fn over(parts: Parts, network: Leaf) -> Result<Self> {
        let Parts { outbox, clock, accounts, tally, wake, settings } = parts;
        settings.check()?;
        meter::describe();
        let breakers = Breakers::default();
        let shared = Arc::new(Shared { outbox, clock, tally, settings, network, breakers });
        Ok(Self { shared, accounts, wake })
    }

    /// The circuit breakers of its accounts.
    pub fn breakers(&self) -> Breakers {
        self.shared.breakers.clone()
    }

    /// Works until `shutdown`. Then it claims nothing more, gives back what was not begun, ends what was, and
    /// returns: within the timeout of one attempt and the five seconds that settling it may take.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { shared, mut accounts, wake } = self;
        let mut crew = Crew::new(shared);
        crew.follow(&accounts.borrow_and_update());
        let mut news = pin!(wake.notified());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Ok(()) = accounts.changed() => crew.follow(&accounts.borrow_and_update()),
                () = news.as_mut() => {
                    // Listening begins anew before the workers are told: what comes in between is heard next.
                    news.set(wake.notified());
                    crew.wake();
                }
            }
        }
        crew.dismiss().await;
    }
}
