//! Capturing a click: for the edge, which must never wait long, and for callers, who want the store's word.

use std::sync::Arc;

use jiff::Timestamp;
use postback_core::{
    Account, Click, ClickId, ClickRef, ClickToken, Error, ErrorKind, LandingQuery, NoClick, Result,
    TokenClaims,
};
use tokio::time::timeout;

use crate::{
    Campaign, Captured, Filling, Hub, Landing, Visit,
    buffer::Buffer,
    hub::State,
    meters::{self, Capture, Dropped},
};

/// The longest landing query that a caller may hand in, in bytes.
const QUERY: usize = 16 * 1_024;

/// A visit, with what the config says of its campaign.
struct Arrival<'a> {
    campaign: &'a Campaign,
    account: &'a Account,
    parameter: &'a str,
    query: LandingQuery<'a>,
    click: Result<ClickId, NoClick>,
}

impl<'a> Arrival<'a> {
    fn of(state: &'a State, visit: &Visit<'a>) -> Result<Self> {
        let campaign = state.registry.campaign(visit.campaign)?;
        let account = state.registry.account(&campaign.account)?;
        let query = visit.landing_query();
        let parameter = campaign.parameter.as_deref().unwrap_or(account.adapter.click_parameter());
        let click = account.adapter.click_id(&query, parameter);
        Ok(Self { campaign, account, parameter, query, click })
    }

    fn click(&self, id: &ClickId, captured_at: Timestamp) -> ClickRef {
        ClickRef { account: self.account.id.clone(), id: id.clone(), captured_at }
    }

    fn location(&self, visit: &Visit<'_>, token: Option<&ClickToken>) -> String {
        self.campaign.landing.fill(&Filling {
            token,
            click: self.click.as_ref().ok(),
            campaign: &self.campaign.id,
            query: self.query,
            country: visit.country(),
            device: visit.device(),
        })
    }

    fn lost(&self, visit: &Visit<'_>, reason: NoClick) -> Landing {
        Landing { location: self.location(visit, None), token: None, click: None, lost: Some(reason) }
    }
}

impl Hub {
    /// Captures a click as the edge must: waits for the store up to the deadline, and not at all while it is known
    /// to be away; then the record waits in the buffer. A visit without a click id is sent on all the same.
    ///
    /// # Errors
    /// `NotFound` for an unknown campaign; never for a store's sake.
    pub async fn land(&self, visit: Visit<'_>) -> Result<Landing> {
        let state = self.state();
        let arrival = Arrival::of(&state, &visit)?;
        let counts = state.counts(arrival.campaign);
        let now = self.inner.clock.now();
        let id = match &arrival.click {
            Ok(id) => id,
            Err(reason) => {
                counts.lose(arrival.campaign, *reason, now);
                return Ok(arrival.lost(&visit, *reason));
            }
        };
        let mine = self.record_of(&arrival, &visit, id, now);
        let (kept, what) = self.keep(mine, arrival.campaign.find_by_ip).await;
        let click = kept.click.clone();
        counts.capture(&arrival.campaign.id, what);
        if what != Capture::Repeated {
            self.inner.journal.see(&arrival.campaign.id, &click);
        }
        self.landing(&arrival, &visit, click)
    }

    /// Answers as [`Hub::land`] does, and neither stores nor counts anything: for HEAD.
    ///
    /// # Errors
    /// `NotFound` for an unknown campaign.
    pub fn peek(&self, visit: &Visit<'_>) -> Result<Landing> {
        let state = self.state();
        let arrival = Arrival::of(&state, visit)?;
        match &arrival.click {
            Ok(id) => {
                let waiting = self.inner.buffer.get(&arrival.account.id, id).map(|click| click.click.clone());
                let click = waiting.unwrap_or_else(|| arrival.click(id, self.inner.clock.now()));
                self.landing(&arrival, visit, click)
            }
            Err(reason) => Ok(arrival.lost(visit, *reason)),
        }
    }

    /// Captures a click for a caller, who gets the store's acknowledgement or an error.
    ///
    /// # Errors
    /// `NotFound` for an unknown campaign; `InvalidArgument` at `query` for one without a click id; `Unavailable`
    /// where the store is away.
    pub async fn capture(&self, visit: Visit<'_>) -> Result<Captured> {
        check(&visit)?;
        let state = self.state();
        let arrival = Arrival::of(&state, &visit)?;
        let counts = state.counts(arrival.campaign);
        let now = self.inner.clock.now();
        let id = arrival.click.as_ref().map_err(|reason| {
            counts.lose(arrival.campaign, *reason, now);
            no_click(*reason, arrival.parameter)
        })?;
        let waiting = self.inner.buffer.get(&arrival.account.id, id);
        let known = waiting.is_some();
        let mine = waiting.unwrap_or_else(|| self.record_of(&arrival, &visit, id, now));
        let captured_at = mine.click.captured_at;
        let click = self.inner.clicks.capture(mine, arrival.campaign.find_by_ip).await?;
        let already = known || click.click.captured_at != captured_at;
        counts.capture(&arrival.campaign.id, if already { Capture::Repeated } else { Capture::Stored });
        if !already {
            self.inner.journal.see(&arrival.campaign.id, &click.click);
        }
        self.captured(&arrival, &visit, click, already)
    }

    /// What [`Hub::capture`] would return for this visit: the click that is kept, or the one that would be. Nothing is
    /// stored or counted.
    ///
    /// # Errors
    /// As [`Hub::capture`].
    pub async fn preview(&self, visit: Visit<'_>) -> Result<Captured> {
        check(&visit)?;
        let state = self.state();
        let arrival = Arrival::of(&state, &visit)?;
        let id = arrival.click.as_ref().map_err(|reason| no_click(*reason, arrival.parameter))?;
        let kept = self.known(&arrival.account.id, id).await?;
        let already = kept.is_some();
        let now = self.inner.clock.now();
        let click = kept.map_or_else(|| self.record_of(&arrival, &visit, id, now), Arc::new);
        self.captured(&arrival, &visit, click, already)
    }

    fn captured(
        &self,
        arrival: &Arrival<'_>,
        visit: &Visit<'_>,
        click: Arc<Click>,
        already: bool,
    ) -> Result<Captured> {
        let token = self.token(&click.click)?;
        Ok(Captured { location: arrival.location(visit, Some(&token)), click, token, already })
    }

    /// The token of a click: the same each time, until the deployment's key is rotated.
    ///
    /// # Errors
    /// `InvalidArgument` for a click captured outside the years 1970 to 2106.
    pub fn token(&self, click: &ClickRef) -> Result<ClickToken> {
        let claims =
            TokenClaims::new(self.registry().tag(&click.account), click.id.clone(), click.captured_at);
        ClickToken::seal(&claims, &self.inner.keyring)
    }

    fn landing(&self, arrival: &Arrival<'_>, visit: &Visit<'_>, click: ClickRef) -> Result<Landing> {
        let token = self.token(&click)?;
        let location = arrival.location(visit, Some(&token));
        Ok(Landing { location, token: Some(token), click: Some(click), lost: None })
    }

    fn record_of(
        &self,
        arrival: &Arrival<'_>,
        visit: &Visit<'_>,
        id: &ClickId,
        now: Timestamp,
    ) -> Arc<Click> {
        let click = arrival.click(id, self.inner.mint.moment(now));
        Arc::new(visit.record(click, &arrival.campaign.id, arrival.parameter, &self.inner.keyring))
    }

    /// Brings a record to the store within the deadline, or leaves it in the buffer.
    async fn keep(&self, mine: Arc<Click>, findable: bool) -> (Arc<Click>, Capture) {
        let inner = &self.inner;
        let again = |kept: &Click| kept.click.captured_at != mine.click.captured_at;
        if let Some(waiting) = inner.buffer.get(&mine.click.account, &mine.click.id) {
            return (waiting, Capture::Repeated);
        }
        if inner.buffer.is_away() {
            let kept = inner.buffer.keep(Arc::clone(&mine), findable);
            let what = if again(&kept) { Capture::Repeated } else { Capture::Buffered };
            return (kept, what);
        }
        let pending = Pending { buffer: &inner.buffer, click: Some(Arc::clone(&mine)), findable };
        let capture = inner.clicks.capture(Arc::clone(&mine), findable);
        match timeout(inner.settings.capture_deadline, capture).await {
            Ok(Ok(kept)) => {
                pending.settled();
                let what = if again(&kept) { Capture::Repeated } else { Capture::Stored };
                (kept, what)
            }
            Ok(Err(error)) if !is_for_later(&error) => {
                pending.settled();
                drop_refused(&mine.click, &error);
                (mine, Capture::Dropped)
            }
            Ok(Err(_)) | Err(_) => {
                drop(pending);
                inner.buffer.away();
                (mine, Capture::Buffered)
            }
        }
    }
}

/// A record on its way to the store: unless it is settled it goes to the buffer, also where the visitor hangs up
/// and the wait for the store is abandoned.
struct Pending<'a> {
    buffer: &'a Buffer,
    click: Option<Arc<Click>>,
    findable: bool,
}

impl Pending<'_> {
    fn settled(mut self) {
        self.click = None;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(click) = self.click.take() {
            self.buffer.keep(click, self.findable);
        }
    }
}

/// Whether the store may take the record later.
pub(crate) fn is_for_later(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::ResourceExhausted)
}

/// Counts a record that the store will never take. Its token still attributes.
pub(crate) fn drop_refused(click: &ClickRef, error: &Error) {
    meters::dropped(Dropped::Refused);
    tracing::error!(account = %click.account, %error, "the click store refused a click's record");
}

fn check(visit: &Visit<'_>) -> Result<()> {
    if visit.query.len() > QUERY {
        return Err(Error::invalid("query", format!("is longer than {QUERY} bytes")));
    }
    Ok(())
}

fn no_click(reason: NoClick, parameter: &str) -> Error {
    let (code, what) = match reason {
        NoClick::Missing => ("MISSING", "is not there"),
        NoClick::Empty => ("MISSING", "is empty"),
        NoClick::Macro => ("UNREPLACED_MACRO", "is a macro that the network did not replace"),
        NoClick::Malformed => ("MALFORMED_CLICK_ID", "is not of the form that the network's click ids have"),
    };
    Error::invalid("query", format!("has no click id: `{parameter}` {what}")).because(code)
}
