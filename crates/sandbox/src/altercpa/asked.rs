//! One call as AlterCPA reads it: its parameters, and the remarks gathered while they are read.

use std::{net::IpAddr, str::FromStr};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::seed::number;
use crate::{call::Call, params::Params};

/// What every write takes beside its source.
const OF_WRITES: &[&str] = &[
    "status", "accept", "stid", "reason", "sta", "stc", "stt", "sth", "stw", "stn", "wm", "cc", "pd", "pp",
    "pay", "goal", "gid", "name", "phone", "email", "country", "base", "curr", "currency", "count",
    "comment", "mobile", "bad", "time",
];

pub(super) struct Asked<'a> {
    pub(super) params: Params<'a>,
    pub(super) now: Timestamp,
    pub(super) peer: Option<IpAddr>,
    documented: Vec<&'static [&'static str]>,
    remarks: Vec<String>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(call: &'a Call, now: Timestamp) -> Self {
        let documented: Vec<&'static [&'static str]> = match call.path.as_str() {
            "/api/site/click.json" => vec![&["token", "click", "exto", "flow", "code"], OF_WRITES],
            "/api/site/status.json" => {
                vec![&["token", "click", "exto", "order", "flow", "code", "auto"], OF_WRITES]
            }
            "/api/site/fetch.json" => vec![&["token", "offer", "flow", "code", "ip", "to"]],
            "/api/site/flow.json" => vec![&["token", "click", "flow", "code"]],
            _ => vec![&["token", "id", "offer", "click", "flow", "code"]],
        };
        Self { params: call.params(), now, peer: call.peer, documented, remarks: Vec::new() }
    }

    pub(super) fn given(&self, name: &str) -> Option<&'a str> {
        self.params.given(name)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.params.flag(name)
    }

    pub(super) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// A decimal; anything else is remarked on and passed over.
    pub(super) fn decimal(&mut self, name: &str) -> Option<Decimal> {
        self.parsed(name, "a decimal", |text| Decimal::from_str(text).ok())
    }

    /// A whole number from 0.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.parsed(name, "a number", number)
    }

    /// So many ASCII letters.
    pub(super) fn letters(&mut self, name: &str, count: usize) -> Option<String> {
        let want = if count == 2 { "two letters" } else { "three letters" };
        self.parsed(name, want, |text| {
            let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            fits.then(|| text.to_ascii_uppercase())
        })
    }

    fn parsed<T>(&mut self, name: &str, want: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = parse(self.given(name)?);
        if value.is_none() {
            self.remark(format!("`{name}` is not {want}: passed over"));
        }
        value
    }

    /// Everything that was remarked on.
    pub(super) fn remarks(mut self) -> Vec<String> {
        self.remarks.extend(self.params.remarks(&self.documented));
        self.remarks
    }
}
