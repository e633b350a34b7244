//! The port to the outbox: conversions, their deliveries, the lanes and the schedule.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{
    AccountId, Attempt, CampaignId, ClickId, ClickRef, Conversion, ConversionId, ConversionKey, Delivery,
    DeliveryId, DeliveryState, Fingerprint, Kind, LaneId, Reason, Result, UserId, lane::digest,
};

/// From how long ago on changes of deliveries can be asked for: a day, and an hour for what takes a while.
pub const CHANGES_TOLD: SignedDuration = SignedDuration::from_hours(25);
/// How long a store keeps them: an hour more, for clocks that differ.
pub const CHANGES_KEPT: SignedDuration = SignedDuration::from_hours(26);
/// The most records that one call of a list looks at.
pub const LOOKED_AT: usize = 500;

/// A digest of what a caller said to be one request, such as (account, request id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey([u8; 16]);

impl RequestKey {
    /// The key of the parts.
    pub fn of(parts: &[&str]) -> Self {
        Self(digest(parts))
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a request was resolved to when it was first seen, so that a repeat resolves to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What the caller said.
    pub fingerprint: Fingerprint,
    /// The id that its conversion, or its change's delivery, has or will have: 16 bytes.
    pub id: [u8; 16],
    /// When the request was first seen.
    pub at: Timestamp,
    /// The click to which a user's conversion was attributed.
    pub click: Option<ClickRef>,
}

/// What recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The conversion: the given one, or the one that was recorded before under the same key.
    pub conversion: ConversionId,
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Whether this call recorded it.
    pub fresh: bool,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many records it touched.
    pub touched: usize,
    /// The account of each delivery that became dead.
    pub dead: Vec<AccountId>,
}

/// Which conversion a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A recorded one.
    Conversion(ConversionId),
    /// The one with this key, now or once it is recorded.
    Key(ConversionKey),
}

/// What proves that a worker still holds a delivery: a lease that ran out changes the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The account.
    pub account: AccountId,
    /// The lane that is leased.
    pub lane: LaneId,
    /// The delivery at its head.
    pub delivery: DeliveryId,
    /// The lease's number.
    pub token: u64,
}

/// One delivery, leased to a worker.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The lease.
    pub fence: Fence,
    /// The head of its lane, with its attempts. `started_at` is set where an earlier attempt began and nobody
    /// knows how it ended.
    pub delivery: Delivery,
    /// Its conversion.
    pub conversion: Conversion,
    /// Where the conversion's own delivery stands; for that delivery itself, its own state.
    pub lead: DeliveryState,
}

/// What a claim brought.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The deliveries, each the head of its lane.
    pub claims: Vec<Claim>,
    /// When the next lane is due, as far as known; a lane may become due earlier by a new conversion.
    pub next_due: Option<Timestamp>,
}

/// What becomes of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The network has it; the lane goes on.
    Delivered {
        /// The network's id of it.
        remote_id: Option<String>,
    },
    /// It stays at the head and is tried again.
    Retry {
        /// Not before this. A store with a clock of its own waits for as long as it is until then.
        at: Timestamp,
    },
    /// It stays at the head, and the lane stands until a person resolves it.
    InDoubt(Reason),
    /// It leaves the lane and is kept as a dead letter; the lane goes on.
    Dead(Reason),
}

/// What a person decided of a delivery in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The network has it.
    Delivered,
    /// The network does not: send it again.
    Resend,
}

/// Why an account is not worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// Why: a person's words, or the network's refusal of the account.
    pub reason: Reason,
}

/// How many deliveries of an account stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountStats {
    /// Conversions recorded and kept.
    pub conversions: u64,
    /// Deliveries to be sent, or sent again.
    pub pending: u64,
    /// Changes that wait for their conversion.
    pub waiting: u64,
    /// Deliveries in doubt.
    pub in_doubt: u64,
    /// Deliveries that the network has.
    pub delivered: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest pending delivery was created.
    pub oldest_pending: Option<Timestamp>,
}

/// Which conversions are listed, the latest first.
#[derive(Clone, Debug, Default)]
pub struct ConversionFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this lane: all conversions of one click.
    pub lane: Option<LaneId>,
    /// Recorded at or after.
    pub since: Option<Timestamp>,
    /// Recorded before.
    pub until: Option<Timestamp>,
}

/// Which deliveries are listed, the latest created first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this conversion.
    pub conversion: Option<ConversionId>,
    /// In this state: a word of [`DeliveryState::as_str`].
    pub state: Option<&'static str>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
}

/// A piece of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next piece begins: the id of the last item looked at. `None` at the end.
    pub next: Option<[u8; 16]>,
}

/// A conversion with everything that was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The conversion.
    pub conversion: Conversion,
    /// Its deliveries, in the order of their lane.
    pub deliveries: Vec<Delivery>,
}

/// What an acknowledged conversion can count on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// For the log at start.
    pub words: String,
    /// Whether a restart or a power cut may cost more than the last second, or nothing is acknowledged for now.
    pub weak: bool,
}

/// Keeps conversions and delivers each lane first in, first out, one delivery at a time.
///
/// Every step is atomic and safe to run twice. What is acknowledged is durable as far as the engine's settings
/// promise. Time is the store's own; see [`Clock`](super::Clock).
///
/// All of these fail with `Unavailable` where the store is away and `ResourceExhausted` where it is full; then
/// the step may or may not have been made, and running it again is safe.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Keeps `mine` under `key` unless something is there; returns what is kept. Kept for 37 days.
    async fn reserve(&self, key: RequestKey, mine: Reservation) -> Result<Reservation>;

    /// What is kept under `key`, as [`Outbox::reserve`] would return it.
    async fn reserved(&self, key: RequestKey) -> Result<Option<Reservation>>;

    /// Records a conversion with its first delivery, in one step.
    ///
    /// A conversion with the same [`Conversion::key`], or without one the same id, was recorded before: then nothing
    /// changes and the first one's ids are returned with `fresh: false`. Changes that waited for this key follow
    /// the delivery into its lane; the conversion then takes the id that they were given (the returned one).
    ///
    /// # Errors
    /// `AlreadyExists` where the key was recorded with another fingerprint.
    async fn record(
        &self,
        conversion: Conversion,
        delivery: Delivery,
        fingerprint: Fingerprint,
    ) -> Result<Recorded>;

    /// Puts a change into its conversion's lane, or lets it wait for the conversion until it expires.
    ///
    /// The delivery's lane is the conversion's own. Its `conversion` is overwritten where the key is known. A
    /// delivery with the same id was put before: nothing changes.
    ///
    /// # Errors
    /// `NotFound` where [`Target::Conversion`] names none.
    async fn change(&self, target: Target, delivery: Delivery) -> Result<Recorded>;

    /// Leases up to `limit` due lanes of an account, for `lease`. A lane whose lease ran out is due again.
    /// Nothing is leased while the account is paused. New work gets at least four fifths of `limit` where old
    /// retries would take it.
    async fn claim(&self, account: &AccountId, limit: usize, lease: Duration) -> Result<Claims>;

    /// Marks, durably, that an attempt begins that cannot be repeated; that is no change that is told. `false`: the
    /// lease is lost; do not send.
    async fn start(&self, fence: &Fence) -> Result<bool>;

    /// Ends a claim. `attempt` is kept as proof. `false`: the lease is lost and nothing changed.
    async fn settle(&self, fence: &Fence, attempt: Option<Attempt>, settlement: Settlement) -> Result<bool>;

    /// Gives a claim back without an attempt: the lane is due again at `at`, and a mark of
    /// [`Outbox::start`] by this lease is taken back. `false`: the lease is lost.
    async fn release(&self, fence: &Fence, at: Timestamp) -> Result<bool>;

    /// Decides a delivery in doubt.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not in doubt.
    async fn resolve(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery>;

    /// Puts a dead letter back at the end of its lane, with a fresh schedule. Replaying a conversion's own
    /// delivery also replays its changes that died with it (reason `lead_not_delivered`), after it and in order; those that
    /// still stand in line before it follow it likewise.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it is not dead or its click's life is over.
    async fn replay(&self, id: DeliveryId) -> Result<Delivery>;

    /// Stops work on an account. Returns whether it was not paused before; the first reason is kept.
    async fn pause(&self, account: &AccountId, reason: Reason) -> Result<bool>;

    /// Lets work on an account go on. Returns whether it was paused.
    async fn resume(&self, account: &AccountId) -> Result<bool>;

    /// Why an account is paused, where it is.
    async fn paused(&self, account: &AccountId) -> Result<Option<Paused>>;

    /// A conversion with its deliveries.
    async fn story(&self, id: ConversionId) -> Result<Option<Story>>;

    /// A delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>>;

    /// Lists conversions, the latest first. Looks at no more than [`LOOKED_AT`] records at a time, so a page may
    /// hold fewer than `limit` and still have a next one.
    async fn conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>>;

    /// Lists deliveries, the latest first; bounded as [`Outbox::conversions`] is.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>>;

    /// Deliveries that changed at or after `since`, in the order of their change: `limit` of them, and fewer only where
    /// there are no more, but for what changes just then. What changed longer than [`CHANGES_KEPT`] ago is left out.
    async fn changed_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Delivery>>;

    /// How many deliveries of an account stand where.
    async fn stats(&self, account: &AccountId) -> Result<AccountStats>;

    /// Removes what identifies a person from all conversions of a click and their changes: customer, user, and the
    /// network field [`COMMENT`](crate::COMMENT). What is still to be told is told without it, under the same key.
    /// Returns how many conversions it touched.
    async fn erase_click(&self, account: &AccountId, click: &ClickId) -> Result<usize>;

    /// Removes the same from all conversions that were attributed by this user. Returns how many it touched.
    async fn erase_user(&self, user: &UserId) -> Result<usize>;

    /// Lets waiting changes die whose conversion never came, forgets customers whom only dead letters kept that cannot be
    /// replayed any more, and removes what is past its retention; a bounded piece at a time. A lane that is due later
    /// than [`LONGEST`](crate::schedule::LONGEST) from now was put off by a clock that was wrong: it is due at once.
    async fn sweep(&self) -> Result<Swept>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;

    /// Which promise holds under the settings found.
    ///
    /// # Errors
    /// `FailedPrecondition` where the settings would lose conversions.
    async fn promise(&self) -> Result<Promise>;
}
