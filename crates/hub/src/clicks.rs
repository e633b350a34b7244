//! Clicks after their capture: found, attached to a user, erased.

use std::{net::IpAddr, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Click, ClickId, ClickRef, ClickToken, Error, Result, UserId,
    ports::{Attribution, FindClicks},
};
use tokio::time::timeout;

use crate::{Hub, source::dated};

/// How far back clicks are found by address.
const FINDABLE: SignedDuration = SignedDuration::from_hours(24);
/// The most clicks found at once.
const FOUND: usize = 100;
/// How long a look for what is not needed, only nice to have, may take.
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

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseSubject {
    /// A click: its record, and customer, user and network fields of its conversions.
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

    /// Forgets a click or a user: the record here, and what identifies a person in the conversions.
    ///
    /// # Errors
    /// `InvalidArgument` for a token that is not ours or an id of the wrong form; a store's own.
    pub async fn erase(&self, subject: EraseSubject) -> Result<Erased> {
        let inner = &self.inner;
        match subject {
            EraseSubject::Click(by) => {
                let (account, id) = self.named(&by)?;
                let waited = inner.buffer.remove(&account, &id);
                let kept = inner.clicks.erase_click(&account, &id).await?;
                let conversions = inner.outbox.erase_click(&account, &id).await?;
                Ok(Erased { found: waited || kept, conversions })
            }
            EraseSubject::User(user) => {
                let user = UserId::parse(user)?;
                let found = inner.clicks.erase_user(&user).await?;
                let conversions = inner.outbox.erase_user(&user).await?;
                Ok(Erased { found, conversions })
            }
        }
    }

    /// What a token says, which may be past its life.
    pub(crate) fn open(&self, token: &str) -> Result<ClickRef> {
        let claims = token.parse::<ClickToken>()?.open(&self.inner.keyring)?;
        let registry = self.registry();
        let account = registry.account_for(&claims).ok_or_else(|| {
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
            return Ok((!waiting.click.is_expired(now)).then_some(waiting));
        }
        let kept = self.inner.clicks.click(account, id).await?;
        Ok(kept.filter(|kept| !kept.click.is_expired(now)))
    }

    /// The record of a click where it is at hand: nothing fails or waits long for it.
    pub(crate) async fn glance(&self, account: &AccountId, id: &ClickId) -> Option<Click> {
        if self.inner.buffer.is_away() {
            return self.inner.buffer.get(account, id);
        }
        timeout(GLANCE, self.known(account, id)).await.ok()?.ok()?
    }
}

/// Reads an account and a click id of a caller.
pub(crate) fn network_click(account: &str, id: &str) -> Result<(AccountId, ClickId)> {
    let account = AccountId::parse(account).map_err(|error| error.at("network_click.account"))?;
    let id = ClickId::parse(id).map_err(|error| error.at("network_click.click_id"))?;
    Ok((account, id))
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
