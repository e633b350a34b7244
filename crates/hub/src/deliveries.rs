//! What operators see and decide: deliveries, and the accounts that they are for.

use jiff::Timestamp;
use postback_core::{
    AccountId, Actor, Delivery, DeliveryId, Error, Reason, Result, Series,
    ports::{AccountStats, Deed, DeliveryFilter, Page, Paused, Resolution},
};

use crate::{Hub, limits::PAGE, trail::Note};

/// The longest reason for a pause, in characters.
const REASON: usize = 512;

/// An account and where its deliveries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStanding {
    /// Its name.
    pub id: AccountId,
    /// Its network; empty for an account that was removed.
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
    /// `NotFound` at `delivery_id`.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Delivery> {
        self.inner.outbox.delivery(id).await?.ok_or_else(|| {
            Error::not_found("UNKNOWN_DELIVERY", format!("`{id}` is not a delivery of this hub"))
                .at("delivery_id")
        })
    }

    /// Lists deliveries, the latest first: at most 1,000 at once.
    ///
    /// # Errors
    /// The store's own.
    pub async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        self.inner.outbox.deliveries(&filter, limit.clamp(1, PAGE), after).await
    }

    /// Puts a dead letter back into its lane: as it stood at `seen`, where that is given.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not dead, has changed since, or its click's life is over.
    pub async fn replay(&self, id: DeliveryId, seen: Option<Timestamp>, actor: &Actor) -> Result<Delivery> {
        let actor = actor.clone();
        let replay = async move |hub: Self| {
            hub.unchanged(id, seen).await?;
            let replayed = hub.inner.outbox.replay(id).await;
            hub.note_unheard(&replayed, &actor, of_delivery(Deed::Replay, None, id)).await;
            let delivery = replayed.map_err(|error| error.at("delivery_id"))?;
            hub.inner.wake.notify_one();
            tracing::info!(%actor, account = %delivery.account, delivery = %id, "a dead letter is replayed");
            hub.note(&actor, of_delivery(Deed::Replay, Some(&delivery.account), id)).await;
            Ok(delivery)
        };
        self.finish(replay).await
    }

    /// Decides a delivery in doubt: as it stood at `seen`, where that is given, so that nobody decides on what was
    /// found out before it was sent once more.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not in doubt, or has changed since.
    pub async fn resolve(
        &self,
        id: DeliveryId,
        resolution: Resolution,
        seen: Option<Timestamp>,
        actor: &Actor,
    ) -> Result<Delivery> {
        let actor = actor.clone();
        let resolve = async move |hub: Self| {
            hub.unchanged(id, seen).await?;
            let (resolved, deed) = (hub.resolve_one(id, resolution).await, Deed::Resolve(resolution));
            hub.note_unheard(&resolved, &actor, of_delivery(deed, None, id)).await;
            let delivery = resolved.map_err(|error| error.at("delivery_id"))?;
            hub.inner.wake.notify_one();
            let account = &delivery.account;
            tracing::info!(%actor, %account, delivery = %id, ?resolution, "a delivery in doubt is resolved");
            hub.note(&actor, of_delivery(deed, Some(account), id)).await;
            Ok(delivery)
        };
        self.finish(resolve).await
    }

    /// Refuses a decision on a delivery that is not as it was when somebody looked at it. What changes it after this
    /// look takes it out of doubt or of the dead, which the store sees.
    async fn unchanged(&self, id: DeliveryId, seen: Option<Timestamp>) -> Result<()> {
        let Some(seen) = seen else { return Ok(()) };
        let changed_at = self.delivery(id).await?.updated_at;
        if changed_at == seen {
            return Ok(());
        }
        let message =
            format!("changed at {changed_at:.0}, after it was looked at; look again, and decide then");
        Err(Error::precondition("DELIVERY_CHANGED", message).at("delivery_id"))
    }

    /// Decides a delivery in doubt, and counts it where the network has it.
    pub(crate) async fn resolve_one(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        let delivery = self.inner.outbox.resolve(id, resolution).await?;
        if resolution == Resolution::Delivered {
            let delivered = Series::Delivered(delivery.account.clone());
            self.inner.tally.count(self.inner.clock.now(), delivered, 1);
        }
        Ok(delivery)
    }

    /// Stops deliveries of an account; conversions are still recorded. Where it is paused, the first reason holds, and
    /// the trail says nothing of this one.
    ///
    /// # Errors
    /// `NotFound` at `account`; `InvalidArgument` at `reason`.
    pub async fn pause(&self, account: &AccountId, reason: &str, actor: &Actor) -> Result<AccountStanding> {
        self.registry().account(account)?;
        let words: String = reason.trim().chars().filter(|c| !c.is_control()).collect();
        let long = words.chars().count();
        if long > REASON {
            return Err(Error::invalid("reason", format!("has {long} characters; want at most {REASON}")));
        }
        let words = if words.is_empty() { "paused by an operator".to_owned() } else { words };
        let (account, actor) = (account.clone(), actor.clone());
        let pause = async move |hub: Self| {
            let paused = hub.inner.outbox.pause(&account, Reason::new("operator", words.as_str())).await;
            hub.note_unheard(&paused, &actor, of_account(Deed::Pause, &account, &words)).await;
            if paused? {
                tracing::info!(%actor, %account, "the account is paused");
                hub.note(&actor, of_account(Deed::Pause, &account, &words)).await;
            }
            hub.standing_of(&account).await
        };
        self.finish(pause).await
    }

    /// Lets deliveries of an account go on.
    ///
    /// # Errors
    /// `NotFound` at `account`.
    pub async fn resume(&self, account: &AccountId, actor: &Actor) -> Result<AccountStanding> {
        self.registry().account(account)?;
        let (account, actor) = (account.clone(), actor.clone());
        let resume = async move |hub: Self| {
            let resumed = hub.inner.outbox.resume(&account).await;
            hub.note_unheard(&resumed, &actor, of_account(Deed::Resume, &account, "")).await;
            if resumed? {
                hub.inner.wake.notify_one();
                tracing::info!(%actor, %account, "the account goes on");
                hub.note(&actor, of_account(Deed::Resume, &account, "")).await;
            }
            hub.standing_of(&account).await
        };
        self.finish(resume).await
    }

    /// Where the deliveries of each account stand, or of one.
    ///
    /// # Errors
    /// `NotFound` at `account`.
    pub async fn stats(&self, account: Option<&AccountId>) -> Result<Vec<AccountStanding>> {
        if let Some(account) = account {
            return Ok(vec![self.standing_of(account).await?]);
        }
        let registry = self.registry();
        let mut standings = Vec::with_capacity(registry.accounts().len());
        for account in registry.accounts().values() {
            standings.push(self.standing(&account.id, account.adapter.network()).await?);
        }
        Ok(standings)
    }

    async fn standing_of(&self, account: &AccountId) -> Result<AccountStanding> {
        let registry = self.registry();
        self.standing(account, registry.account(account)?.adapter.network()).await
    }

    pub(crate) async fn standing(
        &self,
        account: &AccountId,
        network: &'static str,
    ) -> Result<AccountStanding> {
        let outbox = &self.inner.outbox;
        let (stats, paused) = tokio::try_join!(outbox.stats(account), outbox.paused(account))?;
        Ok(AccountStanding { id: account.clone(), network, paused, stats })
    }
}

fn of_delivery(deed: Deed, account: Option<&AccountId>, id: DeliveryId) -> Note<'_> {
    Note { deed, account, target: id.to_string(), count: 1, reason: "" }
}

fn of_account<'a>(deed: Deed, account: &'a AccountId, reason: &'a str) -> Note<'a> {
    Note { deed, account: Some(account), target: "the account".to_owned(), count: 0, reason }
}
