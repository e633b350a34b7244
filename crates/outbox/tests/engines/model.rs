//! What an outbox does, said again in the simplest way: every lane a queue in memory, every step a few lines.

use std::collections::{BTreeMap, VecDeque};

use postback_core::{ConversionId, DeliveryId, DeliveryState, ports::Fence, schedule};

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Settled,
    Released,
}

/// What becomes of a claimed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Retry(i64),
    InDoubt,
    Dead,
    DeadWithLead,
}

/// How long a delivery can count, in seconds.
const LIFE: i64 = 30 * 86_400;

/// A delivery.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    made: i64,
    pub(crate) lane: usize,
    pub(crate) conversion: Key,
    pub(crate) state: &'static str,
    pub(crate) with_lead: bool,
    pub(crate) attempts: usize,
    /// Which mark stands, by its number.
    pub(crate) mark: Option<usize>,
    ended: Option<(u64, End)>,
}

/// A lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    line: VecDeque<DeliveryId>,
    /// Not while its head is in doubt.
    due: Option<i64>,
    lease: Option<(u64, i64)>,
    /// The lease that marked the head, and the mark that stood before.
    marked: Option<(u64, Option<usize>)>,
}

/// Which conversion: click and transaction.
pub(crate) type Key = (usize, usize);

/// A conversion, recorded or awaited.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) id: ConversionId,
    pub(crate) lead: Option<DeliveryId>,
    pub(crate) told: Vec<DeliveryId>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) conversions: BTreeMap<Key, Kept>,
    pub(crate) told: BTreeMap<DeliveryId, Told>,
    lanes: BTreeMap<usize, Lane>,
    pub(crate) paused: bool,
    marks: usize,
}

impl Model {
    /// Records; the ids that are returned, and whether it was new.
    pub(crate) fn record(
        &mut self,
        key: Key,
        id: ConversionId,
        lead: DeliveryId,
        now: i64,
    ) -> (ConversionId, DeliveryId, bool) {
        let kept = self.conversions.entry(key).or_insert(Kept { id, lead: None, told: Vec::new() });
        if let Some(lead) = kept.lead {
            return (kept.id, lead, false);
        }
        let (id, told) = (kept.id, kept.told.clone());
        kept.lead = Some(lead);
        kept.told.insert(0, lead);
        self.tell(key, lead, "pending", now);
        self.enter(lead, now);
        for change in told.into_iter().filter(|id| self.told[id].state == "waiting").collect::<Vec<_>>() {
            self.enter(change, now);
        }
        (id, lead, true)
    }

    /// Takes a change; its conversion's id.
    pub(crate) fn change(
        &mut self,
        key: Key,
        promised: ConversionId,
        change: DeliveryId,
        now: i64,
    ) -> ConversionId {
        let kept = self.conversions.entry(key).or_insert(Kept { id: promised, lead: None, told: Vec::new() });
        kept.told.push(change);
        let (id, recorded) = (kept.id, kept.lead.is_some());
        self.tell(key, change, "waiting", now);
        if recorded {
            self.enter(change, now);
        }
        id
    }

    fn tell(&mut self, conversion: Key, id: DeliveryId, state: &'static str, made: i64) {
        let told = Told {
            made,
            lane: conversion.0,
            conversion,
            state,
            with_lead: false,
            attempts: 0,
            mark: None,
            ended: None,
        };
        self.told.insert(id, told);
    }

    fn enter(&mut self, id: DeliveryId, now: i64) {
        let told = self.told.get_mut(&id).unwrap();
        (told.state, told.with_lead) = ("pending", false);
        let lane = self.lanes.entry(told.lane).or_default();
        lane.line.push_back(id);
        if lane.line.len() == 1 {
            let due = Some(told.made.min(now));
            *lane = Lane { line: lane.line.clone(), due, ..Lane::default() };
        }
    }

    /// The heads of all lanes that can be claimed.
    pub(crate) fn due(&self, now: i64) -> Vec<DeliveryId> {
        let due = |lane: &&Lane| !self.paused && lane.due.is_some_and(|due| due <= now);
        self.lanes.values().filter(due).filter_map(|lane| lane.line.front().copied()).collect()
    }

    /// Lets lanes be due that wait longer than any schedule or lease does: a clock was wrong that put them off.
    pub(crate) fn recall(&mut self, now: i64) {
        let latest = now + schedule::LONGEST.as_secs();
        for due in self.lanes.values_mut().filter_map(|lane| lane.due.as_mut()) {
            if *due > latest {
                *due = now;
            }
        }
    }

    /// Lets changes die that waited for their conversion as long as they could count.
    pub(crate) fn give_up(&mut self, now: i64) {
        for told in self.told.values_mut().filter(|told| told.state == "waiting" && told.is_over(now)) {
            (told.state, told.with_lead) = ("dead", false);
        }
    }

    /// Leases the lane of a head.
    pub(crate) fn lease(&mut self, head: DeliveryId, token: u64, ends: i64) {
        let lane = self.lanes.get_mut(&self.told[&head].lane).unwrap();
        (lane.lease, lane.due) = (Some((token, ends)), Some(ends));
    }

    /// What the conversion's own delivery came to.
    pub(crate) fn lead_of(&self, id: DeliveryId) -> &'static str {
        let lead = self.conversions[&self.told[&id].conversion].lead.unwrap();
        self.told[&lead].state
    }

    /// Goes on with a lane whose head is done. What was never put off is due since it was made.
    fn pop(&mut self, lane: usize, now: i64) {
        let lane = self.lanes.entry(lane).or_default();
        lane.line.pop_front();
        let due = lane.line.front().map(|head| self.told[head].made.min(now));
        *lane = Lane { due, line: lane.line.clone(), ..Lane::default() };
    }

    fn held(&mut self, fence: &Fence) -> Option<&mut Lane> {
        let lane = self.lanes.get_mut(&self.told[&fence.delivery].lane)?;
        let leased = lane.lease.is_some_and(|lease| lease.0 == fence.token);
        (leased && lane.line.front() == Some(&fence.delivery)).then_some(lane)
    }

    pub(crate) fn start(&mut self, fence: &Fence, now: i64) -> bool {
        let (mark, before) = (self.marks, self.told[&fence.delivery].mark);
        let Some(lane) = self.held(fence) else { return false };
        if lane.lease.is_some_and(|lease| lease.1 <= now) {
            return false;
        }
        if lane.marked.is_none_or(|marked| marked.0 != fence.token) {
            lane.marked = Some((fence.token, before));
            self.marks += 1;
            self.told.get_mut(&fence.delivery).unwrap().mark = Some(mark);
        }
        true
    }

    pub(crate) fn settle(&mut self, fence: &Fence, attempt: bool, outcome: Outcome, now: i64) -> bool {
        let lead = self.conversions[&self.told[&fence.delivery].conversion].lead;
        let replayed = lead != Some(fence.delivery) && self.lead_of(fence.delivery) == "pending";
        let Some(lane) = self.held(fence) else { return self.has_ended(fence, End::Settled) };
        (lane.lease, lane.marked) = (None, None);
        let told = self.told.get_mut(&fence.delivery).unwrap();
        told.ended = Some((fence.token, End::Settled));
        told.attempts += usize::from(attempt);
        if attempt || outcome != Outcome::InDoubt {
            told.mark = None;
        }
        if outcome == Outcome::DeadWithLead && replayed {
            let (came, lane) =
                (&self.conversions[&told.conversion].told, self.lanes.get_mut(&told.lane).unwrap());
            let place = |id: &DeliveryId| came.iter().position(|other| other == id);
            let behind = lane.line.iter().position(|id| *id == came[0]).unwrap() + 1;
            let later = |id: &DeliveryId| place(id) > place(&fence.delivery);
            let before = lane.line.iter().skip(behind).position(later);
            lane.line.insert(before.map_or(lane.line.len(), |before| behind + before), fence.delivery);
            let lane = told.lane;
            self.pop(lane, now);
            return true;
        }
        match outcome {
            Outcome::Delivered => told.state = "delivered",
            Outcome::Dead => told.state = "dead",
            Outcome::DeadWithLead => (told.state, told.with_lead) = ("dead", true),
            Outcome::InDoubt => told.state = "in_doubt",
            Outcome::Retry(_) => {}
        }
        let place = told.lane;
        let lane = self.lanes.get_mut(&place).unwrap();
        match outcome {
            Outcome::Retry(after) => lane.due = Some(now + after),
            Outcome::InDoubt => lane.due = None,
            Outcome::Delivered | Outcome::Dead | Outcome::DeadWithLead => self.pop(place, now),
        }
        true
    }

    pub(crate) fn release(&mut self, fence: &Fence, at: i64) -> bool {
        let Some(lane) = self.held(fence) else { return self.has_ended(fence, End::Released) };
        lane.lease = None;
        lane.due = Some(at);
        let marked = lane.marked.take();
        let told = self.told.get_mut(&fence.delivery).unwrap();
        told.ended = Some((fence.token, End::Released));
        if let Some((token, before)) = marked
            && token == fence.token
        {
            told.mark = before;
        }
        true
    }

    fn has_ended(&self, fence: &Fence, end: End) -> bool {
        self.told[&fence.delivery].ended == Some((fence.token, end))
    }

    /// Decides a doubt; whether it was one.
    pub(crate) fn resolve(&mut self, id: DeliveryId, delivered: bool, now: i64) -> bool {
        let told = self.told.get_mut(&id).unwrap();
        if told.state != "in_doubt" {
            return false;
        }
        told.mark = None;
        told.state = if delivered { "delivered" } else { "pending" };
        let place = told.lane;
        if delivered {
            self.pop(place, now);
        } else {
            self.lanes.get_mut(&place).unwrap().due = Some(now);
        }
        true
    }

    /// Replays a dead letter; whether it was one.
    pub(crate) fn replay(&mut self, id: DeliveryId, now: i64) -> bool {
        let told = &self.told[&id];
        let kept = &self.conversions[&told.conversion];
        if told.state != "dead" || told.is_over(now) || kept.lead.is_none() {
            return false;
        }
        let mut all = vec![id];
        if kept.lead == Some(id) {
            let with_lead = |told: &Told| told.state == "dead" && told.with_lead && !told.is_over(now);
            let died = |id: &&DeliveryId| with_lead(&self.told[*id]);
            all.extend(kept.told.iter().filter(|other| **other != id).filter(died));
        }
        for id in all {
            self.told.get_mut(&id).unwrap().mark = None;
            self.enter(id, now);
        }
        true
    }

    /// How many deliveries are in a state.
    pub(crate) fn count(&self, state: &str) -> u64 {
        self.told.values().filter(|told| told.state == state).count() as u64
    }

    /// Whether a delivery is as the model says.
    pub(crate) fn agrees(
        &self,
        id: DeliveryId,
        state: &DeliveryState,
        attempts: usize,
        marked: bool,
    ) -> bool {
        let told = &self.told[&id];
        (told.state, told.attempts, told.mark.is_some()) == (state.as_str(), attempts, marked)
    }
}

impl Told {
    fn is_over(&self, now: i64) -> bool {
        now >= self.made + LIFE
    }
}
