//! An account's settings: which installation, which token, and what it calls things.

use std::collections::BTreeMap;

use postback_core::{BaseUrl, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    status::{Lists, Words},
    table::{REASONS, STATUS_IDS, Table},
};

/// One account at one AlterCPA installation, as the config gives it. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The installation's address (AC-1), such as `https://cpa.example`.
    pub base_url: BaseUrl,
    /// A site token `{site}-{key}`, or the installation's global key (AC-1).
    pub token: SecretString,
    /// The advertiser's own words for an approved lead (AC-5).
    #[serde(default)]
    pub sta: Vec<String>,
    /// The advertiser's own words for a cancelled lead (AC-5).
    #[serde(default)]
    pub stc: Vec<String>,
    /// The advertiser's own words for a trashed lead (AC-5).
    #[serde(default)]
    pub stt: Vec<String>,
    /// The advertiser's own words for a lead on hold (AC-5).
    #[serde(default)]
    pub sth: Vec<String>,
    /// The advertiser's own words for a lead that is being worked on (AC-5).
    #[serde(default)]
    pub stw: Vec<String>,
    /// The advertiser's own words for a new lead (AC-5). A change whose word is one of them creates the lead where there
    /// is none (AC-12); a change to new itself goes without them.
    #[serde(default)]
    pub stn: Vec<String>,
    /// The words by which the six statuses are sent (AC-18).
    #[serde(default)]
    pub words: Words,
    /// Cancel reasons by number, beside or instead of the usual 1 to 15 (AC-21).
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
    /// Status names by number, beside or instead of the usual 1 to 12 (AC-20).
    #[serde(default)]
    pub status_ids: BTreeMap<String, String>,
    /// Whether a change whose lead was lost creates it straight in the wanted status (AC-12). Such a lead knows
    /// only what the change says: no payout, no customer.
    #[serde(default)]
    pub auto: bool,
}

impl Settings {
    /// The settings of an account that calls everything as AlterCPA does.
    pub fn new(base_url: BaseUrl, token: SecretString) -> Self {
        Self {
            base_url,
            token,
            sta: Vec::new(),
            stc: Vec::new(),
            stt: Vec::new(),
            sth: Vec::new(),
            stw: Vec::new(),
            stn: Vec::new(),
            words: Words::default(),
            reasons: BTreeMap::new(),
            status_ids: BTreeMap::new(),
            auto: false,
        }
    }
}

/// One account at one AlterCPA installation: an [`Adapter`](postback_core::Adapter), and a client of its own.
#[derive(Clone, Debug)]
pub struct AlterCpa {
    pub(crate) base_url: BaseUrl,
    pub(crate) token: SecretString,
    pub(crate) lists: Lists,
    pub(crate) words: Words,
    pub(crate) reasons: Table,
    pub(crate) status_ids: Table,
    pub(crate) auto: bool,
}

impl AlterCpa {
    /// Checks an account's settings.
    ///
    /// # Errors
    /// `InvalidArgument` that names the setting; the token is never shown.
    pub fn new(settings: Settings) -> Result<Self> {
        check_token(settings.token.expose_secret())?;
        settings.words.check()?;
        let Settings { sta, stc, stt, sth, stw, stn, .. } = settings;
        let lists = Lists([sta, stc, stt, sth, stw, stn]);
        lists.check()?;
        Ok(Self {
            base_url: settings.base_url,
            token: settings.token,
            lists,
            words: settings.words,
            reasons: Table::new("reasons", REASONS, &settings.reasons)?,
            status_ids: Table::new("status_ids", STATUS_IDS, &settings.status_ids)?,
            auto: settings.auto,
        })
    }

    /// Whether the token is of the whole installation and not of one site (AC-1): such a token names no offer.
    pub(crate) fn is_global(&self) -> bool {
        let (site, key) = self.token.expose_secret().split_once('-').unwrap_or_default();
        site.is_empty() || key.is_empty() || !site.bytes().all(|b| b.is_ascii_digit())
    }
}

fn check_token(token: &str) -> Result<()> {
    if token.is_empty() {
        return Err(Error::invalid("token", "is empty; want SITE-KEY or a global key").because("MISSING"));
    }
    if token.len() > 256 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid(
            "token",
            "is not a token; want SITE-KEY or a global key, at most 256 visible ASCII characters",
        ));
    }
    Ok(())
}
