//! Recording a conversion: resolved, checked, rendered, and made durable with its first delivery.

use jiff::Timestamp;
use postback_core::{
    CLICK_LIFE, Click, Conversion, ConversionId, ConversionKey, Delivery, DeliveryId, DeliveryState, Details,
    Error, ErrorKind, Event, Fingerprint, Kind, LaneId, RequestId, Result, Series, is_life_over,
    ports::{ConversionFilter, Page, Recorded, RequestKey, Story},
};
use tracing::{Instrument, Span, field::Empty, info_span};

use crate::{
    Hub, Rendered, SourceBy,
    clicks::expired,
    fingerprint::Said,
    limits::{PAGE, SKEW},
    render::in_report,
    settle::{OwnKey, Settled, Unsettled},
};

/// A conversion as a caller reports it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it comes from.
    pub source: SourceBy,
    /// What is told of it.
    pub details: Details,
    /// When it happened; now by default.
    pub occurred_at: Option<Timestamp>,
    /// The caller's id of this request: a repeat brings the first answer again; see [`Hub::record`].
    pub request_id: Option<RequestId>,
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
    /// Renders the call of a conversion and records nothing.
    ///
    /// # Errors
    /// As [`Hub::record`], but conflicts with what was recorded may go unseen.
    pub async fn validate(&self, report: &Report) -> Result<Rendered> {
        let now = self.inner.clock.now();
        let draft = self.draft(report, now).await?;
        self.made(report, draft, now).map(|(_, rendered)| rendered)
    }

    /// Records a conversion. `Ok` means that it and its delivery are durable.
    ///
    /// A repeat changes nothing and brings the first one's ids: one with the same request id, or one with the same
    /// transaction id of the same source, kind and goal. Past the click's life it does where it names its click by
    /// token; others may be refused. A user's transaction stays with the click that it was first attributed to.
    ///
    /// # Errors
    /// `InvalidArgument` at the field that is wrong, be it by the network's rules; `NotFound` for a click, user or
    /// account that is not known; `FailedPrecondition` with reason `CLICK_EXPIRED` for a click past its life, or
    /// where the network takes no such thing; `AlreadyExists` for a known request or transaction id with other
    /// content, or at a field whose value is another conversion's key at the network, or was a refused report's;
    /// `Unavailable` where a store is away, or would lose the conversion.
    pub async fn record(&self, report: &Report) -> Result<RecordedConversion> {
        let span = info_span!("record", account = Empty, conversion = Empty, delivery = Empty);
        let recorded = self.take(report).instrument(span).await;
        if let Err(error) = &recorded {
            self.refused(Some(&report.source), error);
        }
        recorded
    }

    async fn take(&self, report: &Report) -> Result<RecordedConversion> {
        self.assured().await?;
        let now = self.inner.clock.now();
        let draft = self.draft(report, now).await?;
        if report.request_id.is_some() || matches!(report.source, SourceBy::User { .. }) {
            return Box::pin(self.take_settled(report, draft, now)).await;
        }
        match self.made(report, draft.clone(), now) {
            Ok((made, rendered)) => self.put(report, made, rendered, now).await,
            Err(refused) if report.details.transaction_id.is_none() => Err(refused),
            Err(refused) => Box::pin(self.taken_before(report, draft, refused)).await,
        }
    }

    /// Takes a report that may be a repeat, or of whose clicks one was chosen before.
    async fn take_settled(
        &self,
        report: &Report,
        draft: Settled,
        now: Timestamp,
    ) -> Result<RecordedConversion> {
        if let Err(refused) = self.made(report, draft.clone(), now) {
            return self.taken_before(report, draft, refused).await;
        }
        let settled = self.settle_report(report, draft, Unsettled::Reserve).await?;
        let (made, rendered) = self.made(report, settled, now)?;
        self.put(report, made, rendered, now).await
    }

    /// What a report makes, and the call that tells it.
    fn made(&self, report: &Report, settled: Settled, now: Timestamp) -> Result<(Conversion, Rendered)> {
        live(&report.source, &settled, now)?;
        let made = conversion(report, settled, now);
        let rendered = self.render(&made, &Event::Created, in_report)?;
        Ok((made, rendered))
    }

    /// Checks a report and finds out its source: of a user the click that it was settled on before, where it was.
    async fn draft(&self, report: &Report, now: Timestamp) -> Result<Settled> {
        check(&report.details)?;
        let occurred_at = report.occurred_at.unwrap_or(now);
        if occurred_at.duration_since(now) > SKEW {
            return Err(Error::invalid("occur_time", format!("`{occurred_at}` is in the future")));
        }
        let resolved = self.find_source(&report.source, occurred_at, "source").await?;
        let captured_at = resolved.click_time.unwrap_or(Timestamp::MIN);
        if captured_at.duration_since(occurred_at) > SKEW {
            let message = format!("`{occurred_at}` is before its click, which came at {captured_at:.0}");
            return Err(Error::invalid("occur_time", message));
        }
        let draft = Settled { resolved, uuid: self.inner.mint.uuid(now), at: now };
        match report.source {
            SourceBy::User { .. } => Box::pin(self.settle_report(report, draft, Unsettled::Leave)).await,
            _ => Ok(draft),
        }
    }

    async fn settle_report(&self, report: &Report, mine: Settled, unsettled: Unsettled) -> Result<Settled> {
        let details = &report.details;
        let transaction = details.transaction_id.as_ref();
        let mut settled = mine;
        if let Some(request) = &report.request_id {
            let account = report.source.account_said(&settled.resolved);
            let key = RequestKey::of(&["record", account, request.as_str()]);
            let said = Said::of_conversion(details, report.occurred_at)
                .by_source(&report.source, Some(&settled.resolved));
            settled = self.settle(key, said.fingerprint(), settled, transaction, unsettled).await?;
        }
        if let Some(transaction) = transaction {
            let key = (details.kind, details.goal.as_ref(), transaction);
            settled = self.settle_attribution(&report.source, key, settled, unsettled).await?;
        }
        Ok(settled)
    }

    /// Records what is made of a report. Nothing of it is held on to while the store is at work.
    fn put<'a>(
        &'a self,
        report: &Report,
        conversion: Conversion,
        rendered: Rendered,
        now: Timestamp,
    ) -> impl Future<Output = Result<RecordedConversion>> + Send + use<'a> {
        let content = Said::of_conversion(&report.details, report.occurred_at).fingerprint();
        let own_key = rendered.own_key.as_ref().map(|field| OwnKey::of(&conversion, field, content));
        let told = Box::new((self.delivery_of(&conversion, Event::Created, now), conversion));
        async move {
            let store = async move |hub: Self| {
                if let Some(own_key) = own_key {
                    Box::pin(hub.take_key(own_key)).await?;
                }
                hub.store(told, content, now).await
            };
            let recorded = self.finish(store).await?;
            let span = Span::current();
            span.record("conversion", tracing::field::display(recorded.conversion));
            span.record("delivery", tracing::field::display(recorded.delivery));
            Ok(RecordedConversion {
                conversion: recorded.conversion,
                delivery: recorded.delivery,
                already: !recorded.fresh,
                rendered,
            })
        }
    }

    /// Makes a conversion durable with its delivery, and counts it.
    async fn store(
        &self,
        told: Box<(Delivery, Conversion)>,
        content: Fingerprint,
        now: Timestamp,
    ) -> Result<Recorded> {
        let (account, kind) = (told.1.account.clone(), told.1.details.kind);
        let recording = {
            let (delivery, conversion) = *told;
            self.inner.outbox.record(conversion, delivery, content)
        };
        let recorded = recording.await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => error.at("details.transaction_id"),
            _ => error,
        })?;
        self.state().count_conversion(&account, kind, recorded.fresh);
        Span::current().record("account", account.as_str());
        if recorded.fresh {
            self.inner.wake.notify_one();
            tracing::debug!(%account, %kind, conversion = %recorded.conversion, "a conversion is recorded");
            self.inner.tally.count(now, Series::Conversions(account), 1);
        }
        Ok(recorded)
    }

    /// The first answer to a report that would be refused now: its click's life has ended since, or its account was set
    /// otherwise. Or else why it is refused.
    async fn taken_before(
        &self,
        report: &Report,
        draft: Settled,
        refused: Error,
    ) -> Result<RecordedConversion> {
        let settled = self.settle_report(report, draft, Unsettled::Leave).await?;
        let at = settled.at;
        let made = conversion(report, settled, at);
        if !self.is_recorded(&made).await? {
            return Err(refused);
        }
        let rendered = self.render(&made, &Event::Created, in_report).unwrap_or_else(Rendered::no_more);
        self.put(report, made, rendered, at).await
    }

    /// Whether a conversion was recorded before, by its id or its key.
    async fn is_recorded(&self, made: &Conversion) -> Result<bool> {
        if self.inner.outbox.story(made.id).await?.is_some() {
            return Ok(true);
        }
        match made.key() {
            Some(key) => self.is_key_recorded(made.lane, key).await,
            None => Ok(false),
        }
    }

    /// Whether a conversion of this key is recorded in a lane.
    pub(crate) async fn is_key_recorded(&self, lane: LaneId, key: ConversionKey) -> Result<bool> {
        let filter = ConversionFilter { lane: Some(lane), ..ConversionFilter::default() };
        let mut after = None;
        loop {
            let page = self.inner.outbox.conversions(&filter, PAGE, after).await?;
            if page.items.iter().any(|recorded| recorded.key() == Some(key)) {
                return Ok(true);
            }
            after = page.next;
            if after.is_none() {
                return Ok(false);
            }
        }
    }

    /// A delivery of a conversion, due at once.
    pub(crate) fn delivery_of(&self, conversion: &Conversion, event: Event, now: Timestamp) -> Delivery {
        Delivery {
            id: DeliveryId::new(self.inner.mint.uuid(now), conversion.lane.shard()),
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
            due_at: None,
            expires_at: expires_at(conversion),
            trace: postback_traces::current(),
        }
    }

    /// A conversion with everything that was told of it, and its click while that is kept and at hand.
    ///
    /// # Errors
    /// `NotFound` at `conversion_id`.
    pub async fn story(&self, id: ConversionId) -> Result<(Story, Option<Click>)> {
        let story = self.inner.outbox.story(id).await?.ok_or_else(|| unknown(id))?;
        let click = match &story.conversion.source {
            postback_core::Source::Click(click) => self.glance(&story.conversion.account, click).await,
            _ => None,
        };
        Ok((story, click))
    }

    /// Lists conversions, the latest first: at most 1,000 at once.
    ///
    /// # Errors
    /// The store's own.
    pub async fn conversions(
        &self,
        filter: ConversionFilter,
        limit: usize,
        after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        self.inner.outbox.conversions(&filter, limit.clamp(1, PAGE), after).await
    }
}

/// A conversion that is not kept.
pub(crate) fn unknown(id: ConversionId) -> Error {
    Error::not_found("UNKNOWN_CONVERSION", format!("`{id}` is not a conversion of this hub"))
        .at("conversion_id")
}

/// When a conversion's deliveries end: with its click's life; a flow's lead lives as long from its recording.
pub(crate) fn expires_at(conversion: &Conversion) -> Timestamp {
    let from = conversion.click_time.unwrap_or(conversion.recorded_at);
    from.saturating_add(CLICK_LIFE).unwrap_or(Timestamp::MAX)
}

/// Refuses a click whose life is over.
fn live(by: &SourceBy, settled: &Settled, now: Timestamp) -> Result<()> {
    let resolved = &settled.resolved;
    match resolved.click_time.filter(|at| is_life_over(*at, now)).and_then(|_| resolved.click()) {
        Some(click) => Err(expired(&click).at(format!("source.{}", by.field()))),
        None => Ok(()),
    }
}

/// The conversion that a report makes.
fn conversion(report: &Report, settled: Settled, now: Timestamp) -> Conversion {
    let transaction = report.details.transaction_id.as_ref();
    let lane: LaneId = settled.lane(transaction);
    let resolved = settled.resolved;
    Conversion {
        id: ConversionId::new(settled.uuid, lane.shard()),
        account: resolved.account,
        campaign: resolved.campaign,
        source: resolved.source,
        click_time: resolved.click_time,
        user: resolved.user,
        request_id: report.request_id.clone(),
        lane,
        details: report.details.clone(),
        occurred_at: report.occurred_at.unwrap_or(settled.at.min(now)),
        recorded_at: now,
    }
}

/// Checks what holds on every network.
fn check(details: &Details) -> Result<()> {
    if details.kind == Kind::Goal && details.goal.is_none() {
        return Err(Error::invalid("details.goal", "is missing; a goal has a name").because("MISSING"));
    }
    let mut rest = details.value;
    for (field, part) in [("details.shipping", details.shipping), ("details.tax", details.tax)] {
        let Some(part) = part else { continue };
        let Some(whole) = rest else {
            return Err(Error::invalid(field, "is a part of the value; want details.value with it"));
        };
        rest = Some(whole.less(field, part)?);
    }
    Ok(())
}
