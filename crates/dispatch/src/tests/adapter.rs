//! A network that no one has heard of: its calls, its answers, and a secret to look for.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use postback_core::{
    Adapter, Call, ClickId, Error, LandingQuery, NoClick, OnAmbiguous, Postback, Reason, Repeat, Result,
    Source, Verdict, by_status,
};

/// In every call, and nowhere else.
pub(super) const CANARY: &str = "canary-5f3a";

pub(super) const HOLD: Repeat = Repeat::Unkeyed(OnAmbiguous::Hold);
pub(super) const RESEND: Repeat = Repeat::Unkeyed(OnAmbiguous::Resend);

pub(super) fn keyed() -> Repeat {
    Repeat::Keyed("k".to_owned())
}

#[derive(Debug)]
pub(super) struct TestAdapter {
    pub(super) base: String,
    pub(super) repeat: Repeat,
}

impl Adapter for TestAdapter {
    fn network(&self) -> &'static str {
        "testnet"
    }

    fn click_parameter(&self) -> &'static str {
        "click"
    }

    fn click_id(&self, _: &LandingQuery<'_>, _: &str) -> Result<ClickId, NoClick> {
        Err(NoClick::Missing)
    }

    fn link_query(&self, _: &str) -> String {
        String::new()
    }

    /// Refuses the click `refused`, and has a defect at the click `defect`.
    fn call(&self, postback: &Postback<'_>) -> Result<Call> {
        let Source::Click(click) = &postback.conversion.source else {
            return Err(Error::invalid("source", "is not a click"));
        };
        match click.as_str() {
            "refused" => return Err(Error::invalid("value", "is above 200").because("PRICE_TOO_HIGH")),
            "defect" => panic!("a defect in the adapter"),
            _ => {}
        }
        let url = |key: &str| format!("{}/convert?click={click}&key={key}", self.base);
        Ok(Call {
            request: Request::get(url(CANARY)).body(Bytes::new()).unwrap(),
            shown: format!("GET {}", url("***")),
            repeat: self.repeat.clone(),
            warnings: Vec::new(),
        })
    }

    fn private<'a>(&'a self, _: &Postback<'a>) -> Vec<&'a str> {
        vec![CANARY]
    }

    /// 200 is taken unless its body is `?`; 400 is refused, 422 in the network's own words; the rest as on every
    /// network.
    fn verdict(&self, _: &Postback<'_>, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
        match (answer.status(), answer.body().as_ref()) {
            (StatusCode::OK, b"?") => Verdict::Unreadable { reason: Reason::new("odd", "not an answer") },
            (StatusCode::OK, body) => Verdict::Accepted { remote_id: Some(format!("{} bytes", body.len())) },
            (StatusCode::BAD_REQUEST, _) => {
                Verdict::Rejected { reason: Reason::new("bad_click", "unknown click") }
            }
            (StatusCode::UNPROCESSABLE_ENTITY, body) => {
                let words = String::from_utf8_lossy(body);
                Verdict::Rejected { reason: Reason::new("in_its_words", words) }
            }
            _ => by_status(answer, now).unwrap_or(Verdict::Unreadable { reason: Reason::new("odd", "?") }),
        }
    }
}
