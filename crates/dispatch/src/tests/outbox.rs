//! A double of the outbox: one delivery a lane, in memory, with leases, fences, and trouble on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, Attempt, ClickId, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Error,
    Fingerprint, Reason, Result, UserId,
    ports::{
        AccountStats, Claim, Claims, Clock, ConversionFilter, DeliveryFilter, Fence, Outbox, Page, Paused,
        Promise, Recorded, RequestKey, Reservation, Resolution, Settlement, Story, Swept, Target,
    },
};
use tokio::{
    sync::{Notify, watch},
    task::yield_now,
};

/// One delivery alone in its lane.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) delivery: Delivery,
    pub(super) conversion: Conversion,
    pub(super) lead: DeliveryState,
    leased_until: Option<Timestamp>,
    token: u64,
    /// The lease that last marked the delivery as begun.
    marked_by: u64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lanes: Vec<Lane>,
    pub(super) paused: BTreeMap<AccountId, Paused>,
    /// How often each step was asked for.
    pub(super) asked: BTreeMap<&'static str, usize>,
    /// How often each step shall fail from now on.
    pub(super) failing: BTreeMap<&'static str, usize>,
    /// When deliveries were claimed, and how many at once.
    pub(super) claimed: Vec<(Timestamp, usize)>,
    pub(super) released: Vec<Timestamp>,
    /// Whether `start` finds that every lease is lost.
    pub(super) leases_lost: bool,
    /// How often a claim shall panic.
    pub(super) defects: usize,
    /// What the first `start` waits for.
    pub(super) start_waits: Option<Arc<Notify>>,
}

pub(super) struct TestOutbox {
    state: Mutex<State>,
    changes: watch::Sender<()>,
    clock: Arc<dyn Clock>,
}

impl TestOutbox {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(()), clock }
    }

    pub(super) fn add(&self, conversion: Conversion, delivery: Delivery, lead: DeliveryState) {
        let lane = Lane { delivery, conversion, lead, leased_until: None, token: 0, marked_by: 0 };
        self.state().lanes.push(lane);
        self.changes.send_replace(());
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits until `holds`.
    pub(super) async fn until(&self, holds: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if holds(&self.state()) {
                return;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Ends all leases early, as the store's clock does where it leaps.
    pub(super) fn end_leases(&self) {
        self.state().lanes.iter_mut().for_each(|lane| lane.leased_until = None);
    }

    /// The delivery of this click.
    pub(super) fn delivery(&self, click: &str) -> Delivery {
        let state = self.state();
        let is_of = |lane: &&Lane| format!("{:?}", lane.conversion.source).contains(&format!("{click:?}"));
        state.lanes.iter().find(is_of).unwrap().delivery.clone()
    }

    fn ask(&self, step: &'static str) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        *state.asked.entry(step).or_default() += 1;
        self.changes.send_replace(());
        match state.failing.get_mut(step) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(Error::unavailable("the test took the outbox away"))
            }
            _ => Ok(state),
        }
    }

    /// Ends a claim by `end`, where its lease still holds.
    fn end(&self, mut state: MutexGuard<'_, State>, fence: &Fence, end: impl FnOnce(&mut Lane)) -> bool {
        let now = self.clock.now();
        let Some(lane) = state.lanes.iter_mut().find(|lane| lane.holds(fence, now)) else { return false };
        lane.leased_until = None;
        end(lane);
        true
    }
}

impl Lane {
    fn is_due(&self, now: Timestamp) -> bool {
        self.delivery.state == DeliveryState::Pending
            && self.delivery.due_at.is_some_and(|due| due <= now)
            && self.leased_until.is_none_or(|until| until <= now)
    }

    fn holds(&self, fence: &Fence, now: Timestamp) -> bool {
        self.delivery.id == fence.delivery
            && self.token == fence.token
            && self.leased_until.is_some_and(|until| until > now)
    }

    fn lease(&mut self, until: Timestamp) -> Claim {
        self.leased_until = Some(until);
        self.token += 1;
        let (delivery, lane) = (self.delivery.clone(), self.delivery.lane);
        let fence =
            Fence { account: delivery.account.clone(), lane, delivery: delivery.id, token: self.token };
        Claim { fence, delivery, conversion: self.conversion.clone(), lead: self.lead.clone() }
    }
}

#[async_trait]
impl Outbox for TestOutbox {
    async fn claim(&self, account: &AccountId, limit: usize, lease: Duration) -> Result<Claims> {
        let defect = {
            let mut state = self.state();
            let left = state.defects;
            state.defects = left.saturating_sub(1);
            left > 0
        };
        assert!(!defect, "a defect in the outbox");
        let mut state = self.ask("claim")?;
        let now = self.clock.now();
        if state.paused.contains_key(account) {
            return Ok(Claims::default());
        }
        let until = now + SignedDuration::try_from(lease).unwrap();
        let mine = |lane: &&mut Lane| &lane.delivery.account == account;
        let due = state.lanes.iter_mut().filter(mine).filter(|lane| lane.is_due(now)).take(limit);
        let claims: Vec<Claim> = due.map(|lane| lane.lease(until)).collect();
        let next_due = state.lanes.iter().filter(|lane| &lane.delivery.account == account);
        let next_due = next_due.filter_map(|lane| lane.delivery.due_at.filter(|due| *due > now)).min();
        if !claims.is_empty() {
            state.claimed.push((now, claims.len()));
        }
        Ok(Claims { claims, next_due })
    }

    async fn start(&self, fence: &Fence) -> Result<bool> {
        let waits = self.state().start_waits.take();
        if let Some(until) = waits {
            until.notified().await;
            // Each yield lets the runtime look at its sockets.
            for _ in 0..8 {
                yield_now().await;
            }
        }
        let mut state = self.ask("start")?;
        let (now, lost) = (self.clock.now(), state.leases_lost);
        let Some(lane) = state.lanes.iter_mut().find(|lane| lane.holds(fence, now) && !lost) else {
            return Ok(false);
        };
        (lane.delivery.started_at, lane.marked_by) = (Some(now), fence.token);
        Ok(true)
    }

    async fn settle(&self, fence: &Fence, attempt: Option<Attempt>, settlement: Settlement) -> Result<bool> {
        let state = self.ask("settle")?;
        Ok(self.end(state, fence, |lane| {
            let delivery = &mut lane.delivery;
            delivery.started_at = None;
            delivery.attempts.extend(attempt);
            delivery.due_at = None;
            delivery.state = match settlement {
                Settlement::Delivered { remote_id } => {
                    delivery.remote_id = remote_id;
                    DeliveryState::Delivered
                }
                Settlement::Retry { at } => {
                    delivery.due_at = Some(at);
                    DeliveryState::Pending
                }
                Settlement::InDoubt(reason) => DeliveryState::InDoubt(reason),
                Settlement::Dead(reason) => DeliveryState::Dead(reason),
            };
        }))
    }

    async fn release(&self, fence: &Fence, at: Timestamp) -> Result<bool> {
        let mut state = self.ask("release")?;
        state.released.push(at);
        Ok(self.end(state, fence, |lane| {
            lane.delivery.started_at.take_if(|_| lane.marked_by == fence.token);
            lane.delivery.due_at = Some(at);
        }))
    }

    /// One that fails has paused the account, and its answer is lost.
    async fn pause(&self, account: &AccountId, reason: Reason) -> Result<bool> {
        let paused = Paused { since: self.clock.now(), reason };
        let mut fresh = false;
        self.state().paused.entry(account.clone()).or_insert_with(|| {
            fresh = true;
            paused
        });
        self.ask("pause").map(|_| fresh)
    }

    async fn resume(&self, account: &AccountId) -> Result<bool> {
        Ok(self.ask("resume")?.paused.remove(account).is_some())
    }

    async fn paused(&self, account: &AccountId) -> Result<Option<Paused>> {
        Ok(self.ask("paused")?.paused.get(account).cloned())
    }

    async fn reserve(&self, _: RequestKey, _: Reservation) -> Result<Reservation> {
        Err(not_dispatched())
    }
    async fn reserved(&self, _: RequestKey) -> Result<Option<Reservation>> {
        Err(not_dispatched())
    }
    async fn record(&self, _: Conversion, _: Delivery, _: Fingerprint) -> Result<Recorded> {
        Err(not_dispatched())
    }
    async fn change(&self, _: Target, _: Delivery) -> Result<Recorded> {
        Err(not_dispatched())
    }
    async fn resolve(&self, _: DeliveryId, _: Resolution) -> Result<Delivery> {
        Err(not_dispatched())
    }
    async fn replay(&self, _: DeliveryId) -> Result<Delivery> {
        Err(not_dispatched())
    }
    async fn story(&self, _: ConversionId) -> Result<Option<Story>> {
        Err(not_dispatched())
    }
    async fn delivery(&self, _: DeliveryId) -> Result<Option<Delivery>> {
        Err(not_dispatched())
    }
    async fn conversions(
        &self,
        _: &ConversionFilter,
        _: usize,
        _: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        Err(not_dispatched())
    }
    async fn deliveries(&self, _: &DeliveryFilter, _: usize, _: Option<[u8; 16]>) -> Result<Page<Delivery>> {
        Err(not_dispatched())
    }
    async fn changed_since(&self, _: Timestamp, _: usize) -> Result<Vec<Delivery>> {
        Err(not_dispatched())
    }
    async fn stats(&self, _: &AccountId) -> Result<AccountStats> {
        Err(not_dispatched())
    }
    async fn erase_click(&self, _: &AccountId, _: &ClickId) -> Result<usize> {
        Err(not_dispatched())
    }
    async fn erase_user(&self, _: &UserId) -> Result<usize> {
        Err(not_dispatched())
    }
    async fn sweep(&self) -> Result<Swept> {
        Err(not_dispatched())
    }
    async fn ping(&self) -> Result<()> {
        Err(not_dispatched())
    }
    async fn promise(&self) -> Result<Promise> {
        Err(not_dispatched())
    }
}

fn not_dispatched() -> Error {
    Error::internal("a dispatcher has no use for this")
}
