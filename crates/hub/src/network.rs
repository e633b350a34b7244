//! network
use crate::Hub;
use postback_core::{AccountId, CampaignId, Found, LookUp, Result};
use url::Url;
impl Hub {
    /// Look up.
    pub async fn look_up(&self, _account: &AccountId, _ask: LookUp) -> Result<Found> {
        todo!()
    }
    /// Link.
    pub fn link(&self, _base: &Url, _campaign: &CampaignId) -> Result<String> {
        todo!()
    }
}
