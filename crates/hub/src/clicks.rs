//! Clicks after their capture: found, attached to a user, erased.

use std::{cmp::Reverse, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Actor, CampaignId, Click, ClickId, ClickRef, ClickToken, Error, LaneId, Result, Source,
    UserId,
    ports::{Attribution, Deed, FindClicks, Page},
};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    Hub,
    limits::{PAGE, SKEW},
    trail::Note,
};

/// How far back clicks are found by address.
const FINDABLE: SignedDuration = SignedDuration::from_hours(24);
/// The most clicks found at once.
const FOUND: usize = 100;
/// How long a look-up may take whose answer is only nice to have.
const GLANCE: Duration = Duration::from_millis(250);

/// How a caller names a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClickBy {
    /// By its token.
    Token(String),
    /// By the network's id.
    Network {
        /// The account at the network.
        account: String,
        /// The network's click id.
        click_id: String,
    },
}

/// Which clicks an operator looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClicksOf {
    /// The latest of a campaign: a sample of at most 100 a second from each hub, and the last 1,000 of those.
    Campaign(String),
    /// Those that brought a user.
    User(String),
    /// Those of the last 24 hours from an address, at most 100 of a campaign; in one campaign, or in all that keep
    /// that index.
    Ip {
        /// The visitor's address.
        ip: String,
        /// The campaign, where it is known.
        campaign: Option<String>,
    },
}

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseSubject {
    /// A click: its record, and customer, user and free text of its conversions.
    Click(ClickBy),
    /// A user: the attribution, and the same fields of the conversions attributed by it.
    User(String),
}

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Whether a click or an attribution was there.
    pub found: bool,
    /// How many conversions were touched.
    pub conversions: usize,
}

impl Hub {
    /// A click.
    ///
    /// # Errors
    /// `InvalidArgument` for a token that is not ours or an id of the wrong form; `NotFound` at `click_token` or
    /// `network_click` where its record is not kept, or no longer.
    pub async fn click(&self, by: ClickBy) -> Result<Click> {
        let (account, id) = self.named(&by)?;
        self.known(&account, &id).await?.ok_or_else(|| unknown(field_of(&by)))
    }

    /// Remembers that a click brought a user, until the click's life ends: then is returned. A token suffices; a
    /// click by the network's id must have been captured.
    ///
    /// # Errors
    /// As [`Hub::click`]; `FailedPrecondition` for a click whose life is over.
    pub async fn attach_user(&self, user: &str, by: ClickBy) -> Result<Timestamp> {
        let user = UserId::parse(user)?;
        let now = self.inner.clock.now();
        let click = match &by {
            ClickBy::Token(token) => self.open(token)?,
            ClickBy::Network { .. } => self.click(by.clone()).await?.click,
        };
        if click.is_expired(now) {
            return Err(expired(&click).at(field_of(&by)));
        }
        let click = dated(click, now, now);
        let expires_at = click.expires_at();
        self.inner.clicks.attach(&user, Attribution { click, attached_at: now }).await?;
        Ok(expires_at)
    }

    /// Recent clicks by the visitor's address in one campaign, the latest first: at most 100, at most 24 hours old.
    ///
    /// # Errors
    /// `InvalidArgument` at `ip`; `NotFound` for an unknown campaign; `FailedPrecondition` for one that keeps no
    /// such index.
    pub async fn find_clicks(
        &self,
        ip: &str,
        campaign: &str,
        since: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Click>> {
        let ip: IpAddr = ip
            .parse()
            .map_err(|_| Error::invalid("ip", "is not an IPv4 or IPv6 address such as 192.0.2.1"))?;
        let registry = self.registry();
        let campaign = registry.campaign(campaign)?;
        if !campaign.find_by_ip {
            let message = "keeps no index of addresses; set find_by_ip in its config";
            return Err(Error::precondition("NO_IP_INDEX", message).at("campaign"));
        }
        let earliest = self.inner.clock.now().saturating_sub(FINDABLE).unwrap_or(Timestamp::MIN);
        let find = FindClicks {
            ip: self.inner.keyring.hashes_of_ip(ip),
            campaign: campaign.id.clone(),
            since: since.map_or(earliest, |since| since.max(earliest)),
            limit: limit.min(FOUND),
        };
        self.inner.clicks.find(&find).await
    }

    /// Lists clicks, the latest first: at most 1,000 at once. A page may hold fewer than `limit` and not be the last.
    ///
    /// # Errors
    /// As [`Hub::find_clicks`]; `InvalidArgument` at `user_id`; a store's own.
    pub async fn latest_clicks(
        &self,
        of: &ClicksOf,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Click>> {
        let limit = limit.clamp(1, PAGE);
        let mut items = match of {
            ClicksOf::Campaign(name) => {
                let campaign = self.registry().campaign(name)?.id.clone();
                let page = self.inner.logbook.latest(&campaign, limit, after).await?;
                return Ok(Page { items: self.records_of(page.items).await?, next: page.next });
            }
            ClicksOf::User(user) => {
                let clicks = self.inner.clicks.clicks_of(&UserId::parse(user.as_str())?).await?;
                self.records_of(clicks.into_iter().map(|attribution| attribution.click).collect()).await?
            }
            ClicksOf::Ip { ip, campaign: Some(campaign) } => {
                self.find_clicks(ip, campaign, None, FOUND).await?
            }
            ClicksOf::Ip { ip, campaign: None } => self.find_everywhere(ip).await?,
        };
        items.retain(|click| after.is_none_or(|after| place(&click.click) < after));
        items.sort_unstable_by_key(|click| Reverse(place(&click.click)));
        let next = (items.len() > limit).then(|| place(&items[limit - 1].click));
        items.truncate(limit);
        Ok(Page { items, next })
    }

    /// Recent clicks from an address, in all campaigns that keep the index.
    async fn find_everywhere(&self, ip: &str) -> Result<Vec<Click>> {
        let registry = self.registry();
        let keeping: Vec<&CampaignId> = registry
            .campaigns()
            .filter(|campaign| campaign.find_by_ip)
            .map(|campaign| &campaign.id)
            .collect();
        if keeping.is_empty() {
            let message =
                "cannot be looked for: no campaign keeps an index of addresses; set find_by_ip in its config";
            return Err(Error::precondition("NO_IP_INDEX", message).at("ip"));
        }
        let mut found = Vec::new();
        for campaign in keeping {
            found.extend(self.find_clicks(ip, campaign.as_str(), None, FOUND).await?);
        }
        Ok(found)
    }

    /// The records of clicks, in the same order; those that are not kept are left out.
    async fn records_of(&self, clicks: Vec<ClickRef>) -> Result<Vec<Click>> {
        let mut reads = JoinSet::new();
        for (place, click) in clicks.into_iter().enumerate() {
            let hub = self.clone();
            reads.spawn(async move { (place, hub.known(&click.account, &click.id).await) });
        }
        let mut read = reads.join_all().await;
        read.sort_unstable_by_key(|(place, _)| *place);
        read.into_iter().filter_map(|(_, click)| click.transpose()).collect()
    }

    /// Forgets a click or a user: the record here, and what identifies a person in the conversions. What waits in another
    /// hub's buffer is not reached: an erase from a time when a store was away is to be repeated once it is back.
    ///
    /// # Errors
    /// `InvalidArgument` for a token that is not ours or an id of the wrong form; a store's own.
    pub async fn erase(&self, subject: EraseSubject, actor: &Actor) -> Result<Erased> {
        let actor = actor.clone();
        self.finish(async move |hub: Self| hub.erase_all(subject, &actor).await).await
    }

    async fn erase_all(&self, subject: EraseSubject, actor: &Actor) -> Result<Erased> {
        let inner = &self.inner;
        let (erased, account, target) = match subject {
            EraseSubject::Click(by) => {
                let (account, id) = self.named(&by)?;
                let writing = inner.buffer.writing().await;
                let waited = inner.buffer.remove(&account, &id);
                let kept = inner.clicks.erase_click(&account, &id).await?;
                drop(writing);
                let conversions = inner.outbox.erase_click(&account, &id).await?;
                self.forget_glimpses(&account, &id).await?;
                (Erased { found: waited || kept, conversions }, Some(account), "a click")
            }
            EraseSubject::User(user) => {
                let user = UserId::parse(user)?;
                let found = inner.clicks.erase_user(&user).await?;
                let conversions = inner.outbox.erase_user(&user).await?;
                (Erased { found, conversions }, None, "a user")
            }
        };
        let (account, target, count) = (account.as_ref(), target.to_owned(), erased.conversions as u64);
        self.note(actor, Note { deed: Deed::Erase, account, target, count, reason: "" }).await;
        Ok(erased)
    }

    /// Removes a click from the latest of each campaign that it may have come by.
    async fn forget_glimpses(&self, account: &AccountId, id: &ClickId) -> Result<()> {
        self.inner.journal.forget(account, id);
        for campaign in self.registry().campaigns().filter(|campaign| campaign.account == *account) {
            self.inner.logbook.forget(&campaign.id, account, id).await?;
        }
        Ok(())
    }

    /// What a token says, which may be past its life.
    pub(crate) fn open(&self, token: &str) -> Result<ClickRef> {
        let claims = token.parse::<ClickToken>()?.open(&self.inner.keyring)?;
        let registry = self.registry();
        let account = registry.tagged(claims.account).ok_or_else(|| {
            let message = "is for an account that this hub no longer has";
            Error::not_found("UNKNOWN_ACCOUNT", message).at("click_token")
        })?;
        Ok(ClickRef { account: account.id.clone(), id: claims.click, captured_at: claims.captured_at })
    }

    /// Which click a caller means.
    fn named(&self, by: &ClickBy) -> Result<(AccountId, ClickId)> {
        match by {
            ClickBy::Token(token) => self.open(token).map(|click| (click.account, click.id)),
            ClickBy::Network { account, click_id } => network_click(account, click_id),
        }
    }

    /// The record of a click, in the store or on its way there.
    pub(crate) async fn known(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>> {
        let now = self.inner.clock.now();
        if let Some(waiting) = self.inner.buffer.get(account, id) {
            return Ok((!waiting.click.is_expired(now)).then(|| Arc::unwrap_or_clone(waiting)));
        }
        let kept = self.inner.clicks.click(account, id).await?;
        Ok(kept.filter(|kept| !kept.click.is_expired(now)))
    }

    /// The campaign of a click where its record is at hand: nothing fails or waits long for it.
    pub(crate) async fn campaign_of(&self, account: &AccountId, id: &ClickId) -> Option<CampaignId> {
        if let Some(waiting) = self.inner.buffer.get(account, id) {
            return Some(waiting.campaign.clone());
        }
        if self.inner.buffer.is_away() {
            return None;
        }
        timeout(GLANCE, self.inner.clicks.campaign(account, id)).await.ok()?.ok()?
    }

    /// The record of a click where it is at hand: nothing fails or waits long for it.
    pub(crate) async fn glance(&self, account: &AccountId, id: &ClickId) -> Option<Click> {
        if self.inner.buffer.is_away() {
            return self.inner.buffer.get(account, id).map(Arc::unwrap_or_clone);
        }
        timeout(GLANCE, self.known(account, id)).await.ok()?.ok()?
    }
}

/// Where a click stands among others: by its time, and those of one instant in an order of their own.
fn place(click: &ClickRef) -> [u8; 16] {
    let mut place = *LaneId::of(&click.account, &Source::Click(click.id.clone()), "").as_bytes();
    let nanos = u64::try_from(click.captured_at.as_nanosecond()).unwrap_or_default();
    place[..8].copy_from_slice(&nanos.to_be_bytes());
    place
}

/// Reads an account and a click id of a caller.
pub(crate) fn network_click(account: &str, id: &str) -> Result<(AccountId, ClickId)> {
    let account = AccountId::parse(account).map_err(|error| error.at("network_click.account"))?;
    let id = ClickId::parse(id).map_err(|error| error.at("network_click.click_id"))?;
    Ok((account, id))
}

/// A click as it counts for what occurred at `occurred_at`. One that is dated later than now was captured while a
/// clock ran ahead: it counts as captured at that moment, so that it need not wait until its date comes, and what it
/// brings ends no later than with a click of now.
pub(crate) fn dated(click: ClickRef, now: Timestamp, occurred_at: Timestamp) -> ClickRef {
    let latest = now.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
    if click.captured_at > latest { ClickRef { captured_at: occurred_at, ..click } } else { click }
}

/// A click that was never captured, or whose record is gone.
pub(crate) fn unknown(field: impl Into<String>) -> Error {
    let message = "was not captured here, or its 30 days are over";
    Error::not_found("UNKNOWN_CLICK", message).at(field.into())
}

/// A click that can no longer bring a conversion.
pub(crate) fn expired(click: &ClickRef) -> Error {
    Error::precondition("CLICK_EXPIRED", format!("its click's 30 days ended at {:.0}", click.expires_at()))
}

fn field_of(by: &ClickBy) -> &'static str {
    match by {
        ClickBy::Token(_) => "click_token",
        ClickBy::Network { .. } => "network_click",
    }
}
