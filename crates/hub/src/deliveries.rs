//! Deliveries: shown, and decided where a person must.

use postback_core::{
    AccountId, Delivery, DeliveryId, Error, Reason, Result,
    ports::{AccountStats, DeliveryFilter, Page, Paused, Resolution},
};

use crate::Hub;

/// An account and where its deliveries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStanding {
    /// Its name.
    pub id: AccountId,
    /// Its network.
    pub network: &'static str,
    /// Why it is not worked on, where it is not.
    pub paused: Option<Paused>,
    /// How many deliveries stand where.
    pub stats: AccountStats,
}

impl Hub {
    /// A delivery with its attempts.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Delivery> {
        let found = self.inner.outbox.delivery(id).await?;
        let message = "names no delivery that is kept";
        found.ok_or_else(|| Error::not_found("UNKNOWN_DELIVERY", message).at("delivery_id"))
    }

    /// Deliveries, the latest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        self.inner.outbox.deliveries(&filter, limit, after).await
    }

    /// Puts a dead letter back into its lane.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not dead or its click's life is over.
    pub async fn replay(&self, id: DeliveryId) -> Result<Delivery> {
        let delivery = self.inner.outbox.replay(id).await?;
        self.inner.wake.notify_one();
        Ok(delivery)
    }

    /// Decides a delivery in doubt.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not in doubt.
    pub async fn resolve(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        let delivery = self.inner.outbox.resolve(id, resolution).await?;
        self.inner.wake.notify_one();
        Ok(delivery)
    }

    /// Stops deliveries of an account; conversions are still recorded.
    ///
    /// # Errors
    /// `NotFound` for an unknown account.
    pub async fn pause(&self, account: &AccountId, reason: &str) -> Result<AccountStanding> {
        self.registry().account(account)?;
        let words = if reason.is_empty() { "an operator paused it" } else { reason };
        if self.inner.outbox.pause(account, Reason::new("paused_by_operator", words)).await? {
            tracing::info!(%account, reason = words, "the account is paused");
        }
        self.standing(account).await
    }

    /// Lets deliveries of an account go on.
    ///
    /// # Errors
    /// `NotFound` for an unknown account.
    pub async fn resume(&self, account: &AccountId) -> Result<AccountStanding> {
        self.registry().account(account)?;
        if self.inner.outbox.resume(account).await? {
            tracing::info!(%account, "the account goes on");
        }
        self.inner.wake.notify_one();
        self.standing(account).await
    }

    /// Where the deliveries of one account stand, or of all.
    ///
    /// # Errors
    /// `NotFound` for an unknown account.
    pub async fn stats(&self, account: Option<&AccountId>) -> Result<Vec<AccountStanding>> {
        if let Some(account) = account {
            return Ok(vec![self.standing(account).await?]);
        }
        let registry = self.registry();
        let mut standings = Vec::with_capacity(registry.accounts().len());
        for account in registry.accounts().keys() {
            standings.push(self.standing(account).await?);
        }
        Ok(standings)
    }

    async fn standing(&self, account: &AccountId) -> Result<AccountStanding> {
        let network = self.registry().account(account)?.adapter.network();
        let outbox = &self.inner.outbox;
        let (stats, paused) = tokio::try_join!(outbox.stats(account), outbox.paused(account))?;
        Ok(AccountStanding { id: account.clone(), network, paused, stats })
    }
}
