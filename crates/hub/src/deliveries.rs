//! deliveries
use crate::Hub;
use postback_core::{
    AccountId, Delivery, DeliveryId, Result,
    ports::{AccountStats, DeliveryFilter, Page, Paused, Resolution},
};
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
    /// One.
    pub async fn delivery(&self, _id: DeliveryId) -> Result<Delivery> {
        todo!()
    }
    /// List.
    pub async fn deliveries(
        &self,
        _filter: DeliveryFilter,
        _limit: usize,
        _after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        todo!()
    }
    /// Replay.
    pub async fn replay(&self, _id: DeliveryId) -> Result<Delivery> {
        todo!()
    }
    /// Resolve.
    pub async fn resolve(&self, _id: DeliveryId, _resolution: Resolution) -> Result<Delivery> {
        todo!()
    }
    /// Pause.
    pub async fn pause(&self, _account: &AccountId, _reason: &str) -> Result<AccountStanding> {
        todo!()
    }
    /// Resume.
    pub async fn resume(&self, _account: &AccountId) -> Result<AccountStanding> {
        todo!()
    }
    /// Stats.
    pub async fn stats(&self, _account: Option<&AccountId>) -> Result<Vec<AccountStanding>> {
        todo!()
    }
}
