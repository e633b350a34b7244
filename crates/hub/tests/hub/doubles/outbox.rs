//! An outbox in memory: what the hub writes is kept; nothing is ever sent.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use postback_core::{
    AccountId, Attempt, ClickId, Conversion, ConversionId, ConversionKey, Delivery, DeliveryId,
    DeliveryState, Error, Event, Fingerprint, Reason, Result, Source, UserId,
    ports::{
        AccountStats, CHANGES_KEPT, Claims, Clock as _, ConversionFilter, DeliveryFilter, Fence, LOOKED_AT,
        Outbox, Page, Paused, Promise, Recorded, RequestKey, Reservation, Resolution, Settlement, Story,
        Swept, Target,
    },
};
use tokio::sync::watch;

use super::{TestClock, id};

pub(crate) struct Ledger {
    clock: Arc<TestClock>,
    kept: Mutex<Kept>,
    pub(crate) sweeps: AtomicUsize,
    /// How many sweeps still find work: a delivery of the account `near` that becomes dead.
    pub(crate) work: AtomicUsize,
    /// Whether what was done is not yet answered.
    silent: watch::Sender<bool>,
}

#[derive(Default)]
struct Kept {
    reservations: HashMap<RequestKey, Reservation>,
    conversions: BTreeMap<ConversionId, Conversion>,
    keys: HashMap<ConversionKey, (ConversionId, Option<Fingerprint>)>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    paused: BTreeMap<AccountId, Paused>,
    away: bool,
    loses: bool,
    unheard: bool,
}

impl Ledger {
    pub(crate) fn new(clock: Arc<TestClock>) -> Self {
        let (kept, sweeps, work, silent) = Default::default();
        Self { clock, kept, sweeps, work, silent }
    }

    pub(crate) fn conversions(&self) -> Vec<Conversion> {
        self.kept.lock().unwrap().conversions.values().cloned().collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.kept.lock().unwrap().deliveries.values().cloned().collect()
    }

    pub(crate) fn reservations(&self) -> usize {
        self.kept.lock().unwrap().reservations.len()
    }

    pub(crate) fn goes_away(&self) {
        self.kept.lock().unwrap().away = true;
    }

    pub(crate) fn comes_back(&self) {
        self.kept.lock().unwrap().away = false;
    }

    /// Whether it is set to drop what it was given.
    pub(crate) fn loses(&self, loses: bool) {
        self.kept.lock().unwrap().loses = loses;
    }

    /// Whether it is set to do what it is told, and not to answer.
    pub(crate) fn silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// Whether it is set to do what it is told, and to lose the answer.
    pub(crate) fn unheard(&self, unheard: bool) {
        self.kept.lock().unwrap().unheard = unheard;
    }

    async fn answer(&self) -> Result<()> {
        let _ = self.silent.subscribe().wait_for(|silent| !silent).await;
        let unheard = self.kept.lock().unwrap().unheard;
        if unheard { Err(Error::unavailable("the answer was lost")) } else { Ok(()) }
    }

    /// What a dispatcher would have done.
    pub(crate) fn set(&self, id: DeliveryId, state: DeliveryState, at: Timestamp) {
        let mut kept = self.kept.lock().unwrap();
        let delivery = kept.deliveries.get_mut(&id).unwrap();
        (delivery.state, delivery.updated_at) = (state, at);
    }

    fn kept(&self) -> Result<std::sync::MutexGuard<'_, Kept>> {
        let kept = self.kept.lock().unwrap();
        if kept.away { Err(Error::unavailable("the outbox is away")) } else { Ok(kept) }
    }
}

impl Kept {
    fn replay(&mut self, id: DeliveryId) -> Result<Delivery> {
        let missing = || Error::not_found("UNKNOWN_DELIVERY", "is not kept");
        let delivery = self.deliveries.get_mut(&id).ok_or_else(missing)?;
        if !matches!(delivery.state, DeliveryState::Dead(_)) {
            return Err(Error::precondition("NOT_DEAD", "is not dead"));
        }
        delivery.state = DeliveryState::Pending;
        let replayed = delivery.clone();
        for change in self.deliveries.values_mut().filter(|it| it.lane == replayed.lane) {
            if matches!(&change.state, DeliveryState::Dead(why) if why.code == "lead_not_delivered") {
                change.state = DeliveryState::Pending;
            }
        }
        Ok(replayed)
    }

    fn resolve(&mut self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        let missing = || Error::not_found("UNKNOWN_DELIVERY", "is not kept");
        let delivery = self.deliveries.get_mut(&id).ok_or_else(missing)?;
        if !matches!(delivery.state, DeliveryState::InDoubt(_)) {
            return Err(Error::precondition("NOT_IN_DOUBT", "is not in doubt"));
        }
        delivery.state = match resolution {
            Resolution::Delivered => DeliveryState::Delivered,
            Resolution::Resend => DeliveryState::Pending,
        };
        Ok(delivery.clone())
    }

    fn record(
        &mut self,
        mut conversion: Conversion,
        mut delivery: Delivery,
        print: Fingerprint,
    ) -> Result<Recorded> {
        let same = conversion.key().and_then(|key| self.keys.get(&key).copied());
        if let Some((id, Some(first))) = same {
            if first != print {
                return Err(Error::conflict("transaction_id"));
            }
            return Ok(Recorded { conversion: id, delivery: self.created(id), fresh: false });
        }
        if self.conversions.contains_key(&conversion.id) {
            let id = conversion.id;
            return Ok(Recorded { conversion: id, delivery: self.created(id), fresh: false });
        }
        conversion.id = same.map_or(conversion.id, |(id, _)| id);
        delivery.conversion = conversion.id;
        for waiting in self.deliveries.values_mut().filter(|other| other.conversion == conversion.id) {
            waiting.state = DeliveryState::Pending;
        }
        let recorded = Recorded { conversion: conversion.id, delivery: delivery.id, fresh: true };
        if let Some(key) = conversion.key() {
            self.keys.insert(key, (conversion.id, Some(print)));
        }
        self.deliveries.insert(delivery.id, delivery);
        self.conversions.insert(conversion.id, conversion);
        Ok(recorded)
    }

    fn created(&self, conversion: ConversionId) -> DeliveryId {
        self.of(conversion).iter().find(|delivery| delivery.event == Event::Created).unwrap().id
    }

    fn of(&self, conversion: ConversionId) -> Vec<Delivery> {
        self.deliveries.values().filter(|delivery| delivery.conversion == conversion).cloned().collect()
    }
}

#[async_trait]
impl Outbox for Ledger {
    async fn reserve(&self, key: RequestKey, mine: Reservation) -> Result<Reservation> {
        Ok(self.kept()?.reservations.entry(key).or_insert(mine).clone())
    }

    async fn reserved(&self, key: RequestKey) -> Result<Option<Reservation>> {
        Ok(self.kept()?.reservations.get(&key).cloned())
    }

    async fn record(
        &self,
        conversion: Conversion,
        delivery: Delivery,
        print: Fingerprint,
    ) -> Result<Recorded> {
        // Others may come between.
        tokio::task::yield_now().await;
        let recorded = self.kept()?.record(conversion, delivery, print);
        self.answer().await?;
        recorded
    }

    async fn change(&self, target: Target, mut delivery: Delivery) -> Result<Recorded> {
        let mut kept = self.kept()?;
        if let Some(first) = kept.deliveries.get(&delivery.id) {
            return Ok(Recorded { conversion: first.conversion, delivery: first.id, fresh: false });
        }
        delivery.conversion = match target {
            Target::Conversion(id) => id,
            Target::Key(key) => kept.keys.entry(key).or_insert((delivery.conversion, None)).0,
        };
        if !kept.conversions.contains_key(&delivery.conversion) {
            delivery.state = DeliveryState::Waiting;
        }
        let recorded = Recorded { conversion: delivery.conversion, delivery: delivery.id, fresh: true };
        kept.deliveries.insert(delivery.id, delivery);
        Ok(recorded)
    }

    async fn claim(&self, _: &AccountId, _: usize, _: Duration) -> Result<Claims> {
        Ok(Claims::default())
    }

    async fn start(&self, _: &Fence) -> Result<bool> {
        Ok(false)
    }

    async fn settle(&self, _: &Fence, _: Option<Attempt>, _: Settlement) -> Result<bool> {
        Ok(false)
    }

    async fn release(&self, _: &Fence, _: Timestamp) -> Result<bool> {
        Ok(false)
    }

    async fn resolve(&self, id: DeliveryId, resolution: Resolution) -> Result<Delivery> {
        let resolved = self.kept()?.resolve(id, resolution);
        self.answer().await?;
        resolved
    }

    async fn replay(&self, id: DeliveryId) -> Result<Delivery> {
        let replayed = self.kept()?.replay(id);
        self.answer().await?;
        replayed
    }

    async fn pause(&self, account: &AccountId, reason: Reason) -> Result<bool> {
        let first = {
            let mut kept = self.kept()?;
            let (first, since) = (!kept.paused.contains_key(account), Timestamp::UNIX_EPOCH);
            kept.paused.entry(account.clone()).or_insert(Paused { since, reason });
            first
        };
        self.answer().await?;
        Ok(first)
    }

    async fn resume(&self, account: &AccountId) -> Result<bool> {
        let resumed = self.kept()?.paused.remove(account).is_some();
        self.answer().await?;
        Ok(resumed)
    }

    async fn paused(&self, account: &AccountId) -> Result<Option<Paused>> {
        Ok(self.kept()?.paused.get(account).cloned())
    }

    async fn story(&self, id: ConversionId) -> Result<Option<Story>> {
        let kept = self.kept()?;
        let conversion = kept.conversions.get(&id).cloned();
        Ok(conversion.map(|conversion| Story { conversion, deliveries: kept.of(id) }))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        Ok(self.kept()?.deliveries.get(&id).cloned())
    }

    async fn conversions(
        &self,
        filter: &ConversionFilter,
        limit: usize,
        _: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        let kept = self.kept()?;
        let wanted =
            |conversion: &&Conversion| filter.kind.is_none_or(|kind| kind == conversion.details.kind);
        let items = kept.conversions.values().rev().filter(wanted).take(limit).cloned().collect();
        Ok(Page { items, next: None })
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Delivery>> {
        let kept = self.kept()?;
        let before = DeliveryId::from_bytes(after.unwrap_or([255; 16]));
        let wanted = |delivery: &&Delivery| filter.state.is_none_or(|state| state == delivery.state.as_str());
        let all = kept.deliveries.range(..before).rev().map(|(_, delivery)| delivery);
        let limit = limit.min(LOOKED_AT);
        let items: Vec<Delivery> = all.filter(wanted).take(limit).cloned().collect();
        let next = items.last().filter(|_| items.len() == limit).map(|last| *last.id.as_bytes());
        Ok(Page { items, next })
    }

    async fn changed_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        let since = since.max(self.clock.now() - CHANGES_KEPT);
        let kept = self.kept()?;
        let mut changed: Vec<Delivery> =
            kept.deliveries.values().filter(|delivery| delivery.updated_at >= since).cloned().collect();
        changed.sort_by_key(|delivery| (delivery.updated_at, delivery.id));
        changed.truncate(limit);
        Ok(changed)
    }

    async fn stats(&self, account: &AccountId) -> Result<AccountStats> {
        let kept = self.kept()?;
        let in_state = |state: &str| {
            let mine = kept.deliveries.values().filter(|delivery| delivery.account == *account);
            mine.filter(|delivery| delivery.state.as_str() == state).count() as u64
        };
        Ok(AccountStats {
            pending: in_state("pending"),
            waiting: in_state("waiting"),
            ..AccountStats::default()
        })
    }

    async fn erase_click(&self, account: &AccountId, click: &ClickId) -> Result<usize> {
        let source = Source::Click(click.clone());
        self.erase(|conversion| conversion.account == *account && conversion.source == source)
    }

    async fn erase_user(&self, user: &UserId) -> Result<usize> {
        let erased = self.erase(|conversion| conversion.user.as_ref() == Some(user));
        self.answer().await?;
        erased
    }

    async fn sweep(&self) -> Result<Swept> {
        self.sweeps.fetch_add(1, SeqCst);
        let left = self.work.fetch_update(SeqCst, SeqCst, |work| work.checked_sub(1));
        Ok(left.map_or_else(|_| Swept::default(), |touched| Swept { touched, dead: vec![id("near")] }))
    }

    async fn ping(&self) -> Result<()> {
        self.kept().map(drop)
    }

    async fn promise(&self) -> Result<Promise> {
        if self.kept()?.loses {
            return Err(Error::precondition("EVICTION_POLICY", "it drops what it was given"));
        }
        Ok(Promise { words: "nothing survives the test".into(), weak: false })
    }
}

impl Ledger {
    fn erase(&self, whose: impl Fn(&Conversion) -> bool) -> Result<usize> {
        let mut kept = self.kept()?;
        let touched = kept.conversions.values_mut().filter(|conversion| whose(conversion));
        Ok(touched.map(|conversion| conversion.details.customer.erase()).count())
    }

    /// The lanes of all deliveries.
    pub(crate) fn lanes(&self) -> BTreeSet<postback_core::LaneId> {
        self.deliveries().into_iter().map(|delivery| delivery.lane).collect()
    }
}
