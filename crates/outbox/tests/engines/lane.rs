//! One click's lane, in the model or in an engine, for a test that drives both alike.

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use postback_core::{
    AccountId, Conversion, ConversionId, DeliveryId, Fingerprint, LaneId, Reason, Source, Status,
    ports::{Clock as _, Fence, Resolution, Settlement, Target},
};
use postback_outbox::conformance::Bench;
use uuid::Uuid;

use crate::model::{Model, Outcome};

/// In seconds: a lease outlives one round and not two.
const LEASE: i64 = 150;
/// How long a round is, in seconds.
pub(crate) const ROUND: i64 = 100;

/// What a worker is given.
pub(crate) struct Taken {
    pub(crate) fence: Fence,
    pub(crate) lead: &'static str,
}

/// What a lane is made of, in a model or an engine; one click's.
#[async_trait]
pub(crate) trait Lane: Send {
    /// Records a conversion; its delivery.
    async fn record(&mut self, conversion: usize) -> DeliveryId;
    /// Takes a change in; its delivery, which is `again` where it came before.
    async fn change(&mut self, conversion: usize, again: Option<DeliveryId>) -> DeliveryId;
    async fn claim(&mut self) -> Option<Taken>;
    async fn start(&mut self, fence: &Fence) -> bool;
    async fn settle(&mut self, fence: &Fence, outcome: Outcome) -> bool;
    async fn release(&mut self, fence: &Fence) -> bool;
    async fn resolve(&mut self, id: DeliveryId, delivered: bool);
    async fn replay(&mut self, id: DeliveryId);
    /// A round ends.
    fn pass(&mut self);
    /// How many were delivered, and how many were not.
    async fn count(&mut self) -> (u64, u64);
}

/// A lane of the model, with ids that are just numbers.
pub(crate) struct Modelled {
    model: Model,
    now: i64,
    ids: u128,
    account: AccountId,
    lane: LaneId,
}

impl Modelled {
    pub(crate) fn new() -> Self {
        let account: AccountId = "network".parse().unwrap();
        let lane = LaneId::of(&account, &Source::Click("click".parse().unwrap()), "");
        Self { model: Model::default(), now: 0, ids: 0, account, lane }
    }

    fn id(&mut self) -> DeliveryId {
        self.ids += 1;
        DeliveryId::new(Uuid::from_u128(self.ids << 16), self.lane.shard())
    }

    fn conversion(&mut self) -> ConversionId {
        self.ids += 1;
        ConversionId::new(Uuid::from_u128(self.ids << 16), self.lane.shard())
    }
}

#[async_trait]
impl Lane for Modelled {
    async fn record(&mut self, conversion: usize) -> DeliveryId {
        let (id, delivery) = (self.conversion(), self.id());
        self.model.record((0, conversion), id, delivery, self.now).1
    }

    async fn change(&mut self, conversion: usize, again: Option<DeliveryId>) -> DeliveryId {
        if let Some(known) = again {
            return known;
        }
        let (id, delivery) = (self.conversion(), self.id());
        self.model.change((0, conversion), id, delivery, self.now);
        delivery
    }

    async fn claim(&mut self) -> Option<Taken> {
        let head = self.model.due(self.now).pop()?;
        self.ids += 1;
        let token = self.ids as u64;
        self.model.lease(head, token, self.now + LEASE);
        let fence = Fence { account: self.account.clone(), lane: self.lane, delivery: head, token };
        Some(Taken { fence, lead: self.model.lead_of(head) })
    }

    async fn start(&mut self, fence: &Fence) -> bool {
        self.model.start(fence, self.now)
    }

    async fn settle(&mut self, fence: &Fence, outcome: Outcome) -> bool {
        self.model.settle(fence, false, outcome, self.now)
    }

    async fn release(&mut self, fence: &Fence) -> bool {
        self.model.release(fence, self.now)
    }

    async fn resolve(&mut self, id: DeliveryId, delivered: bool) {
        assert!(self.model.resolve(id, delivered, self.now));
    }

    async fn replay(&mut self, id: DeliveryId) {
        assert!(self.model.replay(id, self.now));
    }

    fn pass(&mut self) {
        self.now += ROUND;
    }

    async fn count(&mut self) -> (u64, u64) {
        let open = ["pending", "waiting", "in_doubt", "dead"].map(|state| self.model.count(state));
        (self.model.count("delivered"), open.iter().sum())
    }
}

/// A lane of an engine, in an account of its own.
pub(crate) struct Stored {
    bench: &'static Bench,
    account: AccountId,
    conversions: [Conversion; 2],
}

impl Stored {
    pub(crate) fn new(bench: &'static Bench, number: u64) -> Self {
        let account = format!("n{number}");
        let of = |transaction| bench.lead_of(&account, "click", Some(transaction));
        Self { bench, account: account.parse().unwrap(), conversions: [of("lead"), of("order")] }
    }
}

#[async_trait]
impl Lane for Stored {
    async fn record(&mut self, conversion: usize) -> DeliveryId {
        let mine = self.conversions[conversion].clone();
        let delivery = self.bench.delivery(&mine);
        let recorded = self.bench.store.record(mine, delivery, Fingerprint::of(&["same"])).await.unwrap();
        recorded.delivery
    }

    async fn change(&mut self, conversion: usize, again: Option<DeliveryId>) -> DeliveryId {
        let of = &self.conversions[conversion];
        let mut change = self.bench.change(of, Status::Hold);
        change.id = again.unwrap_or(change.id);
        let put = self.bench.store.change(Target::Key(of.key().unwrap()), change).await.unwrap();
        assert_eq!(put.fresh, again.is_none());
        put.delivery
    }

    async fn claim(&mut self) -> Option<Taken> {
        let lease = Duration::from_secs(LEASE as u64);
        let mut claims = self.bench.store.claim(&self.account, 10, lease).await.unwrap().claims;
        assert!(claims.len() < 2, "one click has one lane: {claims:?}");
        claims.pop().map(|claim| Taken { lead: claim.lead.as_str(), fence: claim.fence })
    }

    async fn start(&mut self, fence: &Fence) -> bool {
        self.bench.store.start(fence).await.unwrap()
    }

    async fn settle(&mut self, fence: &Fence, outcome: Outcome) -> bool {
        let settlement = match outcome {
            Outcome::Delivered => Settlement::Delivered { remote_id: None },
            Outcome::Retry(after) => {
                Settlement::Retry { at: self.bench.clock.now() + SignedDuration::from_secs(after) }
            }
            Outcome::InDoubt => Settlement::InDoubt(Reason::new("timeout", "")),
            Outcome::Dead => Settlement::Dead(Reason::new("refused", "")),
            Outcome::DeadWithLead => Settlement::Dead(Reason::new("lead_not_delivered", "")),
        };
        self.bench.store.settle(fence, None, settlement).await.unwrap()
    }

    async fn release(&mut self, fence: &Fence) -> bool {
        self.bench.store.release(fence, self.bench.clock.now()).await.unwrap()
    }

    async fn resolve(&mut self, id: DeliveryId, delivered: bool) {
        let to = if delivered { Resolution::Delivered } else { Resolution::Resend };
        self.bench.store.resolve(id, to).await.unwrap();
    }

    async fn replay(&mut self, id: DeliveryId) {
        self.bench.store.replay(id).await.unwrap();
    }

    fn pass(&mut self) {}

    async fn count(&mut self) -> (u64, u64) {
        let stats = self.bench.store.stats(&self.account).await.unwrap();
        (stats.delivered, stats.pending + stats.waiting + stats.in_doubt + stats.dead)
    }
}
