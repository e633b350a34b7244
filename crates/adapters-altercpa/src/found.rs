//! What a look-up's answer says. What has no name here, or not the form that it should have, is kept as JSON.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use postback_core::{
    Error, ErrorKind, Found, FoundClick, FoundFlow, FoundOffer, LookUp, Result, Utm, Verdict, by_status,
    client::answered_at, quoted,
};
use serde_json::{Map, Value};

use crate::{
    answer::{Said, number},
    look_up::no_offer,
};

/// Reads the answer to what was asked.
pub(crate) fn found(ask: &LookUp, answer: &Response<Bytes>) -> Result<Found> {
    match ask {
        LookUp::Click { .. } => click(answer).map(Found::Click),
        LookUp::Flow(_) => flow(answer).map(Found::Flow),
        LookUp::Offer(_) => offer(answer).map(Found::Offer),
    }
}

/// A click (AC-14).
pub(crate) fn click(answer: &Response<Bytes>) -> Result<FoundClick> {
    let mut read = Reader::new(answer)?;
    Ok(FoundClick {
        click: read.text("click").ok_or_else(|| unreadable("has no click"))?,
        offer: read.number("offer"),
        site: read.number("site"),
        flow: read.number("flow"),
        country: read.text("geo"),
        ip: read.text("ip"),
        time: read.time("time"),
        utm: read.utm(),
        more: read.rest(),
    })
}

/// A flow (AC-15).
pub(crate) fn flow(answer: &Response<Bytes>) -> Result<FoundFlow> {
    const PIXELS: [&str; 9] = ["fb", "fbe", "ga", "gad", "tt", "lki", "vk", "mt", "mtrk"];
    let mut read = Reader::new(answer)?;
    Ok(FoundFlow {
        id: read.id()?,
        code: read.text("code"),
        link: read.text("link"),
        offer: read.number("offer"),
        site: read.number("site"),
        space: read.number("space"),
        pixels: PIXELS.iter().filter_map(|&name| Some((name.into(), read.text(name)?))).collect(),
        utm: read.utm(),
        more: read.rest(),
    })
}

/// An offer (AC-16).
pub(crate) fn offer(answer: &Response<Bytes>) -> Result<FoundOffer> {
    let mut read = Reader::new(answer)?;
    Ok(FoundOffer {
        id: read.id()?,
        name: read.text("name"),
        countries: read.texts("geo"),
        parameters: read.array("param"),
        prices: read.array("price"),
        sites: read.array("site"),
        more: read.rest(),
    })
}

/// The fields of an answer; each is taken out by whoever understands it.
struct Reader(Map<String, Value>);

impl Reader {
    fn new(answer: &Response<Bytes>) -> Result<Self> {
        let success = answer.status().is_success();
        match Said::read(answer.body()) {
            Some(Said::Ok(mut fields)) if success => {
                fields.retain(|_, value| !value.is_null());
                Ok(Self(fields))
            }
            Some(Said::Error { code, .. }) => Err(refused(&code)
                .unwrap_or_else(|| if success { undocumented(&code) } else { without_words(answer) })),
            _ => Err(without_words(answer)),
        }
    }

    fn id(&mut self) -> Result<u64> {
        self.number("id").ok_or_else(|| unreadable("has no numeric id"))
    }

    /// Takes a field where `read` understands it; nothing and the empty string are absent.
    fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.0.get(name)?;
        let taken = read(value);
        if taken.is_some() || value.as_str() == Some("") {
            self.0.remove(name);
        }
        taken
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.take(name, number)
    }

    fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.take(name, |value| Timestamp::from_second(number(value)?.try_into().ok()?).ok())
    }

    /// A string, or a number as one.
    fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, text)
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        self.take(name, |value| value.as_array()?.iter().map(text).collect()).unwrap_or_default()
    }

    /// The members of an array, each as JSON.
    fn array(&mut self, name: &str) -> Vec<String> {
        let members = |value: &Value| Some(value.as_array()?.iter().map(Value::to_string).collect());
        self.take(name, members).unwrap_or_default()
    }

    fn utm(&mut self) -> Utm {
        Utm {
            source: self.text("utms"),
            medium: self.text("utmm"),
            campaign: self.text("utmc"),
            term: self.text("utmt"),
            content: self.text("utmn"),
        }
    }

    fn rest(self) -> BTreeMap<String, String> {
        self.0.into_iter().map(|(name, value)| (name, value.to_string())).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a documented code means; `None` for any other.
fn refused(code: &str) -> Option<Error> {
    Some(match code {
        "auth" => Error::precondition("NETWORK_AUTH", "the network does not know the account's token"),
        "no-click" => Error::not_found("NETWORK_CLICK_NOT_FOUND", "the network knows no such click"),
        "no-id" | "bad-id" => Error::not_found("NETWORK_ID_NOT_FOUND", "the network knows no such id"),
        "no-offer" => no_offer("is missing; a global token names no offer").because("MISSING"),
        "db" => unavailable("NETWORK_UNAVAILABLE", "the network's database failed"),
        _ => return None,
    })
}

fn undocumented(code: &str) -> Error {
    unavailable("NETWORK_ERROR", format!("the network answered the error `{}`", quoted(code)))
}

fn unavailable(reason: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, reason, message)
}

fn without_words(answer: &Response<Bytes>) -> Error {
    let status = answer.status();
    match by_status(answer, answered_at(answer)) {
        Some(Verdict::Misconfigured { reason }) => Error::precondition("NETWORK_AUTH", reason.message),
        Some(Verdict::Retry { after, reason }) => {
            let error = unavailable("NETWORK_UNAVAILABLE", reason.message);
            match after {
                Some(after) => error.retry_after(after),
                None => error,
            }
        }
        _ if status == StatusCode::NOT_FOUND => {
            Error::precondition("NETWORK_ADDRESS", "there is no AlterCPA at the account's base_url")
        }
        _ => unreadable(&format!("is {status} and no JSON object with a status")),
    }
}

fn unreadable(what: &str) -> Error {
    unavailable("NETWORK_UNREADABLE", format!("the network's answer {what}"))
}
