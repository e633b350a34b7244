//! The port to the logbook: counts over time, what operators did, and the latest clicks of each campaign.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Page, Resolution};
use crate::{AccountId, Actor, CampaignId, ClickId, ClickRef, Result, Series};

/// How much time one bucket of counts covers.
pub const BUCKET: SignedDuration = SignedDuration::from_mins(5);
/// How long counts are kept.
pub const COUNTS_KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);
/// How long it is known that a batch of counts was added.
pub const BATCHES_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How long an action is kept.
pub const ACTIONS_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How many actions are kept, the latest.
pub const ACTIONS_MOST: usize = 100_000;
/// How many clicks of a campaign are kept, the latest; none past its life.
pub const LATEST_MOST: usize = 1_000;

/// What was counted in one piece of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins: a whole multiple of [`BUCKET`] since 1970.
    pub start: Timestamp,
    /// How many of each; what was not counted is left out.
    pub counts: Vec<(Series, u64)>,
}

impl Bucket {
    /// When the bucket of a time begins.
    pub fn start_of(at: Timestamp) -> Timestamp {
        let second = at.as_second();
        Timestamp::from_second(second - second.rem_euclid(BUCKET.as_secs())).unwrap_or(Timestamp::MIN)
    }
}

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Put dead letters back into their lanes.
    Replay,
    /// Decided deliveries in doubt.
    Resolve(Resolution),
    /// Stopped deliveries of an account.
    Pause,
    /// Let deliveries of an account go on.
    Resume,
    /// Removed what identifies a person.
    Erase,
}

/// One action of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its id: a version 7 UUID, so that ids stand in the order of time.
    pub id: [u8; 16],
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub deed: Deed,
    /// At which account, where it was one.
    pub account: Option<AccountId>,
    /// On what, in words; names no person.
    pub target: String,
    /// On how many.
    pub count: u64,
    /// Why, where it was said; that it may have been done, where the store's answer to it was lost.
    pub reason: String,
}

/// Keeps what operators want to see beside the conversions themselves. Everything in it is bounded.
///
/// Nothing here is needed to take in, deliver or attribute a conversion. Every step may be repeated and does no more
/// than once. All of them fail with `Unavailable` where the store is away.
#[async_trait]
pub trait Logbook: Send + Sync + 'static {
    /// Adds counts to their bucket, which is kept for [`COUNTS_KEPT`]. A batch with the same id that was added in
    /// the last [`BATCHES_KEPT`] changes nothing.
    async fn add(&self, batch: [u8; 16], bucket: &Bucket) -> Result<()>;

    /// The buckets that begin at or after `since` and before `until` and hold anything, the oldest first.
    async fn history(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Bucket>>;

    /// Keeps an action for [`ACTIONS_KEPT`], of all the latest [`ACTIONS_MOST`].
    async fn enter(&self, action: Action) -> Result<()>;

    /// Lists actions, the latest first; `after` is the id of the last one that was listed.
    async fn actions(&self, limit: usize, after: Option<[u8; 16]>) -> Result<Page<Action>>;

    /// Keeps which clicks of a campaign came: the latest [`LATEST_MOST`], while they live.
    async fn glimpse(&self, campaign: &CampaignId, clicks: &[ClickRef]) -> Result<()>;

    /// Lists the clicks of a campaign, the latest first; `after` is where the last page ended.
    async fn latest(
        &self,
        campaign: &CampaignId,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<ClickRef>>;

    /// Removes a click from those of a campaign.
    async fn forget(&self, campaign: &CampaignId, account: &AccountId, id: &ClickId) -> Result<()>;

    /// Removes what is past its time, a bounded piece at a time; returns how much was removed. Nothing else is
    /// removed by this process's clock, which may have leapt.
    async fn sweep(&self) -> Result<usize>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_a_whole_multiple_of_five_minutes() {
        for (at, start) in [
            ("2026-03-04T05:09:59.999Z", "2026-03-04T05:05:00Z"),
            ("2026-03-04T05:10:00Z", "2026-03-04T05:10:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:55:00Z"),
        ] {
            assert_eq!(Bucket::start_of(at.parse().unwrap()), start.parse().unwrap(), "{at}");
        }
    }
}
