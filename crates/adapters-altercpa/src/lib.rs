//! AlterCPA's dialect: its clicks, its calls, its look-ups and its answers.
//!
#![doc = include_str!("../README.md")]

mod action;
mod answer;
mod click;
mod client;
mod config;
mod fields;
mod form;
mod found;
mod lead;
mod look_up;
mod money;
mod origin;
mod postback;
mod status;
mod table;
mod verdict;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{
    Adapter, BaseUrl, COMMENT, Call, ClickId, Event, Found, LandingQuery, LookUp, NoClick, Postback, Result,
    Verdict,
};
use secrecy::ExposeSecret;

pub use config::{AlterCpa, Settings};
pub use lead::Lead;
pub use look_up::ClickQuery;
pub use origin::Origin;
pub use postback_core::client::ClientError;
pub use status::{Lists, Recognized, Words, recognize};

impl Adapter for AlterCpa {
    fn network(&self) -> &'static str {
        "altercpa"
    }

    fn base_url(&self) -> Option<&BaseUrl> {
        Some(&self.base_url)
    }

    fn click_parameter(&self) -> &'static str {
        "click"
    }

    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
        click::click_id(query, parameter)
    }

    fn link_query(&self, parameter: &str) -> String {
        click::link_query(parameter)
    }

    fn call(&self, postback: &Postback<'_>) -> Result<Call> {
        postback::call(self, postback)
    }

    fn verdict(&self, postback: &Postback<'_>, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
        verdict::verdict(action::Action::of(postback.event), answer, now)
    }

    fn private<'a>(&'a self, postback: &Postback<'a>) -> Vec<&'a str> {
        let changed = match postback.event {
            Event::Created => None,
            Event::Changed(change) => change.fields.get(COMMENT),
        };
        let comments = [postback.conversion.details.fields.get(COMMENT), changed];
        let comments = comments.into_iter().flatten().map(String::as_str);
        [self.token.expose_secret()].into_iter().chain(comments).collect()
    }

    fn look_up(&self, ask: &LookUp) -> Result<Call> {
        look_up::call(self, ask)
    }

    fn found(&self, ask: &LookUp, answer: &Response<Bytes>) -> Result<Found> {
        found::found(ask, answer)
    }
}
