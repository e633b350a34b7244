//! Every order of arrival: leads, their changes and an order of the same click, with repeats, crashes, doubts and deaths.
//!
//! A click's deliveries come in a random order, some of them again and again, while a worker takes what is due and
//! does all that a worker and an operator may do to it. Whatever the order, each delivery leaves its lane exactly once,
//! no change before its conversion, changes in the order in which they came, all else in the order in which it entered
//! the lane, and nothing is left over.
//!
//! 100,000 orders go through the model. Through the engines go as many as a test has time for: through the embedded
//! one, file and group commit included, a part in a debug build and all 100,000 in a release build
//! (`cargo test --release -p postback-outbox permutations`), and a part through a real Redis. That the engines do after
//! every step what the model does is what `histories` shows.

use std::collections::VecDeque;

use fastrand::Rng;
use jiff::SignedDuration;
use postback_core::{DeliveryId, ports::Fence};
use postback_outbox::{Topology, conformance::Bench};
use postback_redis_link::testing::RedisServer;
use tokio::task::JoinSet;

use crate::{
    embedded,
    lane::{Lane, Modelled, ROUND, Stored, Taken},
    model::Outcome,
    redis::bench_on,
};

const ALL: u64 = 100_000;
/// How many orders are in work at once on an engine, so that its group commit has something to group.
const AT_ONCE: u64 = 250;
/// After so many rounds everything must have left.
const ROUNDS: usize = 400;
/// A click's conversions: a lead with up to four changes, an order with up to two.
const CHANGES: [usize; 2] = [4, 2];

/// What is told of a conversion, in the order in which it came.
#[derive(Default)]
struct Told {
    lead: Option<DeliveryId>,
    changes: Vec<DeliveryId>,
}

/// One order of arrival, the worker and the operator beside it, and what they saw.
struct Order<L> {
    lane: L,
    rng: Rng,
    /// What is still to come: the conversion, and which of its changes; none is the conversion itself.
    coming: VecDeque<(usize, Option<usize>)>,
    ids: [Vec<Option<DeliveryId>>; 2],
    told: [Told; 2],
    /// In the order in which they joined the line for the first time.
    entered: Vec<DeliveryId>,
    /// Leases that were lost, by a worker that may wake up again.
    lost: Vec<Fence>,
    held: Option<(Fence, usize)>,
    doubts: Vec<DeliveryId>,
    dead: Vec<DeliveryId>,
    /// Died of itself, at least once.
    ill: Vec<DeliveryId>,
    with_lead: Vec<DeliveryId>,
    /// In the order in which the network got them.
    left: Vec<DeliveryId>,
}

impl<L: Lane> Order<L> {
    fn new(lane: L, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut coming = Vec::new();
        let mut ids = [Vec::new(), Vec::new()];
        for (conversion, most) in CHANGES.into_iter().enumerate() {
            let changes = rng.usize(..=most);
            ids[conversion] = vec![None; changes];
            for what in std::iter::once(None).chain((0..changes).map(Some)) {
                let times = 1 + usize::from(rng.u8(..4) == 0) * rng.usize(1..4);
                coming.extend(std::iter::repeat_n((conversion, what), times));
            }
        }
        rng.shuffle(&mut coming);
        Self {
            lane,
            rng,
            coming: coming.into(),
            ids,
            told: Default::default(),
            entered: Vec::new(),
            lost: Vec::new(),
            held: None,
            doubts: Vec::new(),
            dead: Vec::new(),
            ill: Vec::new(),
            with_lead: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Something comes, something is worked on, something is decided.
    async fn round(&mut self) {
        for _ in 0..self.rng.usize(..4) {
            if let Some((conversion, what)) = self.coming.pop_front() {
                self.arrive(conversion, what).await;
            }
        }
        for _ in 0..self.rng.usize(1..4) {
            self.work().await;
        }
        self.decide().await;
        if let Some((_, age)) = &mut self.held {
            *age += 1;
        }
        self.lane.pass();
    }

    async fn arrive(&mut self, conversion: usize, what: Option<usize>) {
        let told = &mut self.told[conversion];
        match what {
            None => {
                let lead = self.lane.record(conversion).await;
                if let Some(first) = told.lead.replace(lead) {
                    assert_eq!(lead, first, "a repeat is the first");
                } else {
                    self.entered.push(lead);
                    self.entered.extend(&told.changes);
                }
            }
            Some(change) => {
                let known = self.ids[conversion][change];
                let id = self.lane.change(conversion, known).await;
                if known.is_none() {
                    self.ids[conversion][change] = Some(id);
                    told.changes.push(id);
                    if told.lead.is_some() {
                        self.entered.push(id);
                    }
                }
            }
        }
    }

    async fn work(&mut self) {
        if let Some((fence, age)) = self.held.take_if(|_| self.rng.bool()) {
            // A worker that was slow: within its lease it still counts, and later unless another has the lane.
            let settled = self.lane.settle(&fence, Outcome::Delivered).await;
            assert!(settled || age > 1, "the lease is held");
            if settled {
                self.left.push(fence.delivery);
            }
        }
        let Some(Taken { fence, lead }) = self.lane.claim().await else { return };
        if let Some((slow, age)) = self.held.take() {
            assert!(age > 1, "a lane is leased to one worker");
            self.lost.push(slow);
        }
        if let Some(lost) = self.lost.pop() {
            assert!(!self.lane.start(&lost).await && !self.lane.settle(&lost, Outcome::Delivered).await);
            assert!(!self.lane.release(&lost).await, "a lost lease changes nothing");
        }
        let id = fence.delivery;
        let own = self.told.iter().any(|told| told.lead == Some(id));
        if !own && lead != "delivered" {
            // What every worker does; at times a person has mended the lead meanwhile.
            let of = self.told.iter().find(|told| told.changes.contains(&id)).and_then(|told| told.lead);
            let mended = lead == "dead" && self.rng.bool();
            if mended {
                self.replay(of.unwrap()).await;
            } else if lead == "dead" {
                self.with_lead.push(id);
            }
            self.end(&fence, Outcome::DeadWithLead).await;
            return;
        }
        match self.rng.u8(..20) {
            0..9 => {
                self.end(&fence, Outcome::Delivered).await;
                self.left.push(id);
            }
            9..11 => self.end(&fence, Outcome::Retry(50)).await,
            11..13 => assert!(self.lane.release(&fence).await),
            13..16 => {
                assert!(self.lane.start(&fence).await);
                self.held = Some((fence, 0));
            }
            16..18 => {
                self.end(&fence, Outcome::InDoubt).await;
                self.doubts.push(id);
            }
            _ => {
                self.end(&fence, Outcome::Dead).await;
                self.dead.push(id);
                self.ill.push(id);
            }
        }
    }

    /// Settles, at times twice.
    async fn end(&mut self, fence: &Fence, outcome: Outcome) {
        for _ in 0..self.rng.usize(1..3) {
            assert!(self.lane.settle(fence, outcome).await, "twice is once");
        }
    }

    async fn decide(&mut self) {
        if self.rng.bool()
            && let Some(id) = self.doubts.pop()
        {
            let delivered = self.rng.bool();
            self.lane.resolve(id, delivered).await;
            if delivered {
                self.left.push(id);
            }
        }
        if self.rng.bool() && !self.dead.is_empty() {
            let id = self.dead[self.rng.usize(..self.dead.len())];
            self.replay(id).await;
        }
    }

    async fn replay(&mut self, id: DeliveryId) {
        self.lane.replay(id).await;
        self.dead.retain(|dead| *dead != id);
        if let Some(told) = self.told.iter().find(|told| told.lead == Some(id)) {
            self.with_lead.retain(|change| !told.changes.contains(change));
        }
    }

    fn is_done(&self) -> bool {
        let open = self.doubts.len() + self.dead.len() + self.with_lead.len();
        self.coming.is_empty() && open == 0 && self.left.len() >= self.entered.len()
    }

    /// Whether it holds what it must.
    async fn check(mut self, seed: u64) {
        let mut all = self.entered.clone();
        let mut left = self.left.clone();
        all.sort_unstable();
        left.sort_unstable();
        assert_eq!(left, all, "order {seed}: each leaves once");
        let place = |id: &DeliveryId| self.left.iter().position(|other| other == id);
        for told in &self.told {
            let well = told.changes.iter().filter(|change| !self.ill.contains(change));
            let places: Vec<_> = well.map(place).collect();
            assert!(places.is_sorted(), "order {seed}: changes in the order in which they came");
            let lead = told.lead.as_ref().and_then(place);
            let first = told.changes.iter().filter_map(place).min();
            assert!(
                first.is_none_or(|first| lead.is_some_and(|lead| lead < first)),
                "order {seed}: the lead first"
            );
        }
        let died = |id: &DeliveryId| {
            let of = self.told.iter().find(|told| told.changes.contains(id)).and_then(|told| told.lead);
            self.ill.contains(id) || of.is_some_and(|lead| self.ill.contains(&lead))
        };
        let well = self.entered.iter().filter(|id| !died(id)).map(place);
        assert!(well.is_sorted(), "order {seed}: first in, first out");
        assert_eq!(self.lane.count().await, (all.len() as u64, 0), "order {seed}: nothing is left over");
    }
}

async fn run_model(orders: impl Iterator<Item = u64>) {
    for seed in orders {
        let mut order = Order::new(Modelled::new(), seed);
        for _ in 0..ROUNDS {
            if order.is_done() {
                break;
            }
            order.round().await;
        }
        order.check(seed).await;
    }
}

/// All orders of a batch go through their rounds in step, for they share the store's clock.
async fn run_engine(bench: Bench, orders: u64) {
    let bench: &'static Bench = Box::leak(Box::new(bench));
    for first in (0..orders).step_by(AT_ONCE as usize) {
        let mut batch: Vec<_> = (first..orders.min(first + AT_ONCE))
            .map(|seed| (seed, Order::new(Stored::new(bench, seed), seed)))
            .collect();
        for _ in 0..ROUNDS {
            let mut rounds = JoinSet::new();
            for (seed, mut order) in batch.drain(..) {
                rounds.spawn(async move {
                    if !order.is_done() {
                        order.round().await;
                    }
                    (seed, order)
                });
            }
            batch = rounds.join_all().await;
            bench.clock.advance(SignedDuration::from_secs(ROUND));
            if batch.iter().all(|(_, order)| order.is_done()) {
                break;
            }
        }
        let checks: JoinSet<()> = batch.into_iter().map(|(seed, order)| order.check(seed)).collect();
        checks.join_all().await;
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

#[test]
fn whatever_the_order_of_arrival_what_leaves_a_lane_of_the_model_is_in_order() {
    std::thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || block_on(run_model((part..ALL).step_by(2))));
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_order_of_arrival_what_leaves_a_lane_of_the_embedded_outbox_is_in_order() {
    run_engine(embedded::bench().await, if cfg!(debug_assertions) { 500 } else { ALL }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_order_of_arrival_what_leaves_a_lane_in_redis_is_in_order() {
    let server = RedisServer::start();
    run_engine(bench_on(vec![server.url()], Topology::Single), 200).await;
}
