//! The port to the store of clicks and of user attribution.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{AccountId, CampaignId, Click, ClickId, ClickRef, IpHash, Result, UserId};

/// A click by which a user's conversions may be attributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The click.
    pub click: ClickRef,
    /// When it was attached to the user.
    pub attached_at: Timestamp,
}

/// Which recent clicks are looked for. Only clicks that were captured with `findable` are found.
#[derive(Clone, Debug)]
pub struct FindClicks {
    /// The visitor's address, hashed under each key that may have hashed it.
    pub ip: Vec<IpHash>,
    /// The campaign.
    pub campaign: CampaignId,
    /// Not captured before this.
    pub since: Timestamp,
    /// At most so many, the latest first.
    pub limit: usize,
}

/// Keeps clicks for [`CLICK_LIFE`](crate::CLICK_LIFE) after their capture, and which clicks brought a user.
///
/// What is acknowledged is durable as far as the engine's settings promise. Whatever is past its life is not
/// found, whether or not the engine has swept it.
#[async_trait]
pub trait ClickStore: Send + Sync + 'static {
    /// Keeps a click unless one with the same account and id is there; returns the one that is kept.
    ///
    /// `findable` enters it in the index of [`ClickStore::find`], for 24 hours.
    async fn capture(&self, click: Arc<Click>, findable: bool) -> Result<Arc<Click>>;

    /// The click with this id.
    async fn click(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>>;

    /// The campaign of the click with this id, for those who want no more of it.
    async fn campaign(&self, account: &AccountId, id: &ClickId) -> Result<Option<CampaignId>> {
        Ok(self.click(account, id).await?.map(|click| click.campaign))
    }

    /// Remembers for the click's life that it brought `user`. Attaching it again changes nothing. Of more than 32 clicks
    /// of a user the account that has most gives up its second oldest: the first and the latest of each account are
    /// kept, of up to 16 accounts.
    async fn attach(&self, user: &UserId, attribution: Attribution) -> Result<()>;

    /// The clicks that brought `user`, oldest capture first.
    async fn clicks_of(&self, user: &UserId) -> Result<Vec<Attribution>>;

    /// Recent clicks by address and campaign, the latest first.
    async fn find(&self, find: &FindClicks) -> Result<Vec<Click>>;

    /// Removes a click. Returns whether there was one.
    async fn erase_click(&self, account: &AccountId, id: &ClickId) -> Result<bool>;

    /// Removes what is known of a user. Returns whether anything was.
    async fn erase_user(&self, user: &UserId) -> Result<bool>;

    /// Removes what is past its life, a bounded piece at a time; returns how much was removed. Engines that
    /// expire by themselves return 0.
    async fn sweep(&self) -> Result<usize>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// `Unavailable` where it does not.
    async fn ping(&self) -> Result<()>;
}
