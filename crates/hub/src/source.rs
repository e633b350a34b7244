//! The source of a conversion: how a caller names it, and what it comes to.

use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, ClickId, ClickRef, Error, FlowCode, FlowId, Result, Source, UserId,
};

use crate::{
    Hub,
    clicks::{dated, network_click, unknown},
    limits::SKEW,
};

/// How a caller names the source of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceBy {
    /// The click, by its token: needs no record of the click.
    Token(String),
    /// The click, by the network's id; it must have been captured.
    Network {
        /// The account at the network.
        account: String,
        /// The network's click id.
        click_id: String,
    },
    /// The user, by the clicks attached to it.
    User {
        /// The caller's own id of the user.
        user: UserId,
        /// Only clicks of this account.
        account: Option<AccountId>,
        /// Which click takes the conversion.
        pick: Pick,
    },
    /// An AlterCPA flow by number, for leads without a click.
    Flow {
        /// The account at the network.
        account: AccountId,
        /// The flow's number.
        id: FlowId,
    },
    /// An AlterCPA flow by code, for leads without a click.
    FlowCode {
        /// The account at the network.
        account: AccountId,
        /// The flow's code.
        code: FlowCode,
    },
}

/// Which of a user's clicks takes a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The last one before the conversion.
    #[default]
    Last,
    /// The first one.
    First,
}

impl SourceBy {
    /// The account as far as the caller said it: the same however often a user's clicks change.
    pub(crate) fn account_said<'a>(&'a self, resolved: &'a Resolved) -> &'a str {
        match self {
            Self::User { account, .. } => account.as_ref().map_or("", AccountId::as_str),
            _ => resolved.account.as_str(),
        }
    }

    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::Token(_) => "click_token",
            Self::Network { .. } => "network_click",
            Self::User { .. } => "user",
            Self::Flow { .. } | Self::FlowCode { .. } => "flow",
        }
    }
}

/// What a source came to.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) account: AccountId,
    pub(crate) source: Source,
    /// When the click was captured; a flow has none.
    pub(crate) click_time: Option<Timestamp>,
    pub(crate) campaign: Option<CampaignId>,
    pub(crate) user: Option<UserId>,
}

impl Resolved {
    fn of_click(click: ClickRef, campaign: Option<CampaignId>) -> Self {
        Self {
            account: click.account,
            source: Source::Click(click.id),
            click_time: Some(click.captured_at),
            campaign,
            user: None,
        }
    }

    fn of_flow(account: &AccountId, source: Source) -> Self {
        Self { account: account.clone(), source, click_time: None, campaign: None, user: None }
    }

    pub(crate) fn click_id(&self) -> Option<&ClickId> {
        match &self.source {
            Source::Click(id) => Some(id),
            Source::Flow(_) | Source::FlowCode(_) => None,
        }
    }

    pub(crate) fn click(&self) -> Option<ClickRef> {
        let (id, captured_at) = (self.click_id()?.clone(), self.click_time?);
        Some(ClickRef { account: self.account.clone(), id, captured_at })
    }
}

impl Hub {
    /// Finds out what a source is, laying errors under `at`. The click of a token may be past its life.
    pub(crate) async fn find_source(
        &self,
        by: &SourceBy,
        occurred_at: Timestamp,
        at: &'static str,
    ) -> Result<Resolved> {
        fail::fail_point!("validate");
        let resolved = self.resolved(by, occurred_at).await.map_err(|error| within(at, error))?;
        fail::fail_point!("click-look-up");
        Ok(resolved)
    }

    async fn resolved(&self, by: &SourceBy, occurred_at: Timestamp) -> Result<Resolved> {
        let dated = |click| dated(click, self.inner.clock.now(), occurred_at);
        match by {
            SourceBy::Token(token) => Ok(self.with_campaign(dated(self.open(token)?)).await),
            SourceBy::Network { account, click_id } => {
                let (account, id) = network_click(account, click_id)?;
                self.known_account(&account, "network_click.account")?;
                let click = self.known(&account, &id).await?.ok_or_else(|| unknown("network_click"))?;
                Ok(Resolved::of_click(dated(click.click), Some(click.campaign)))
            }
            SourceBy::User { user, account, pick } => {
                if let Some(account) = account {
                    self.known_account(account, "user.account")?;
                }
                let click = self.click_of(user, account.as_ref(), *pick, occurred_at).await?;
                self.known_account(&click.account, "user")?;
                Ok(Resolved { user: Some(user.clone()), ..self.with_campaign(click).await })
            }
            SourceBy::Flow { account, id } => {
                self.known_account(account, "flow.account")?;
                Ok(Resolved::of_flow(account, Source::Flow(id.clone())))
            }
            SourceBy::FlowCode { account, code } => {
                self.known_account(account, "flow.account")?;
                Ok(Resolved::of_flow(account, Source::FlowCode(code.clone())))
            }
        }
    }

    fn known_account(&self, account: &AccountId, field: &'static str) -> Result<()> {
        self.registry().account(account).map(drop).map_err(|error| error.at(field))
    }

    /// The source that an earlier word of the same caller was settled on.
    pub(crate) async fn settled_on(&self, click: ClickRef, before: Resolved) -> Resolved {
        if before.click().as_ref() == Some(&click) {
            return before;
        }
        Resolved { user: before.user, ..self.with_campaign(click).await }
    }

    async fn with_campaign(&self, click: ClickRef) -> Resolved {
        let campaign = self.campaign_of(&click.account, &click.id).await;
        Resolved::of_click(click, campaign)
    }

    /// The user's click that takes a conversion: live, and captured no later than the second of the conversion. Where
    /// none was, the first one, as far as clocks may differ.
    async fn click_of(
        &self,
        user: &UserId,
        account: Option<&AccountId>,
        pick: Pick,
        occurred_at: Timestamp,
    ) -> Result<ClickRef> {
        let clicks = self.clicks_of_user(user, account, occurred_at).await?;
        let mut before =
            clicks.iter().filter(|click| click.captured_at.as_second() <= occurred_at.as_second());
        let taken = match pick {
            Pick::First => before.next(),
            Pick::Last => before.next_back(),
        };
        let first = clicks.first().filter(|click| click.captured_at.duration_since(occurred_at) <= SKEW);
        taken.or(first).cloned().ok_or_else(|| {
            let message = "has no click from before the conversion and within its 30 days";
            Error::not_found("UNKNOWN_USER", message).at("user")
        })
    }

    /// The clicks of a user that live, the oldest first.
    pub(crate) async fn clicks_of_user(
        &self,
        user: &UserId,
        account: Option<&AccountId>,
        occurred_at: Timestamp,
    ) -> Result<Vec<ClickRef>> {
        let now = self.inner.clock.now();
        let attributions = self.inner.clicks.clicks_of(user).await?;
        let clicks = attributions.into_iter().map(|attribution| dated(attribution.click, now, occurred_at));
        let wanted = |click: &ClickRef| {
            !click.is_expired(now) && account.is_none_or(|account| click.account == *account)
        };
        Ok(clicks.filter(wanted).collect())
    }
}

/// The same error with its field inside `outer`.
pub(crate) fn within(outer: &str, error: Error) -> Error {
    match error.field().map(|field| format!("{outer}.{field}")) {
        Some(field) => error.at(field),
        None => error,
    }
}
