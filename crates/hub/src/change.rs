//! A conversion's later word: its status, its goal or its money changed.

use jiff::Timestamp;
use postback_core::{
    CLICK_LIFE, Change, Conversion, ConversionId, ConversionKey, DeliveryId, DeliveryState, Details, Error,
    Event, Goal, Kind, RequestId, Result, TransactionId,
    ports::{RequestKey, Reservation, Target},
};
use uuid::Uuid;

use crate::{
    Hub, Rendered, SourceBy,
    fingerprint::Said,
    identity, meters,
    record::{live, new_delivery, unknown},
    source::{Resolved, within},
};

/// A change as a caller reports it.
#[derive(Clone, Debug)]
pub struct ChangeReport {
    /// Which conversion.
    pub target: ChangeTarget,
    /// What changed.
    pub change: Change,
    /// The caller's id of this request.
    pub request_id: Option<RequestId>,
}

/// Which conversion a change is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeTarget {
    /// A recorded one.
    Conversion(ConversionId),
    /// The one with this key; the change waits where it is not recorded yet.
    Key {
        /// Where it comes from.
        source: SourceBy,
        /// Its kind.
        kind: Kind,
        /// Its goal, for [`Kind::Goal`].
        goal: Option<Goal>,
        /// Its transaction id.
        transaction_id: TransactionId,
    },
}

/// A change that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// The conversion; for one that is not recorded yet, the id that it will have.
    pub conversion: ConversionId,
    /// The change's delivery.
    pub delivery: DeliveryId,
    /// Whether it waits for its conversion.
    pub waiting: bool,
    /// Whether the same request had been made before.
    pub already: bool,
    /// The call that the network will see.
    pub rendered: Rendered,
}

/// What a change is for, found out.
struct Aim {
    target: Target,
    /// The conversion, or what is known of one that is not recorded yet.
    conversion: Conversion,
    resolved: Option<Resolved>,
}

impl Hub {
    /// Renders the call of a change, and records nothing.
    ///
    /// # Errors
    /// As [`Hub::change`], but for a key that was used before.
    pub async fn validate_change(&self, report: ChangeReport) -> Result<Rendered> {
        let now = self.inner.clock.now();
        let aim = self.aim(&report, now).await?;
        self.render(&aim.conversion, &Event::Changed(report.change))
    }

    /// Puts a change behind everything that was told of its conversion before; it is durable when this returns.
    ///
    /// # Errors
    /// `InvalidArgument` at the field that is wrong; `NotFound` for an unknown conversion, click, user or account;
    /// `FailedPrecondition` where the network takes no changes or the click's life is over; `AlreadyExists` where
    /// the request id was used with other content; `Unavailable` where the store is away.
    pub async fn change(&self, report: ChangeReport) -> Result<RecordedChange> {
        self.told(report).await.inspect_err(|error| meters::refused(error.reason()))
    }

    async fn told(&self, report: ChangeReport) -> Result<RecordedChange> {
        let now = self.inner.clock.now();
        let aim = self.aim(&report, now).await?;
        let event = Event::Changed(report.change.clone());
        let rendered = self.render(&aim.conversion, &event)?;
        let mut uuid = self.inner.mint.uuid(now);
        if let Some(id) = &report.request_id {
            let said = Said::of_change(&report.target, aim.resolved.as_ref(), &report.change);
            let key = RequestKey::of(&["change", aim.conversion.account.as_str(), id.as_str()]);
            let fingerprint = said.fingerprint();
            let mine = Reservation { fingerprint, id: *uuid.as_bytes(), at: now, click: None };
            let kept = self.inner.outbox.reserve(key, mine).await?;
            if kept.fingerprint != fingerprint {
                return Err(Error::conflict("request_id"));
            }
            uuid = Uuid::from_bytes(kept.id);
        }
        let delivery = new_delivery(&aim.conversion, event, uuid, now);
        let recorded = self.inner.outbox.change(aim.target, delivery).await?;
        self.inner.wake.notify_one();
        let waiting = match aim.target {
            Target::Conversion(_) => false,
            Target::Key(_) => {
                let put = self.inner.outbox.delivery(recorded.delivery).await?;
                put.is_some_and(|put| put.state == DeliveryState::Waiting)
            }
        };
        Ok(RecordedChange {
            conversion: recorded.conversion,
            delivery: recorded.delivery,
            waiting,
            already: !recorded.fresh,
            rendered,
        })
    }

    async fn aim(&self, report: &ChangeReport, now: Timestamp) -> Result<Aim> {
        if report.change == Change::default() {
            let message = "is missing; want a status, goal, value, payout or fields";
            return Err(Error::invalid("status", message).because("MISSING"));
        }
        match &report.target {
            ChangeTarget::Conversion(id) => {
                let story = self.inner.outbox.story(*id).await?.ok_or_else(unknown)?;
                let conversion = story.conversion;
                let from = conversion.click_time.unwrap_or(conversion.recorded_at);
                if now >= from.saturating_add(CLICK_LIFE).unwrap_or(Timestamp::MAX) {
                    let message = "is past its click's 30 days";
                    return Err(Error::precondition("CLICK_EXPIRED", message).at("conversion_id"));
                }
                Ok(Aim { target: Target::Conversion(*id), conversion, resolved: None })
            }
            ChangeTarget::Key { source, kind, goal, transaction_id } => {
                let resolved = self.find_source(source, now, "key.source").await?;
                live(source, &resolved, now).map_err(|error| within("key", error))?;
                let (account, source) = (&resolved.account, &resolved.source);
                let key = ConversionKey::of(account, source, *kind, goal.as_ref(), transaction_id);
                let details = Details {
                    goal: goal.clone(),
                    transaction_id: Some(transaction_id.clone()),
                    ..Details::new(*kind)
                };
                let conversion = self.awaited(&resolved, details, now);
                Ok(Aim { target: Target::Key(key), conversion, resolved: Some(resolved) })
            }
        }
    }

    /// What is known of a conversion that may not be recorded yet.
    fn awaited(&self, resolved: &Resolved, details: Details, now: Timestamp) -> Conversion {
        let uuid = self.inner.mint.uuid(now);
        let transaction = details.transaction_id.as_ref();
        let lane = identity::lane(&resolved.account, &resolved.source, transaction, uuid);
        Conversion {
            id: ConversionId::new(uuid, lane.shard()),
            account: resolved.account.clone(),
            campaign: resolved.campaign.clone(),
            source: resolved.source.clone(),
            click_time: resolved.click_time,
            user: resolved.user.clone(),
            request_id: None,
            lane,
            details,
            occurred_at: now,
            recorded_at: now,
        }
    }
}
