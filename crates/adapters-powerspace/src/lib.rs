//! Powerspace's dialect: its clicks, its calls and its answers.
//!
#![doc = include_str!("../README.md")]

mod click;
mod client;
mod config;
mod postback;
mod value;
mod verdict;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{Adapter, BaseUrl, Call, ClickId, LandingQuery, NoClick, Postback, Result, Verdict};

pub use client::{Lead, Order};
pub use config::{OrderValue, Part, Powerspace, Settings};
pub use postback_core::client::ClientError;
pub use verdict::{EXPIRED_CLICK, INVALID_CLICK};

impl Adapter for Powerspace {
    fn network(&self) -> &'static str {
        "powerspace"
    }

    fn base_url(&self) -> Option<&BaseUrl> {
        Some(&self.settings().base_url)
    }

    fn click_parameter(&self) -> &'static str {
        "clickId"
    }

    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
        click::click_id(query, parameter)
    }

    /// Nothing, whatever the parameter: Powerspace appends its `clickId` by itself, and knows no macro (PS-1).
    fn link_query(&self, _parameter: &str) -> String {
        String::new()
    }

    fn call(&self, postback: &Postback<'_>) -> Result<Call> {
        postback::call(self.settings(), postback)
    }

    fn verdict(&self, _postback: &Postback<'_>, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
        verdict::verdict(answer, now)
    }
}
