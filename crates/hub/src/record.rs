//! A conversion is reported: resolved, rendered, and recorded with its first delivery.

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    CLICK_LIFE, Click, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Details, Error, Event,
    Kind, Postback, RequestId, Result, Source,
    ports::{ConversionFilter, Page, RequestKey, Reservation, Story},
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    Hub, SourceBy, clicks,
    fingerprint::Said,
    identity, meters,
    source::{Resolved, within},
};

/// How far ahead of the hub's clock a caller's may run.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A conversion as a caller reports it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it comes from.
    pub source: SourceBy,
    /// What is told of it.
    pub details: Details,
    /// When it happened; now by default.
    pub occurred_at: Option<Timestamp>,
    /// The caller's id of this request.
    pub request_id: Option<RequestId>,
}

/// A call as the network will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Method, URL and form, with secrets and personal data as `***`.
    pub call: String,
    /// What the caller should mend, though it is taken.
    pub warnings: Vec<String>,
}

/// A conversion that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConversion {
    /// Its id.
    pub conversion: ConversionId,
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Whether it had been recorded before.
    pub already: bool,
    /// The call that the network will see.
    pub rendered: Rendered,
}

impl Hub {
    /// Renders the call of a conversion, and records nothing.
    ///
    /// # Errors
    /// As [`Hub::record`], but for a key that was used before.
    pub async fn validate(&self, report: Report) -> Result<Rendered> {
        let now = self.inner.clock.now();
        let resolved = self.accepted(&report, now).await?;
        let conversion = conversion(&report, &resolved, self.inner.mint.uuid(now), now);
        live(&report.source, &resolved, now)?;
        self.render(&conversion, &Event::Created).map_err(|error| within("details", error))
    }

    /// Records a conversion with its first delivery; both are durable when this returns. A repeat with the same
    /// content returns the first one's ids.
    ///
    /// # Errors
    /// `InvalidArgument` at the field that is wrong; `NotFound` for an unknown click, user or account;
    /// `FailedPrecondition` for a click whose life is over; `AlreadyExists` where the request id or transaction id
    /// was used with other content; `Unavailable` where the store is away.
    pub async fn record(&self, report: Report) -> Result<RecordedConversion> {
        self.taken(report).await.inspect_err(|error| meters::refused(error.reason()))
    }

    async fn taken(&self, report: Report) -> Result<RecordedConversion> {
        let now = self.inner.clock.now();
        let mut resolved = self.accepted(&report, now).await?;
        let mut uuid = self.inner.mint.uuid(now);
        let request = request_key(&report, &resolved);
        let mut conversion = conversion(&report, &resolved, uuid, now);
        let mut rendered =
            self.render(&conversion, &Event::Created).map_err(|error| within("details", error))?;
        if request.is_none() {
            live(&report.source, &resolved, now)?;
        }
        if let Some((key, field)) = request {
            let said = Said::of_conversion(&report.details, report.occurred_at);
            let fingerprint = said.from(&report.source, Some(&resolved)).fingerprint();
            let mine = Reservation { fingerprint, id: *uuid.as_bytes(), at: now, click: resolved.click() };
            let kept = self.inner.outbox.reserve(key, mine).await?;
            if kept.fingerprint != fingerprint {
                return Err(Error::conflict(field));
            }
            if kept.id != *uuid.as_bytes() {
                uuid = Uuid::from_bytes(kept.id);
                if let Some(click) = kept.click {
                    resolved = self.settled_on(click, resolved).await;
                }
                conversion = self::conversion(&report, &resolved, uuid, now);
                rendered =
                    self.render(&conversion, &Event::Created).map_err(|error| within("details", error))?;
            }
            let before = match live(&report.source, &resolved, now) {
                Ok(()) => None,
                Err(expired) => Some(self.inner.outbox.story(conversion.id).await?.ok_or(expired)?),
            };
            if let Some(Story { conversion, deliveries }) = before
                && let Some(delivery) = deliveries.first()
            {
                let (conversion, delivery) = (conversion.id, delivery.id);
                return Ok(RecordedConversion { conversion, delivery, already: true, rendered });
            }
        }
        let delivery = self.delivery_of(&conversion, now);
        let fingerprint = Said::of_conversion(&report.details, report.occurred_at).fingerprint();
        let (account, kind) = (conversion.account.clone(), conversion.details.kind);
        let recorded = self.inner.outbox.record(conversion, delivery, fingerprint).await;
        let recorded = recorded.map_err(|error| within("details", error))?;
        meters::conversion(&account, kind, recorded.fresh);
        self.inner.wake.notify_one();
        Ok(RecordedConversion {
            conversion: recorded.conversion,
            delivery: recorded.delivery,
            already: !recorded.fresh,
            rendered,
        })
    }

    /// Where a report comes from, once everything about it that needs no network has been looked at.
    async fn accepted(&self, report: &Report, now: Timestamp) -> Result<Resolved> {
        sound(&report.details)?;
        let occurred_at = report.occurred_at.unwrap_or(now);
        if occurred_at.duration_since(now) > AHEAD {
            return Err(Error::invalid("occur_time", format!("`{occurred_at:.0}` is in the future")));
        }
        let resolved = self.find_source(&report.source, occurred_at, "source").await?;
        match resolved.click_time {
            Some(captured_at) if occurred_at.as_second() < captured_at.as_second() => Err(Error::invalid(
                "occur_time",
                format!("`{occurred_at:.0}` is before its click, which came at {captured_at:.0}"),
            )),
            _ => Ok(resolved),
        }
    }

    /// The call of an event, as it would be sent now.
    pub(crate) fn render(&self, conversion: &Conversion, event: &Event) -> Result<Rendered> {
        let registry = self.registry();
        let adapter = &registry.account(&conversion.account)?.adapter;
        let call = adapter.call(&Postback { conversion, event })?;
        Ok(Rendered { call: call.shown, warnings: call.warnings })
    }

    fn delivery_of(&self, conversion: &Conversion, now: Timestamp) -> Delivery {
        new_delivery(conversion, Event::Created, self.inner.mint.uuid(now), now)
    }

    /// A conversion with everything that was told of it, and its click while that is kept.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn story(&self, id: ConversionId) -> Result<(Story, Option<Click>)> {
        let story = self.inner.outbox.story(id).await?.ok_or_else(unknown)?;
        let click = match &story.conversion.source {
            Source::Click(id) => self.glance(&story.conversion.account, id).await,
            Source::Flow(_) | Source::FlowCode(_) => None,
        };
        Ok((story, click))
    }

    /// Conversions, the latest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn conversions(
        &self,
        filter: ConversionFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        self.inner.outbox.conversions(&filter, limit, after).await
    }
}

/// A conversion that is not kept.
pub(crate) fn unknown() -> Error {
    Error::not_found("UNKNOWN_CONVERSION", "names no conversion that is kept").at("conversion_id")
}

/// Whether details hold together; what a network makes of them is its adapter's business.
fn sound(details: &Details) -> Result<()> {
    if details.kind == Kind::Goal && details.goal.is_none() {
        let message = "is missing; a goal needs the name that the network knows it by";
        return Err(Error::invalid("details.goal", message).because("MISSING"));
    }
    let parts = [("details.shipping", details.shipping), ("details.tax", details.tax)];
    let mut rest = details.value;
    for (field, part) in parts {
        let Some(part) = part.filter(|part| *part > Decimal::ZERO) else { continue };
        let Some(whole) = rest else {
            return Err(Error::invalid(field, "is a part of the value; want details.value with it"));
        };
        let less = whole.less(part).map_err(|_| {
            Error::invalid(field, format!("`{part}` is more than what is left of the value, {whole}"))
        })?;
        rest = Some(less);
    }
    Ok(())
}

/// Under which key a request is kept so that its repeat resolves to the same: the caller's id of it, else, where a
/// user's next click could change what it resolves to, the user and the transaction.
fn request_key(report: &Report, resolved: &Resolved) -> Option<(RequestKey, &'static str)> {
    let account = report.source.account_said(resolved);
    if let Some(id) = &report.request_id {
        return Some((RequestKey::of(&["request", account, id.as_str()]), "request_id"));
    }
    let (SourceBy::User { user, .. }, details) = (&report.source, &report.details) else { return None };
    let goal = details.goal.as_ref().filter(|_| details.kind == Kind::Goal).map_or("", |goal| goal.as_str());
    let transaction = details.transaction_id.as_ref()?;
    let parts = ["user", account, user.as_str(), details.kind.as_str(), goal, transaction.as_str()];
    Some((RequestKey::of(&parts), "details.transaction_id"))
}

fn conversion(report: &Report, resolved: &Resolved, uuid: Uuid, now: Timestamp) -> Conversion {
    let transaction = report.details.transaction_id.as_ref();
    let lane = identity::lane(&resolved.account, &resolved.source, transaction, uuid);
    Conversion {
        id: ConversionId::new(uuid, lane.shard()),
        account: resolved.account.clone(),
        campaign: resolved.campaign.clone(),
        source: resolved.source.clone(),
        click_time: resolved.click_time,
        user: resolved.user.clone(),
        request_id: report.request_id.clone(),
        lane,
        details: report.details.clone(),
        occurred_at: report.occurred_at.unwrap_or(now),
        recorded_at: now,
    }
}

/// A delivery of a conversion's event, due now, for as long as the click lives; a flow's for as long from now.
pub(crate) fn new_delivery(conversion: &Conversion, event: Event, uuid: Uuid, now: Timestamp) -> Delivery {
    let from = conversion.click_time.unwrap_or(conversion.recorded_at);
    Delivery {
        id: DeliveryId::new(uuid, conversion.lane.shard()),
        conversion: conversion.id,
        account: conversion.account.clone(),
        lane: conversion.lane,
        event,
        state: DeliveryState::Pending,
        attempts: Vec::new(),
        started_at: None,
        remote_id: None,
        created_at: now,
        updated_at: now,
        due_at: Some(now),
        expires_at: from.saturating_add(CLICK_LIFE).unwrap_or(Timestamp::MAX),
    }
}

/// Whether a source can still bring a conversion.
pub(crate) fn live(by: &SourceBy, resolved: &Resolved, now: Timestamp) -> Result<()> {
    match resolved.click() {
        Some(click) if click.is_expired(now) => Err(within("source", clicks::expired(&click).at(by.field()))),
        _ => Ok(()),
    }
}
