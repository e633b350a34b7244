//! Capturing a click: for the edge, which must never wait long, and for callers, who want the store's word.

use std::sync::Arc;

use jiff::Timestamp;
use postback_core::{
    Account, Click, ClickId, ClickRef, ClickToken, Error, LandingQuery, NoClick, Result, TokenClaims,
};
use tokio::time::timeout;

use crate::{
    Campaign, Captured, Filling, Hub, Landing, Visit,
    counts::Counts,
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
                counts.lose(arrival.campaign, *reason, visit.flags, now);
                return Ok(arrival.lost(&visit, *reason));
            }
        };
        let mine = self.record_of(&arrival, &visit, id, now);
        let (kept, what) = self.keep(mine, arrival.campaign, &counts).await;
        self.count(arrival.campaign, &counts, &kept.click, what);
        self.landing(&arrival, &visit, kept.click.clone())
    }

    /// Counts what became of a captured click.
    fn count(&self, campaign: &Campaign, counts: &Counts, click: &ClickRef, what: Capture) {
        counts.capture(&campaign.id, what);
        if what != Capture::Repeated {
            self.inner.journal.see(&campaign.id, click);
        }
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
            counts.lose(arrival.campaign, *reason, visit.flags, now);
            no_click(*reason, arrival.parameter)
        })?;
        let waiting = self.inner.buffer.get(&arrival.account.id, id);
        let known = waiting.is_some();
        let mine = waiting.unwrap_or_else(|| self.record_of(&arrival, &visit, id, now));
        let captured_at = mine.click.captured_at;
        let click = self.inner.clicks.capture(mine, arrival.campaign.find_by_ip).await?;
        let already = known || click.click.captured_at != captured_at;
        let what = if already { Capture::Repeated } else { Capture::Stored };
        self.count(arrival.campaign, &counts, &click.click, what);
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
    async fn keep(&self, mine: Arc<Click>, campaign: &Campaign, counts: &Counts) -> (Arc<Click>, Capture) {
        let inner = &self.inner;
        if let Some(waiting) = inner.buffer.get(&mine.click.account, &mine.click.id) {
            return (waiting, Capture::Repeated);
        }
        if inner.buffer.is_away() {
            return self.buffered(mine, campaign);
        }
        let pending = Pending { hub: self, click: Some(Arc::clone(&mine)), campaign, counts };
        let capture = inner.clicks.capture(Arc::clone(&mine), campaign.find_by_ip);
        let captured = timeout(inner.settings.capture_deadline, capture).await;
        pending.settled();
        match captured {
            Ok(Ok(kept)) => {
                let what = if again(&kept, &mine) { Capture::Repeated } else { Capture::Stored };
                (kept, what)
            }
            Ok(Err(error)) if !error.is_passing() => {
                drop_refused(&mine.click, &error);
                (mine, Capture::Dropped)
            }
            Ok(Err(_)) | Err(_) => {
                let buffered = self.buffered(mine, campaign);
                inner.buffer.away();
                buffered
            }
        }
    }

    fn buffered(&self, mine: Arc<Click>, campaign: &Campaign) -> (Arc<Click>, Capture) {
        let kept = self.inner.buffer.keep(Arc::clone(&mine), campaign.find_by_ip);
        let what = if again(&kept, &mine) { Capture::Repeated } else { Capture::Buffered };
        (kept, what)
    }
}

/// Whether the click had been captured before.
fn again(kept: &Click, mine: &Click) -> bool {
    kept.click.captured_at != mine.click.captured_at
}

/// A record on its way to the store. Where the visitor hangs up and the wait for the store is abandoned, it goes to the
/// buffer and is counted.
struct Pending<'a> {
    hub: &'a Hub,
    click: Option<Arc<Click>>,
    campaign: &'a Campaign,
    counts: &'a Counts,
}

impl Pending<'_> {
    fn settled(mut self) {
        self.click = None;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(click) = self.click.take() {
            let (kept, what) = self.hub.buffered(click, self.campaign);
            self.hub.count(self.campaign, self.counts, &kept.click, what);
        }
    }
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
