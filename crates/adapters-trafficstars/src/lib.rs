//! Traffic Stars' dialect: its clicks, its calls and its answers.
//!
#![doc = include_str!("../README.md")]

mod click;
mod client;
mod complaint;
mod config;
mod money;
mod postback;
mod verdict;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_core::{Adapter, BaseUrl, Call, ClickId, LandingQuery, NoClick, Postback, Result, Verdict};

pub use client::Lead;
pub use complaint::Complaint;
pub use config::{ClickIdForm, Form, Settings, TrafficStars};
pub use postback_core::client::ClientError;

impl Adapter for TrafficStars {
    fn network(&self) -> &'static str {
        "trafficstars"
    }

    fn base_url(&self) -> Option<&BaseUrl> {
        Some(&self.settings().base_url)
    }

    fn click_parameter(&self) -> &'static str {
        "click_id"
    }

    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
        click::click_id(self.settings().click_id, query, parameter)
    }

    fn link_query(&self, parameter: &str) -> String {
        click::link_query(parameter)
    }

    fn call(&self, postback: &Postback<'_>) -> Result<Call> {
        postback::call(self.settings(), postback)
    }

    fn verdict(&self, _postback: &Postback<'_>, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
        verdict::verdict(answer, now)
    }

    fn private<'a>(&'a self, _postback: &Postback<'a>) -> Vec<&'a str> {
        self.secrets()
    }
}
