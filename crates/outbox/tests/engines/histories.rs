//! Random histories on each engine and on the model: they must agree after every step.

use std::{future::Future, time::Duration};

use jiff::SignedDuration;
use postback_core::{
    Attempt, Conversion, Delivery, DeliveryId, ErrorKind, Fingerprint, Outcome as Word, Reason, Status,
    ports::{Clock as _, Fence, Resolution, Settlement, Target},
};
use postback_outbox::{Topology, conformance::Bench};
use postback_redis_link::testing::RedisServer;
use proptest::{prelude::*, test_runner::Config};
use tokio::task::JoinSet;

use crate::{
    embedded,
    model::{Key, Model, Outcome},
    redis::bench_on,
};

/// Time passes in hundreds of seconds and everything ends at fifty, so that no check depends on the seconds that
/// the test itself takes.
const LEASE: i64 = 150;

/// How far the clock leaps, in seconds: further than any schedule, and not to the end of a click's life.
const LEAP: i64 = 3 * 86_400;

/// Longer than a delivery can count; what is settled is kept for two of these, and no history has more.
const MONTH: i64 = 31 * 86_400;

#[derive(Clone, Debug)]
enum Step {
    Record(Key),
    /// The same conversion, 64 times at once.
    Crowd(Key),
    Change(Key),
    /// A change that came before comes again.
    Again(usize),
    Claim,
    Start(usize),
    Settle(usize, bool, Outcome),
    Release(usize),
    Resolve(usize, bool),
    Replay(usize),
    Pause(bool),
    Pass(i64),
    Month,
    /// The clock leaps ahead, or back again.
    Leap,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || (0..3_usize, 0..2_usize);
    let outcome = prop_oneof![
        4 => Just(Outcome::Delivered),
        3 => (0..4_i64).prop_map(|hundreds| Outcome::Retry(50 + 100 * hundreds)),
        2 => Just(Outcome::InDoubt),
        1 => Just(Outcome::Dead),
        1 => Just(Outcome::DeadWithLead),
    ];
    prop_oneof![
        4 => key().prop_map(Step::Record),
        1 => key().prop_map(Step::Crowd),
        4 => key().prop_map(Step::Change),
        1 => (0..64_usize).prop_map(Step::Again),
        8 => Just(Step::Claim),
        3 => (0..4_usize).prop_map(Step::Start),
        9 => (0..4_usize, any::<bool>(), outcome).prop_map(|(of, attempt, to)| Step::Settle(of, attempt, to)),
        2 => (0..4_usize).prop_map(Step::Release),
        3 => (0..64_usize, any::<bool>()).prop_map(|(of, delivered)| Step::Resolve(of, delivered)),
        3 => (0..64_usize).prop_map(Step::Replay),
        1 => any::<bool>().prop_map(Step::Pause),
        5 => (1..4_i64).prop_map(|hundreds| Step::Pass(100 * hundreds)),
        1 => Just(Step::Month),
        1 => Just(Step::Leap),
        2 => Just(Step::Sweep),
    ]
}

/// A bench, the model beside it, and the leases that were given, the latest first.
struct History {
    bench: Bench,
    model: Model,
    now: i64,
    /// Whether the clock is ahead now, and whether it ever was.
    ahead: bool,
    leapt: bool,
    months: u8,
    leases: Vec<Fence>,
}

impl History {
    fn lead(&self, key: Key) -> Conversion {
        self.bench.lead(&format!("click-{}", key.0), Some(&format!("transaction-{}", key.1)))
    }

    fn delivery(&self, of: usize) -> Option<DeliveryId> {
        let all: Vec<_> = self.model.told.keys().copied().collect();
        (!all.is_empty()).then(|| all[of % all.len()])
    }

    async fn take(&mut self, step: &Step) {
        let store = self.bench.store.clone();
        match *step {
            Step::Record(key) => self.record(key).await,
            Step::Crowd(key) => self.crowd(key).await,
            Step::Change(key) => {
                let lead = self.lead(key);
                let change = self.bench.change(&lead, Status::Hold);
                let want = self.model.change(key, lead.id, change.id, self.now);
                let put = store.change(Target::Key(lead.key().unwrap()), change).await.unwrap();
                assert_eq!((put.conversion, put.fresh), (want, true));
            }
            Step::Again(of) => self.again(of).await,
            Step::Claim => self.claim().await,
            Step::Start(of) => {
                let Some(fence) = self.leases.get(of) else { return };
                assert_eq!(store.start(fence).await.unwrap(), self.model.start(fence, self.now));
            }
            Step::Settle(of, attempt, outcome) => {
                let Some(fence) = self.leases.get(of).cloned() else { return };
                self.settle(&fence, attempt, outcome).await;
            }
            Step::Release(of) => {
                let Some(fence) = self.leases.get(of) else { return };
                let at = self.bench.clock.now() + SignedDuration::from_secs(50);
                let want = self.model.release(fence, self.now + 50);
                assert_eq!(store.release(fence, at).await.unwrap(), want);
            }
            Step::Resolve(of, delivered) => {
                let Some(id) = self.delivery(of) else { return };
                let to = if delivered { Resolution::Delivered } else { Resolution::Resend };
                let want = self.model.resolve(id, delivered, self.now);
                assert_eq!(store.resolve(id, to).await.is_ok(), want);
            }
            Step::Replay(of) => {
                let Some(id) = self.delivery(of) else { return };
                assert_eq!(store.replay(id).await.is_ok(), self.model.replay(id, self.now));
            }
            Step::Pause(pause) => self.pause(pause).await,
            Step::Pass(seconds) => self.pass(seconds),
            Step::Month if self.months == 2 => {}
            Step::Month => {
                self.pass(MONTH);
                self.months += 1;
            }
            Step::Leap => {
                self.pass(if self.ahead { -LEAP } else { LEAP });
                (self.ahead, self.leapt) = (!self.ahead, true);
            }
            Step::Sweep => {
                let touched = store.sweep().await.unwrap().touched;
                assert!(touched == 0 || self.leapt || self.months > 0, "nothing is past its time");
                self.model.recall(self.now);
                self.model.give_up(self.now);
            }
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.bench.clock.advance(SignedDuration::from_secs(seconds));
        self.now += seconds;
    }

    async fn record(&mut self, key: Key) {
        let (lead, other) = (self.lead(key), self.lead(key));
        let delivery = self.bench.delivery(&lead);
        let want = self.model.record(key, lead.id, delivery.id, self.now);
        let words = |of: &str| Fingerprint::of(&[of]);
        let recorded = self.bench.store.record(lead, delivery, words("first")).await.unwrap();
        assert_eq!((recorded.conversion, recorded.delivery, recorded.fresh), want);
        let delivery = self.bench.delivery(&other);
        let refused = self.bench.store.record(other, delivery, words("other")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    }

    async fn crowd(&mut self, key: Key) {
        let mut calls = JoinSet::new();
        for _ in 0..64 {
            let (store, lead) = (self.bench.store.clone(), self.lead(key));
            let delivery = self.bench.delivery(&lead);
            calls.spawn(
                async move { store.record(lead, delivery, Fingerprint::of(&["first"])).await.unwrap() },
            );
        }
        let all = calls.join_all().await;
        let fresh = all.iter().filter(|recorded| recorded.fresh).count();
        let want = self.model.record(key, all[0].conversion, all[0].delivery, self.now);
        assert_eq!(fresh, usize::from(want.2));
        assert!(all.iter().all(|recorded| (recorded.conversion, recorded.delivery) == (want.0, want.1)));
    }

    async fn again(&mut self, of: usize) {
        let Some(id) = self.delivery(of) else { return };
        let key = self.model.told[&id].conversion;
        let lead = self.lead(key);
        let change = Delivery { id, ..self.bench.change(&lead, Status::Hold) };
        let put = self.bench.store.change(Target::Key(lead.key().unwrap()), change).await.unwrap();
        assert_eq!((put.conversion, put.delivery, put.fresh), (self.model.conversions[&key].id, id, false));
    }

    async fn claim(&mut self) {
        let lease = Duration::from_secs(LEASE as u64);
        let claims = self.bench.store.claim(&"network".parse().unwrap(), 10, lease).await.unwrap().claims;
        let mut want = self.model.due(self.now);
        want.sort_unstable();
        let mut heads: Vec<_> = claims.iter().map(|claim| claim.delivery.id).collect();
        heads.sort_unstable();
        assert_eq!(heads, want);
        for claim in claims {
            let id = claim.fence.delivery;
            self.model.lease(id, claim.fence.token, self.now + LEASE);
            assert_eq!(claim.lead.as_str(), self.model.lead_of(id));
            assert_eq!(claim.conversion.id, claim.delivery.conversion);
            let (attempts, marked) = (claim.delivery.attempts.len(), claim.delivery.started_at.is_some());
            assert!(self.model.agrees(id, &claim.delivery.state, attempts, marked), "{claim:?}");
            assert!(
                self.leases
                    .iter()
                    .all(|lease| lease.token != claim.fence.token || lease.lane != claim.fence.lane)
            );
            self.leases.insert(0, claim.fence);
        }
    }

    async fn settle(&mut self, fence: &Fence, attempt: bool, outcome: Outcome) {
        let now = self.bench.clock.now();
        let kept = attempt.then(|| Attempt {
            started_at: now,
            duration: Duration::ZERO,
            call: "GET /".into(),
            status: None,
            answer: String::new(),
            outcome: Word::Retry,
            reason: None,
        });
        let settlement = match outcome {
            Outcome::Delivered => Settlement::Delivered { remote_id: None },
            Outcome::Retry(after) => Settlement::Retry { at: now + SignedDuration::from_secs(after) },
            Outcome::InDoubt => Settlement::InDoubt(Reason::new("timeout", "")),
            Outcome::Dead => Settlement::Dead(Reason::new("refused", "")),
            Outcome::DeadWithLead => Settlement::Dead(Reason::new("lead_not_delivered", "")),
        };
        let want = self.model.settle(fence, attempt, outcome, self.now);
        assert_eq!(self.bench.store.settle(fence, kept, settlement).await.unwrap(), want);
    }

    async fn pause(&mut self, pause: bool) {
        let account = "network".parse().unwrap();
        let changed = if pause {
            self.bench.store.pause(&account, Reason::new("operator", "")).await.unwrap()
        } else {
            self.bench.store.resume(&account).await.unwrap()
        };
        assert_eq!(changed, self.model.paused != pause);
        self.model.paused = pause;
    }

    async fn check(&self) {
        let stats = self.bench.store.stats(&"network".parse().unwrap()).await.unwrap();
        let counted = [stats.pending, stats.waiting, stats.in_doubt, stats.delivered, stats.dead];
        let want =
            ["pending", "waiting", "in_doubt", "delivered", "dead"].map(|state| self.model.count(state));
        assert_eq!(counted, want);
        for kept in self.model.conversions.values() {
            let story = self.bench.store.story(kept.id).await.unwrap();
            assert_eq!(story.is_some(), kept.lead.is_some());
            let told = story.map(|story| story.deliveries).unwrap_or_default();
            if kept.lead.is_some() {
                assert_eq!(told.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), kept.told);
            }
            for delivery in told {
                let (attempts, marked) = (delivery.attempts.len(), delivery.started_at.is_some());
                assert!(self.model.agrees(delivery.id, &delivery.state, attempts, marked), "{delivery:?}");
            }
        }
    }

    /// Lets all leads come and all that is pending be delivered: nothing is left over.
    async fn quiesce(&mut self) {
        if self.model.paused {
            self.pause(false).await;
        }
        for key in self.model.conversions.keys().copied().collect::<Vec<_>>() {
            self.record(key).await;
        }
        if self.ahead {
            self.take(&Step::Leap).await;
        }
        self.take(&Step::Sweep).await;
        while self.model.count("pending") + self.model.count("in_doubt") > 0 {
            for of in 0..self.model.told.len() {
                self.take(&Step::Resolve(of, true)).await;
            }
            self.take(&Step::Pass(1_000)).await;
            self.claim().await;
            for fence in self.leases.clone() {
                self.settle(&fence, true, Outcome::Delivered).await;
            }
            self.leases.clear();
        }
        self.check().await;
    }
}

async fn agree(bench: Bench, steps: Vec<Step>) {
    let mut history = History {
        bench,
        model: Model::default(),
        now: 0,
        ahead: false,
        leapt: false,
        months: 0,
        leases: Vec::new(),
    };
    for step in &steps {
        history.take(step).await;
    }
    history.check().await;
    history.quiesce().await;
    let stats = history.bench.store.stats(&"network".parse().unwrap()).await.unwrap();
    assert_eq!((stats.pending, stats.waiting, stats.in_doubt, stats.oldest_pending), (0, 0, 0, None));
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() }
}

#[test]
fn the_embedded_outbox_does_what_the_model_does() {
    proptest!(config(48), |(steps in prop::collection::vec(step(), 20..90))| {
        block_on(async { agree(embedded::bench().await, steps).await });
    });
}

#[test]
fn the_outbox_in_redis_does_what_the_model_does() {
    let server = RedisServer::start();
    proptest!(config(24), |(steps in prop::collection::vec(step(), 20..90))| {
        block_on(async { agree(bench_on(vec![server.url()], Topology::Single), steps).await });
    });
}
