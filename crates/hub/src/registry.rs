//! The accounts and campaigns of a deployment, checked together.

use std::collections::{BTreeMap, HashMap};

use postback_core::{Account, AccountId, AccountTag, Accounts, CampaignId, Error, Result};

use url::Url;

use crate::{Hub, LandingTemplate};

/// The longest name of a landing parameter, in bytes.
const PARAMETER: usize = 64;

/// One campaign: where its visitors land, and whose clicks they are.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name; it stands in the edge's URL.
    pub id: CampaignId,
    /// The account at the network that sends its visitors.
    pub account: AccountId,
    /// Where its visitors are sent.
    pub landing: LandingTemplate,
    /// The landing parameter that carries the click id; the network's own by default.
    pub parameter: Option<String>,
    /// Whether its clicks can be found by the visitor's address for 24 hours.
    pub find_by_ip: bool,
}

/// All accounts and campaigns, consistent with each other.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    accounts: Accounts,
    tags: HashMap<AccountId, AccountTag>,
    campaigns: BTreeMap<String, Campaign>,
}

impl Registry {
    /// Checks accounts and campaigns against each other.
    ///
    /// # Errors
    /// `InvalidArgument` for a campaign of an unknown account, two campaigns of one name, a landing parameter that
    /// no query can carry, or two accounts whose names cannot be told apart in a token.
    pub fn new(accounts: Accounts, campaigns: Vec<Campaign>) -> Result<Self> {
        let mut tags = HashMap::new();
        for one in accounts.keys() {
            let tag = AccountTag::of(one);
            if let Some((other, _)) = tags.iter().find(|(_, other)| **other == tag) {
                return Err(Error::invalid(
                    format!("accounts.{one}"),
                    format!("cannot be told from `{other}` in a click token; rename one of them"),
                ));
            }
            tags.insert(one.clone(), tag);
        }
        let mut known = BTreeMap::new();
        for campaign in campaigns {
            check(&campaign, &accounts)?;
            let name = campaign.id.to_string();
            if known.insert(name.clone(), campaign).is_some() {
                return Err(Error::invalid(format!("campaigns.{name}"), "is there twice"));
            }
        }
        Ok(Self { accounts, tags, campaigns: known })
    }

    /// The accounts by name.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The campaigns in the order of their names.
    pub fn campaigns(&self) -> impl Iterator<Item = &Campaign> {
        self.campaigns.values()
    }

    /// A campaign by name.
    ///
    /// # Errors
    /// `NotFound` at `campaign`.
    pub fn campaign(&self, name: &str) -> Result<&Campaign> {
        self.campaigns.get(name).ok_or_else(|| {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            Error::not_found("UNKNOWN_CAMPAIGN", format!("`{shown}` is not a campaign of this hub"))
                .at("campaign")
        })
    }

    /// An account by name.
    ///
    /// # Errors
    /// `NotFound` at `account`.
    pub fn account(&self, id: &AccountId) -> Result<&Account> {
        self.accounts.get(id).ok_or_else(|| {
            Error::not_found("UNKNOWN_ACCOUNT", format!("`{id}` is not an account of this hub")).at("account")
        })
    }

    /// The URL to paste into a campaign's network panel, macros included; `base` is the edge's public address.
    ///
    /// # Errors
    /// `NotFound` for an unknown campaign.
    pub fn link(&self, base: &Url, campaign: &CampaignId) -> Result<String> {
        let campaign = self.campaign(campaign.as_str())?;
        let adapter = &self.account(&campaign.account)?.adapter;
        let parameter = campaign.parameter.as_deref().unwrap_or_else(|| adapter.click_parameter());
        let link = format!("{}/c/{}", base.as_str().trim_end_matches('/'), campaign.id);
        Ok(match adapter.link_query(parameter).as_str() {
            "" => link,
            query => format!("{link}?{query}"),
        })
    }

    /// By what tokens name an account.
    pub(crate) fn tag(&self, account: &AccountId) -> AccountTag {
        self.tags.get(account).copied().unwrap_or_else(|| AccountTag::of(account))
    }

    /// The account that tokens name so.
    pub(crate) fn tagged(&self, tag: AccountTag) -> Option<&Account> {
        let (account, _) = self.tags.iter().find(|(_, other)| **other == tag)?;
        self.accounts.get(account)
    }
}

impl Hub {
    /// The URL to paste into a campaign's network panel, macros included.
    ///
    /// # Errors
    /// `NotFound` for an unknown campaign; `FailedPrecondition` where the edge's public address is not known.
    pub fn link(&self, campaign: &str) -> Result<String> {
        let registry = self.registry();
        let campaign = registry.campaign(campaign)?;
        let base = self.inner.public_url.as_ref().ok_or_else(|| {
            let message = "has no link: set edge.public_url, the address by which visitors reach the edge";
            Error::precondition("NO_PUBLIC_URL", message).at("campaign")
        })?;
        registry.link(base, &campaign.id)
    }
}

fn check(campaign: &Campaign, accounts: &Accounts) -> Result<()> {
    let field = |part: &str| format!("campaigns.{}.{part}", campaign.id);
    if !accounts.contains_key(&campaign.account) {
        return Err(Error::invalid(
            field("account"),
            format!("`{}` is not one of the accounts", campaign.account),
        ));
    }
    let sound = |name: &String| {
        !name.is_empty() && name.len() <= PARAMETER && !name.chars().any(|c| c.is_control() || c == ' ')
    };
    if !campaign.parameter.as_ref().is_none_or(sound) {
        return Err(Error::invalid(
            field("parameter"),
            format!("is not 1 to {PARAMETER} bytes without spaces and control characters"),
        ));
    }
    Ok(())
}
