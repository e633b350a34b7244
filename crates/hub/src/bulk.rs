//! Decisions on many deliveries at once.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    ops::AddAssign,
};

use jiff::Timestamp;
use postback_core::{
    AccountId, Actor, Delivery, DeliveryId, DeliveryState, Error, ErrorKind, LaneId, Result,
    ports::{Deed, DeliveryFilter, Resolution},
};
use tokio::task::JoinSet;

use crate::{Hub, limits::PAGE, trail::Note};

/// The most deliveries that one call decides.
const MOST: usize = 1_000;
/// How many lanes are worked on at once.
const LANES: usize = 64;

/// Which deliveries an operator decides at once; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Dead or in doubt for this reason's code.
    pub reason: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// Last changed at or before: as [`Decided::previewed_at`] of a preview. A decision wants it, so that nothing is
    /// decided that was not counted.
    pub previewed_at: Option<Timestamp>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// How many were decided: at most 1,000 at once. For a preview, how many would be in all.
    pub count: u64,
    /// How many no longer stood as they had when they were chosen.
    pub refused: u64,
    /// How many more there are for another call.
    pub left: u64,
    /// For a preview, the last change among them, by the store's clock: the selection's own for the decision. `None`
    /// where there are none.
    pub previewed_at: Option<Timestamp>,
}

impl Selection {
    /// The selection in words.
    fn words(&self) -> String {
        let mut words = "all".to_owned();
        if let Some(reason) = &self.reason {
            let _ = write!(words, " with reason {reason}");
        }
        if let Some(since) = self.since {
            let _ = write!(words, " from {since}");
        }
        if let Some(until) = self.until {
            let _ = write!(words, " until {until}");
        }
        words
    }

    fn holds(&self, delivery: &Delivery) -> bool {
        if self.previewed_at.is_some_and(|then| delivery.updated_at > then) {
            return false;
        }
        let Some(wanted) = &self.reason else { return true };
        match &delivery.state {
            DeliveryState::Dead(reason) | DeliveryState::InDoubt(reason) => reason.code == *wanted,
            DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::Delivered => false,
        }
    }
}

impl Hub {
    /// Puts dead letters back into their lanes, the oldest first: those whose click still lives. With `preview` it
    /// counts them and changes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` at `preview_time` for a decision without one; `NotFound` at `account`; the store's own, with
    /// some of them replayed.
    pub async fn replay_all(&self, selection: &Selection, preview: bool, actor: &Actor) -> Result<Decided> {
        self.decide_all(selection, Deed::Replay, preview, actor).await
    }

    /// Decides deliveries in doubt in one way, the oldest first. With `preview` it counts them and changes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` at `preview_time` for a decision without one; `NotFound` at `account`; the store's own, with
    /// some of them decided.
    pub async fn resolve_all(
        &self,
        selection: &Selection,
        resolution: Resolution,
        preview: bool,
        actor: &Actor,
    ) -> Result<Decided> {
        self.decide_all(selection, Deed::Resolve(resolution), preview, actor).await
    }

    async fn decide_all(
        &self,
        selection: &Selection,
        deed: Deed,
        preview: bool,
        actor: &Actor,
    ) -> Result<Decided> {
        if preview {
            return self.preview_all(selection, deed).await;
        }
        if selection.previewed_at.is_none() {
            let want = "is missing; want what the answer to a preview (validate_only) says";
            return Err(Error::invalid("preview_time", want).because("MISSING"));
        }
        let (selection, actor) = (selection.clone(), actor.clone());
        self.finish(async move |hub: Self| hub.decide_previewed(&selection, deed, &actor).await).await
    }

    async fn decide_previewed(&self, selection: &Selection, deed: Deed, actor: &Actor) -> Result<Decided> {
        let (chosen, all) = self.choose(selection, deed).await?;
        let (account, target) = (selection.account.as_ref(), selection.words());
        if !chosen.is_empty() {
            let count = chosen.len();
            tracing::info!(%actor, ?deed, ?account, target, count, "deliveries will be decided in bulk");
        }
        let (mut decided, failure) = self.decide_chosen(&chosen, deed).await;
        decided.left = all.saturating_sub(chosen.len() as u64);
        self.inner.wake.notify_one();
        if decided.count > 0 {
            let count = decided.count;
            tracing::info!(%actor, ?deed, ?account, target, count, "deliveries were decided in bulk");
            self.note(actor, Note { deed, account, target: target.clone(), count, reason: "" }).await;
        }
        let done = failure.map_or(Ok(decided), Err);
        self.note_unheard(&done, actor, Note { deed, account, target, count: 0, reason: "" }).await;
        done
    }

    /// Counts what a deed is for, after a reading that says when it stood so: what changes meanwhile is not counted,
    /// whether it lies before or behind the place where the reading is.
    async fn preview_all(&self, selection: &Selection, deed: Deed) -> Result<Decided> {
        let (mut previewed_at, mut count) = (None, 0);
        self.read_all(selection, deed, |it| previewed_at = previewed_at.max(Some(it.updated_at))).await?;
        if previewed_at.is_some() {
            let selection = Selection { previewed_at, ..selection.clone() };
            self.read_all(&selection, deed, |_| count += 1).await?;
        }
        Ok(Decided { count, previewed_at, ..Decided::default() })
    }

    /// The oldest deliveries of a selection that a deed is for, and how many there are in all.
    async fn choose(
        &self,
        selection: &Selection,
        deed: Deed,
    ) -> Result<(VecDeque<(LaneId, DeliveryId)>, u64)> {
        let (mut chosen, mut all) = (VecDeque::new(), 0);
        let choose = |delivery: &Delivery| {
            chosen.push_back((delivery.lane, delivery.id));
            all += 1;
            if chosen.len() > MOST {
                chosen.pop_front();
            }
        };
        self.read_all(selection, deed, choose).await?;
        Ok((chosen, all))
    }

    /// Reads the deliveries of a selection that a deed is for, the latest first.
    async fn read_all(
        &self,
        selection: &Selection,
        deed: Deed,
        mut take: impl FnMut(&Delivery) + Send,
    ) -> Result<()> {
        if let Some(account) = &selection.account {
            self.registry().account(account)?;
        }
        let filter = DeliveryFilter {
            account: selection.account.clone(),
            conversion: None,
            state: Some(if deed == Deed::Replay { "dead" } else { "in_doubt" }),
            since: selection.since,
            until: selection.until,
        };
        let now = self.inner.clock.now();
        let possible = |delivery: &Delivery| deed != Deed::Replay || delivery.expires_at > now;
        let mut after = None;
        loop {
            let page = self.inner.outbox.deliveries(&filter, PAGE, after).await?;
            page.items.iter().filter(|it| selection.holds(it) && possible(it)).for_each(&mut take);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Decides each lane's deliveries in their order, and lanes beside each other.
    async fn decide_chosen(
        &self,
        chosen: &VecDeque<(LaneId, DeliveryId)>,
        deed: Deed,
    ) -> (Decided, Option<Error>) {
        let mut lanes: BTreeMap<[u8; 16], Vec<DeliveryId>> = BTreeMap::new();
        for (lane, id) in chosen.iter().rev() {
            lanes.entry(*lane.as_bytes()).or_default().push(*id);
        }
        let (mut decided, mut failure, mut lanes) = (Decided::default(), None, lanes.into_values());
        let mut work = JoinSet::new();
        loop {
            while failure.is_none()
                && work.len() < LANES
                && let Some(ids) = lanes.next()
            {
                let hub = self.clone();
                work.spawn(async move { hub.decide_lane(ids, deed).await });
            }
            match work.join_next().await {
                None => return (decided, failure),
                Some(Ok((some, error))) => {
                    decided += some;
                    failure = failure.or(error);
                }
                Some(Err(fell)) => {
                    failure = Some(Error::internal("deciding a delivery failed by a defect").caused_by(fell));
                }
            }
        }
    }

    async fn decide_lane(&self, ids: Vec<DeliveryId>, deed: Deed) -> (Decided, Option<Error>) {
        let mut decided = Decided::default();
        for id in ids {
            let done = match deed {
                Deed::Resolve(resolution) => self.resolve_one(id, resolution).await,
                _ => self.inner.outbox.replay(id).await,
            };
            match done {
                Ok(_) => decided.count += 1,
                // A change is replayed with its lead, which comes before it.
                Err(error) if error.reason() == "NOT_DEAD" && decided.count > 0 => decided.count += 1,
                Err(error) if matches!(error.kind(), ErrorKind::FailedPrecondition | ErrorKind::NotFound) => {
                    decided.refused += 1;
                }
                Err(error) => return (decided, Some(error)),
            }
        }
        (decided, None)
    }
}

impl AddAssign for Decided {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.refused += other.refused;
        self.left += other.left;
    }
}
