//! Changing a conversion: its status, goal or money, told after everything that was told before.

use jiff::Timestamp;
use postback_core::{
    Change, Conversion, ConversionId, ConversionKey, Delivery, DeliveryId, Details, Error, Event, Goal, Kind,
    LaneId, RequestId, Result, Source, TransactionId,
    ports::{Recorded, RequestKey, Reservation, Target},
};

use crate::{
    Hub, Rendered, SourceBy,
    fingerprint::Said,
    record::{expires_at, unknown},
    render::in_change,
    settle::{Settled, Unsettled},
    source::Resolved,
};

/// A change as a caller reports it.
#[derive(Clone, Debug)]
pub struct ChangeReport {
    /// Which conversion.
    pub target: ChangeTarget,
    /// What changed.
    pub change: Change,
    /// The caller's id of this request: a repeat brings the first answer again.
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

/// What a change is about: the conversion, or what is known of it before it is recorded.
struct Subject {
    conversion: Conversion,
    target: Target,
    /// The account as the caller said it.
    account: String,
    resolved: Option<Resolved>,
}

impl Hub {
    /// Renders the call of a change and records nothing.
    ///
    /// # Errors
    /// As [`Hub::change`], but for conflicts with what was recorded.
    pub async fn validate_change(&self, report: ChangeReport) -> Result<Rendered> {
        let now = self.inner.clock.now();
        let subject = self.subject(&report, now, Unsettled::Leave).await?;
        live(&subject, &report.target, now)?;
        self.render(&subject.conversion, &Event::Changed(report.change), in_change)
    }

    /// Records a change. `Ok` means that it is durable; it is told after everything told of its lane before. One
    /// for a conversion that is not recorded yet waits for it, until the click's life ends.
    ///
    /// # Errors
    /// `InvalidArgument` for a change with nothing in it, or at the field that is wrong by the network's rules;
    /// `NotFound` for an unknown conversion or source; `FailedPrecondition` for one whose click's life is over,
    /// or where the network takes no changes; `AlreadyExists` for a known request id with other content;
    /// `Unavailable` where a store is away, or would lose the change.
    pub async fn change(&self, report: ChangeReport) -> Result<RecordedChange> {
        let changed = self.take_change(&report).await;
        if let Err(error) = &changed {
            self.refused_change(error);
        }
        changed
    }

    async fn take_change(&self, report: &ChangeReport) -> Result<RecordedChange> {
        self.assured().await?;
        let now = self.inner.clock.now();
        let event = Event::Changed(report.change.clone());
        let mut subject = self.subject(report, now, Unsettled::Leave).await?;
        let rendered = live(&subject, &report.target, now)
            .and_then(|()| self.render(&subject.conversion, &event, in_change));
        let mut rendered = match rendered {
            Ok(rendered) => rendered,
            Err(refused) => {
                return self.changed_before(report, &subject, &event, now).await?.ok_or(refused);
            }
        };
        if subject.conversion.user.is_some() && matches!(report.target, ChangeTarget::Key { .. }) {
            subject = self.subject(report, now, Unsettled::Reserve).await?;
            live(&subject, &report.target, now)?;
            rendered = self.render(&subject.conversion, &event, in_change)?;
        }
        let delivery = self.delivery_of(&subject.conversion, event, now);
        let delivery = self.settle_change(report, &subject, delivery, Unsettled::Reserve).await?;
        let event = delivery.event.clone();
        let recorded = self.inner.outbox.change(subject.target, delivery).await?;
        if recorded.fresh {
            self.inner.wake.notify_one();
            let account = &subject.conversion.account;
            tracing::debug!(%account, conversion = %recorded.conversion, delivery = %recorded.delivery, "a change is recorded");
        }
        Ok(self.changed(&subject, &recorded, &event, rendered).await)
    }

    /// The answer to a change that is durable: nothing can fail it any more.
    async fn changed(
        &self,
        subject: &Subject,
        recorded: &Recorded,
        event: &Event,
        rendered: Rendered,
    ) -> RecordedChange {
        let mut answer = RecordedChange {
            conversion: recorded.conversion,
            delivery: recorded.delivery,
            waiting: false,
            already: !recorded.fresh,
            rendered,
        };
        if let Target::Key(_) = subject.target {
            match self.inner.outbox.story(recorded.conversion).await {
                Ok(Some(story)) => {
                    if let Ok(rendered) = self.render(&story.conversion, event, in_change) {
                        answer.rendered = rendered;
                    }
                }
                Ok(None) => answer.waiting = true,
                Err(error) => tracing::debug!(%error, "whether a change waits is not known"),
            }
        }
        answer
    }

    /// Finds out what a change is about: of a user the click that its transaction was settled on before, where it was.
    async fn subject(&self, report: &ChangeReport, now: Timestamp, unsettled: Unsettled) -> Result<Subject> {
        if report.change == Change::default() {
            let message = "is empty, and so is all else; want a status, goal, value, payout or fields";
            return Err(Error::invalid("status", message).because("MISSING"));
        }
        match &report.target {
            ChangeTarget::Conversion(id) => {
                let story = self.inner.outbox.story(*id).await?.ok_or_else(|| unknown(*id))?;
                Ok(Subject {
                    account: story.conversion.account.to_string(),
                    target: Target::Conversion(*id),
                    conversion: story.conversion,
                    resolved: None,
                })
            }
            ChangeTarget::Key { source, kind, goal, transaction_id } => {
                let key = (*kind, goal.as_ref(), transaction_id);
                self.subject_by_key(source, key, now, unsettled).await
            }
        }
    }

    async fn subject_by_key(
        &self,
        source: &SourceBy,
        key: (Kind, Option<&Goal>, &TransactionId),
        now: Timestamp,
        unsettled: Unsettled,
    ) -> Result<Subject> {
        let (kind, goal, transaction) = key;
        if kind == Kind::Goal && goal.is_none() {
            return Err(Error::invalid("key.goal", "is missing; a goal has a name").because("MISSING"));
        }
        let resolved = self.find_source(source, now, "key.source").await?;
        let resolved = self.where_recorded(source, key, resolved, now).await?;
        let draft = Settled { resolved, uuid: self.inner.mint.uuid(now), at: now };
        let settled = self.settle_attribution(source, key, draft, unsettled).await?;
        let conversion = provisional(&settled, key, now);
        let key = ConversionKey::of(&conversion.account, &conversion.source, kind, goal, transaction);
        Ok(Subject {
            account: source.account_said(&settled.resolved).to_owned(),
            target: Target::Key(key),
            conversion,
            resolved: Some(settled.resolved),
        })
    }

    /// The user's click under which a conversion is recorded, however that was named: the one chosen, or else the latest
    /// other one. The one chosen where none is.
    async fn where_recorded(
        &self,
        source: &SourceBy,
        (kind, goal, transaction): (Kind, Option<&Goal>, &TransactionId),
        chosen: Resolved,
        now: Timestamp,
    ) -> Result<Resolved> {
        let SourceBy::User { user, account, .. } = source else { return Ok(chosen) };
        let others = self.clicks_of_user(user, account.as_ref(), now).await?.into_iter().rev();
        for click in chosen.click().into_iter().chain(others) {
            let source = Source::Click(click.id.clone());
            let key = ConversionKey::of(&click.account, &source, kind, goal, transaction);
            if self.is_key_recorded(LaneId::of(&click.account, &source, ""), key).await? {
                return Ok(self.settled_on(click, chosen).await);
            }
        }
        Ok(chosen)
    }

    /// The delivery under the id that the request was given when it was first seen.
    async fn settle_change(
        &self,
        report: &ChangeReport,
        subject: &Subject,
        mine: Delivery,
        unsettled: Unsettled,
    ) -> Result<Delivery> {
        let Some(request) = &report.request_id else { return Ok(mine) };
        let key = RequestKey::of(&["change", &subject.account, request.as_str()]);
        let fingerprint =
            Said::of_change(&report.target, subject.resolved.as_ref(), &report.change).fingerprint();
        let reservation =
            Reservation { fingerprint, id: *mine.id.as_bytes(), at: mine.created_at, click: None };
        let kept = self.first_word(key, reservation, unsettled).await?;
        Ok(Delivery { id: DeliveryId::from_bytes(kept.id), ..mine })
    }

    /// The first answer to a request that would be refused now: its click's life has ended since, or its account was set
    /// otherwise.
    async fn changed_before(
        &self,
        report: &ChangeReport,
        subject: &Subject,
        event: &Event,
        now: Timestamp,
    ) -> Result<Option<RecordedChange>> {
        if report.request_id.is_none() {
            return Ok(None);
        }
        let mine = self.delivery_of(&subject.conversion, event.clone(), now);
        let settled = self.settle_change(report, subject, mine, Unsettled::Leave).await?;
        let Some(kept) = self.inner.outbox.delivery(settled.id).await? else { return Ok(None) };
        let rendered = self.render(&subject.conversion, event, in_change).unwrap_or_else(Rendered::no_more);
        let recorded = Recorded { conversion: kept.conversion, delivery: kept.id, fresh: false };
        Ok(Some(self.changed(subject, &recorded, event, rendered).await))
    }
}

/// Refuses a change of what can no longer be told.
fn live(subject: &Subject, target: &ChangeTarget, now: Timestamp) -> Result<()> {
    let end = expires_at(&subject.conversion);
    if now < end {
        return Ok(());
    }
    let field = match target {
        ChangeTarget::Conversion(_) => "conversion_id".to_owned(),
        ChangeTarget::Key { source, .. } => format!("key.source.{}", source.field()),
    };
    Err(Error::precondition("CLICK_EXPIRED", format!("its click's 30 days ended at {end:.0}")).at(field))
}

/// What is known of a conversion by its key.
fn provisional(
    settled: &Settled,
    (kind, goal, transaction): (Kind, Option<&Goal>, &TransactionId),
    now: Timestamp,
) -> Conversion {
    let resolved = settled.resolved.clone();
    Conversion {
        id: settled.id(Some(transaction)),
        account: resolved.account,
        campaign: resolved.campaign,
        source: resolved.source,
        click_time: resolved.click_time,
        user: resolved.user,
        request_id: None,
        lane: settled.lane(Some(transaction)),
        details: Details {
            goal: goal.cloned(),
            transaction_id: Some(transaction.clone()),
            ..Details::new(kind)
        },
        occurred_at: now,
        recorded_at: now,
    }
}
