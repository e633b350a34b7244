//! What the checks stand on: a store, its clock, and short words for what is done with them.

use std::{any::Any, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Attempt, Change, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Details,
    Event, Fingerprint, Kind, LaneId, Outcome, Reason, Source, Status,
    ports::{Claim, Claims, Clock as _, Fence, Outbox, Recorded, Settlement, Swept, Target},
};
use uuid::Uuid;

use super::ShiftedClock;

/// How long the checks lease a lane for.
pub(super) const LEASE: Duration = Duration::from_secs(30);
pub(super) const SECOND: SignedDuration = SignedDuration::from_secs(1);
pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub(super) const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

pub(super) const DELIVERED: Settlement = Settlement::Delivered { remote_id: None };

pub(super) fn dead(code: &str) -> Settlement {
    Settlement::Dead(Reason::new(code, "in words"))
}

pub(super) fn in_doubt() -> Settlement {
    Settlement::InDoubt(Reason::new("timeout", "no answer came"))
}

pub(super) fn words(of: &str) -> Fingerprint {
    Fingerprint::of(&[of])
}

/// An empty store under test with a retention of 90 days, and the clock that it was given.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn Outbox>,
    /// Its clock.
    pub clock: Arc<ShiftedClock>,
    /// What lives as long as the store: a directory, a server.
    pub held: Box<dyn Any + Send + Sync>,
}

impl Bench {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn uuid(&self) -> Uuid {
        let (now, random) = (self.now(), Uuid::now_v7());
        let mut bytes = *random.as_bytes();
        bytes[..6].copy_from_slice(&now.as_millisecond().to_be_bytes()[2..]);
        Uuid::from_bytes(bytes)
    }

    /// A lead of a click, with a transaction id where one is given.
    pub fn lead(&self, click: &str, transaction: Option<&str>) -> Conversion {
        self.lead_of("network", click, transaction)
    }

    /// The same for another account.
    pub fn lead_of(&self, account: &str, click: &str, transaction: Option<&str>) -> Conversion {
        let account = account.parse().unwrap();
        let source = Source::Click(click.parse().unwrap());
        let lane = LaneId::of(&account, &source, "");
        let now = self.now();
        Conversion {
            id: ConversionId::new(self.uuid(), lane.shard()),
            account,
            campaign: None,
            source,
            click_time: Some(now),
            user: None,
            request_id: None,
            lane,
            details: Details {
                transaction_id: transaction.map(|id| id.parse().unwrap()),
                ..Details::new(Kind::Lead)
            },
            occurred_at: now,
            recorded_at: now,
        }
    }

    /// The delivery that tells of a conversion.
    pub fn delivery(&self, of: &Conversion) -> Delivery {
        let now = self.now();
        Delivery {
            id: DeliveryId::new(self.uuid(), of.lane.shard()),
            conversion: of.id,
            account: of.account.clone(),
            lane: of.lane,
            event: Event::Created,
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            started_at: None,
            remote_id: None,
            created_at: now,
            updated_at: now,
            due_at: None,
            expires_at: now + days(30),
            trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok(),
        }
    }

    /// A delivery that tells of a conversion's new status.
    pub fn change(&self, of: &Conversion, status: Status) -> Delivery {
        let change = Change { status: Some(status), ..Change::default() };
        Delivery { event: Event::Changed(change), ..self.delivery(of) }
    }

    /// Records a conversion as one that was never seen, and returns its delivery's id.
    pub async fn record(&self, conversion: &Conversion) -> DeliveryId {
        let delivery = self.delivery(conversion);
        let recorded = self.store.record(conversion.clone(), delivery.clone(), words("first")).await.unwrap();
        assert_eq!(recorded, Recorded { conversion: conversion.id, delivery: delivery.id, fresh: true });
        delivery.id
    }

    /// Records a lead without a transaction id.
    pub async fn recorded(&self, click: &str) -> (Conversion, DeliveryId) {
        let lead = self.lead(click, None);
        let delivery = self.record(&lead).await;
        (lead, delivery)
    }

    /// Puts a change into a recorded conversion's lane.
    pub async fn changed(&self, of: &Conversion, status: Status) -> DeliveryId {
        let change = self.change(of, status);
        let put = self.store.change(Target::Conversion(of.id), change.clone()).await.unwrap();
        assert_eq!(put, Recorded { conversion: of.id, delivery: change.id, fresh: true });
        change.id
    }

    pub(super) async fn claims(&self, limit: usize) -> Claims {
        self.store.claim(&"network".parse().unwrap(), limit, LEASE).await.unwrap()
    }

    /// Claims the only lane that is due.
    pub(super) async fn claim(&self) -> Claim {
        let mut claims = self.claims(10).await.claims;
        assert_eq!(claims.len(), 1, "want one claim: {claims:?}");
        claims.remove(0)
    }

    /// Claims the only lane that is due, and checks what its head is.
    pub(super) async fn claim_of(&self, head: DeliveryId) -> Claim {
        let claim = self.claim().await;
        assert_eq!((claim.fence.delivery, claim.delivery.id), (head, head));
        claim
    }

    pub(super) async fn nothing_is_due(&self) {
        let claims = self.claims(10).await.claims;
        assert!(claims.is_empty(), "want nothing due: {claims:?}");
    }

    pub(super) async fn settle(&self, fence: &Fence, settlement: Settlement) {
        let outcome = match &settlement {
            Settlement::Delivered { .. } => Outcome::Accepted,
            Settlement::Retry { .. } => Outcome::Retry,
            Settlement::InDoubt(_) => Outcome::Ambiguous,
            Settlement::Dead(_) => Outcome::Rejected,
        };
        let attempt = Some(self.attempt("GET /", outcome));
        assert!(self.store.settle(fence, attempt, settlement).await.unwrap(), "the lease is held");
    }

    /// Claims the only lane that is due, and settles its head without an attempt.
    pub(super) async fn end(&self, head: DeliveryId, settlement: Settlement) {
        let claim = self.claim_of(head).await;
        assert!(self.store.settle(&claim.fence, None, settlement).await.unwrap());
    }

    pub(super) fn attempt(&self, call: &str, outcome: Outcome) -> Attempt {
        Attempt {
            started_at: self.now(),
            duration: Duration::from_millis(12),
            call: call.into(),
            status: Some(200),
            answer: "ok".into(),
            outcome,
            reason: Some(Reason::new("why", "in words")),
        }
    }

    pub(super) async fn stands(&self, id: DeliveryId) -> Delivery {
        self.store.delivery(id).await.unwrap().expect("the delivery is kept")
    }

    pub(super) async fn state(&self, id: DeliveryId) -> &'static str {
        self.stands(id).await.state.as_str()
    }

    pub(super) async fn told(&self, of: ConversionId) -> Vec<DeliveryId> {
        let story = self.store.story(of).await.unwrap().expect("the conversion is kept");
        story.deliveries.iter().map(|delivery| delivery.id).collect()
    }

    /// Sweeps until nothing is left to sweep. Whose deliveries became dead of it.
    pub(super) async fn sweep(&self) -> Vec<AccountId> {
        let mut all = Vec::new();
        for _ in 0..100 {
            let Swept { touched, dead } = self.store.sweep().await.unwrap();
            all.extend(dead);
            if touched == 0 {
                return all;
            }
        }
        panic!("a sweep ends");
    }
}
