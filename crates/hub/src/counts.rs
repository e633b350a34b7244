//! What each campaign saw since the hub started.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use jiff::Timestamp;
use postback_core::{AccountId, CampaignId, NoClick};

use crate::{Campaign, Hub, meters};

const REASONS: [NoClick; 4] = [NoClick::Missing, NoClick::Empty, NoClick::Macro, NoClick::Malformed];
/// A campaign's lost clicks are logged at most once in so many seconds for each reason.
const LOG_EVERY: i64 = 10;

/// A campaign and what this hub saw of it since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignStanding {
    /// Its name.
    pub id: CampaignId,
    /// Its account.
    pub account: AccountId,
    /// Clicks captured; reloads are left out where they are known to be such.
    pub clicks: u64,
    /// Landings without a click id, by reason; a reason that never came is left out.
    pub lost: BTreeMap<NoClick, u64>,
}

/// The counters of one campaign. They outlive a change of the registry.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    clicks: AtomicU64,
    lost: [AtomicU64; REASONS.len()],
    logged: [AtomicI64; REASONS.len()],
}

impl Counts {
    pub(crate) fn click(&self) {
        self.clicks.fetch_add(1, Relaxed);
    }

    /// Counts a landing without a click id, and says so in the log now and then.
    pub(crate) fn lose(&self, campaign: &Campaign, reason: NoClick, now: Timestamp) {
        let at = place(reason);
        let lost = self.lost[at].fetch_add(1, Relaxed) + 1;
        meters::lost(&campaign.id, reason);
        let (now, last) = (now.as_second(), self.logged[at].load(Relaxed));
        let due = lost == 1 || now.saturating_sub(last) >= LOG_EVERY;
        if due && self.logged[at].compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            tracing::info!(
                campaign = %campaign.id,
                account = %campaign.account,
                reason = reason.as_str(),
                lost,
                "a visitor came without a click id"
            );
        }
    }

    fn standing(&self, campaign: &Campaign) -> CampaignStanding {
        let lost = REASONS.map(|reason| (reason, self.lost[place(reason)].load(Relaxed)));
        CampaignStanding {
            id: campaign.id.clone(),
            account: campaign.account.clone(),
            clicks: self.clicks.load(Relaxed),
            lost: lost.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

const fn place(reason: NoClick) -> usize {
    match reason {
        NoClick::Missing => 0,
        NoClick::Empty => 1,
        NoClick::Macro => 2,
        NoClick::Malformed => 3,
    }
}

impl Hub {
    /// Every campaign, and what this hub saw of it since it started.
    pub fn campaigns(&self) -> Vec<CampaignStanding> {
        let state = self.state();
        state.registry.campaigns().map(|campaign| state.counts(campaign).standing(campaign)).collect()
    }
}
