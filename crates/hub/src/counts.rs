//! What a campaign saw since the hub started.
use crate::Hub;
use postback_core::{AccountId, CampaignId, NoClick};
use std::collections::BTreeMap;
/// A campaign and what this hub saw of it since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignStanding {
    /// Its name.
    pub id: CampaignId,
    /// Its account.
    pub account: AccountId,
    /// Clicks captured, reloads left out where they are known to be such.
    pub clicks: u64,
    /// Landings without a click id, by reason; reasons that never came are left out.
    pub lost: BTreeMap<NoClick, u64>,
}
impl Hub {
    /// Every campaign and what this hub saw of it since it started.
    pub fn campaigns(&self) -> Vec<CampaignStanding> {
        todo!()
    }
}
