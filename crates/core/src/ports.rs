//! The ports: what the use cases need of the outside. Each has a public conformance suite where it is implemented.

mod clicks;
mod logbook;
mod outbox;

pub use clicks::{Attribution, ClickStore, FindClicks};
pub use logbook::{
    ACTIONS_KEPT, ACTIONS_MOST, Action, BATCHES_KEPT, BUCKET, Bucket, COUNTS_KEPT, Deed, LATEST_MOST, Logbook,
};
pub use outbox::{
    AccountStats, CHANGES_KEPT, CHANGES_TOLD, Claim, Claims, ConversionFilter, DeliveryFilter, Fence,
    LOOKED_AT, Outbox, Page, Paused, Promise, Recorded, RequestKey, Reservation, Resolution, Settlement,
    Story, Swept, Target,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;

use crate::{AccountId, Call, Result};

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// By how many milliseconds [`Clock::now`] runs ahead of the machine's clock: zero but in tests. A store
    /// whose server has a clock of its own adds this to it.
    fn ahead_ms(&self) -> i64 {
        0
    }
}

/// Calls a network outside the schedule of deliveries: for look-ups.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Sends `call` through the account's own limits, with the same bounds on time and size as a delivery.
    ///
    /// # Errors
    /// `Unavailable` where no answer came.
    async fn call(&self, account: &AccountId, call: Call) -> Result<Response<Bytes>>;
}
