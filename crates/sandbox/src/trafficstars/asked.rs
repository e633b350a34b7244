//! What a postback asks: the click id in the path or in the query, and the parameters beside it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{price::price, refusal::Refusal};
use crate::{Booking, Kind, call::Call, params::Params};

const BASE: &str = "/api/v1/cpa/action";

/// The parameters of the path form, and of the query form.
const OF_PATH: &[&str] = &["value", "lead_code", "key"];
const OF_QUERY: &[&str] = &["clickid", "goalid", "price", "allow_duplicates"];

pub(super) struct Asked<'a> {
    pub(super) click: Cow<'a, str>,
    in_path: bool,
    params: Params<'a>,
}

impl<'a> Asked<'a> {
    /// Reads both forms; nothing where the path is another.
    pub(super) fn read(call: &'a Call) -> Option<Self> {
        let params = Params::new(&call.query);
        let rest = call.path.strip_prefix(BASE)?;
        match rest.strip_prefix('/').unwrap_or(rest) {
            "" => {
                let click = Cow::Borrowed(params.get("clickid").unwrap_or_default());
                Some(Self { click, in_path: false, params })
            }
            id if rest.starts_with('/') && !id.contains('/') => {
                let click = percent_decode_str(id).decode_utf8_lossy();
                Some(Self { click, in_path: true, params })
            }
            _ => None,
        }
    }

    pub(super) fn remarks(&self) -> Vec<String> {
        if self.in_path { self.params.remarks(&[OF_PATH]) } else { self.params.remarks(&[OF_PATH, OF_QUERY]) }
    }

    /// Refuses a click id of the wrong form. One that was issued has the right form, whatever it looks like.
    pub(super) fn check_form(&self, issued: bool) -> Result<(), Refusal> {
        match &*self.click {
            _ if issued => Ok(()),
            "" => Err(Refusal::ClickEmpty),
            id if self.in_path && !is_hex40(id) => Err(Refusal::Code),
            id if id.len() < 40 => Err(Refusal::ClickShort),
            _ => Ok(()),
        }
    }

    /// The lead code with its key, where both are given.
    pub(super) fn code(&self, https: bool) -> Result<Option<(&'a str, &'a str)>, Refusal> {
        let code = self.params.given("lead_code");
        if code.is_some() && !https {
            return Err(Refusal::NotHttps);
        }
        match (code, self.params.given("key")) {
            (Some(code), Some(key)) => Ok(Some((code, key))),
            (Some(_), None) => Err(Refusal::Key("a lead code without a key")),
            (None, Some(_)) => Err(Refusal::Key("a key without a lead code")),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn check_amounts(&self) -> Result<(), Refusal> {
        let cost = if self.in_path { None } else { self.params.get("price") };
        self.params.get("value").into_iter().chain(cost).try_for_each(price)
    }

    pub(super) fn goal(&self) -> Option<&'a str> {
        if self.in_path { None } else { self.params.given("goalid") }
    }

    pub(super) fn allows_duplicates(&self) -> bool {
        !self.in_path && self.params.flag("allow_duplicates")
    }

    pub(super) fn booking(&self, (kind, goal): (Kind, Option<String>)) -> Booking {
        Booking {
            kind,
            click: Some(self.click.clone().into_owned()),
            key: self.params.given("lead_code").map(str::to_owned),
            value: self.params.get("value").map(str::to_owned),
            goal,
            ..Booking::default()
        }
    }
}

pub(super) fn is_hex40(id: &str) -> bool {
    id.len() == 40 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn is_opaque(id: &str) -> bool {
    (1..=512).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
