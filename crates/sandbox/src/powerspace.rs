//! Powerspace: leads at `/ld`, orders at `/ord`, judged by the HTTP status alone.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    Booking, IssueClicks, Kind, Meant, SandboxError,
    call::Call,
    click_book::{ClickBook, NoClick},
    clock,
    params::Params,
    reply::{Outcome, Reply},
};

/// The clicks that Powerspace knows at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PowerspaceSeed {
    /// Clicked when the sandbox begins.
    clicks: Vec<String>,
    /// For development: they never expire.
    test_clicks: Vec<String>,
    /// Clicked too long ago.
    expired: Vec<String>,
}

pub(crate) struct Powerspace {
    clicks: ClickBook<String, ()>,
    rng: fastrand::Rng,
}

impl Powerspace {
    pub(crate) fn new(
        seed: &PowerspaceSeed,
        life: SignedDuration,
        now: Timestamp,
        rng: fastrand::Rng,
    ) -> Result<Self, SandboxError> {
        let mut clicks = ClickBook::new(life);
        let past = clock::before(now, life + SignedDuration::from_secs(1));
        let living = seed.clicks.iter().map(|id| (id, Some(now)));
        let test = seed.test_clicks.iter().map(|id| (id, None));
        let expired = seed.expired.iter().map(|id| (id, Some(past)));
        for (id, at) in living.chain(test).chain(expired) {
            clicks.issue(checked(id)?, (), at, now)?;
        }
        Ok(Self { clicks, rng })
    }

    pub(crate) fn issue(
        &mut self,
        order: &IssueClicks,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<String>, SandboxError> {
        let rng = &mut self.rng;
        let ids = order.ids_or(|| (0..24).map(|_| rng.alphanumeric()).collect())?;
        for id in &ids {
            self.clicks.issue(checked(id)?, (), Some(at), now)?;
        }
        Ok(ids)
    }

    pub(crate) fn answer(&mut self, call: &Call, now: Timestamp) -> Outcome {
        if call.method != Method::GET {
            return Outcome::refused(Reply::only("GET"), "the method is not GET");
        }
        let params = Params::new(&call.query);
        let (kind, documented): (_, &[&str]) =
            if call.path == "/ord" { (Kind::Order, &["qci", "ov"]) } else { (Kind::Lead, &["qci"]) };
        let outcome = match self.book(kind, &params, now) {
            Ok(booking) => Outcome::new(Reply::text(StatusCode::OK, "OK"), Meant::Counted(booking)),
            Err((status, why)) => Outcome::refused(Reply::text(status, why), why),
        };
        let mut remarks = params.remarks(&[documented]);
        if kind == Kind::Order && params.get("ov").is_none() {
            remarks.push("the order has no value: `ov` is strongly recommended".to_owned());
        }
        outcome.remarking(remarks)
    }

    fn book(&mut self, kind: Kind, params: &Params<'_>, now: Timestamp) -> Result<Booking, Refused> {
        let bad = |why| (StatusCode::BAD_REQUEST, why);
        let click = params.given("qci").ok_or(bad("the click id is missing"))?;
        if !is_click(click) {
            return Err(bad("the click id is invalid"));
        }
        let value = if kind == Kind::Order { params.get("ov") } else { None };
        if value.is_some_and(|value| !is_decimal(value)) {
            return Err(bad("ov is not a decimal such as 49.99"));
        }
        let absent = |no: NoClick| (StatusCode::NOT_FOUND, no.why());
        self.clicks.living(click, now).map_err(absent)?;
        Ok(Booking {
            kind,
            click: Some(click.to_owned()),
            value: value.map(str::to_owned),
            ..Booking::default()
        })
    }
}

type Refused = (StatusCode, &'static str);

/// Ids are opaque: any text of up to 512 bytes without control characters.
fn is_click(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 512
        && !id.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

fn checked(id: &str) -> Result<String, SandboxError> {
    if is_click(id) {
        return Ok(id.to_owned());
    }
    Err(SandboxError::invalid("ids", "want 1 to 512 bytes without control characters"))
}

fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_5_an_order_value_is_a_decimal_and_nothing_else() {
        for value in ["49.99", "125.50", "0", "4999", "0.0"] {
            assert!(is_decimal(value), "{value}");
        }
        for value in ["", ".", "1.", ".5", "-1", "+1", "1e3", "49,99", "1.2.3", " 1", "NaN", "€5", "١"] {
            assert!(!is_decimal(value), "{value}");
        }
    }
}
