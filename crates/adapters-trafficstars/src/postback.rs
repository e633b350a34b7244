//! What call is it: one GET about one click.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use postback_core::{
    Call, ClickId, Error, Goal, Kind, Money, NoClick, Postback, Repeat, Result, Source, percent_encoded,
    quoted,
};
use secrecy::ExposeSecret;

use crate::{
    click,
    config::{ClickIdForm, Form, Settings},
    money::amount,
};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// How many bytes most calls have behind the address.
const ROOM: usize = 192;

/// What is told of a click.
#[derive(Clone, Debug)]
pub(crate) struct Action<'a> {
    pub(crate) click: Cow<'a, ClickId>,
    pub(crate) goal: Option<Cow<'a, Goal>>,
    pub(crate) value: Option<Money>,
    pub(crate) price: Option<Money>,
    pub(crate) lead_code: Option<Cow<'a, str>>,
}

/// The call that tells a recorded conversion. Its `lead_code` is the caller's, else made of its id (TS-11).
pub(crate) fn call(settings: &Settings, postback: &Postback<'_>) -> Result<Call> {
    let waits = postback.counts_at_once("Traffic Stars")?;
    let conversion = postback.conversion;
    let Source::Click(click) = &conversion.source else {
        return Err(Error::invalid("source", "is a flow; Traffic Stars knows clicks alone"));
    };
    let details = &conversion.details;
    if let Some(name) = details.fields.keys().find(|name| *name != "lead_code") {
        return Err(Error::invalid(
            format!("fields.{name}"),
            "is nothing that is told; want lead_code or none",
        )
        .because("UNKNOWN_FIELD"));
    }
    if details.kind == Kind::Goal && details.goal.is_none() {
        return Err(Error::invalid("goal", "is missing; want the goal's number").because("MISSING"));
    }
    let given = details.fields.get("lead_code").map(|code| Cow::Borrowed(code.as_str()));
    let action = Action {
        click: Cow::Borrowed(click),
        goal: details.goal.as_ref().map(Cow::Borrowed),
        value: details.value,
        price: details.payout,
        lead_code: given.or_else(|| settings.key.as_ref().map(|_| Cow::Owned(conversion.network_key()))),
    };
    let mut call = action.call(settings).map_err(in_the_callers_words)?;
    call.warnings.extend(waits);
    let parts = [("shipping", details.shipping), ("tax", details.tax)];
    let parts = parts.into_iter().filter(|(_, part)| part.is_some());
    call.warnings
        .extend(parts.map(|(field, _)| format!("{field}: is not told; Traffic Stars takes the total alone")));
    Ok(call)
}

/// A conversion has a payout where the network has a price, and its lead code among its fields.
fn in_the_callers_words(error: Error) -> Error {
    match error.field() {
        Some("price") => error.at("payout"),
        Some("price.currency") => error.at("payout.currency"),
        Some("lead_code") => error.at("fields.lead_code"),
        _ => error,
    }
}

impl Action<'_> {
    /// The call, or why it may not be sent.
    pub(crate) fn call(&self, settings: &Settings) -> Result<Call> {
        check_click(settings.click_id, &self.click)?;
        let url = self.url(settings)?;
        let (sent, shown, repeat) = match &settings.key {
            Some(key) => {
                let code = self.lead_code.as_deref().ok_or_else(no_lead_code)?;
                let code = checked(code)?;
                let rest = add(url, "lead_code", code);
                let shown = ["GET ", &rest, "&key=***"].concat();
                (add(rest, "key", key.expose_secret()), shown, Repeat::Keyed(code.to_owned()))
            }
            None if self.lead_code.is_some() => return Err(no_key()),
            None => {
                let shown = ["GET ", &url].concat();
                (url, shown, Repeat::Unkeyed(settings.on_ambiguous))
            }
        };
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() =
            sent.try_into().map_err(|_| Error::internal("a call to Traffic Stars has no valid URL"))?;
        if settings.tls_in_front {
            request.headers_mut().insert(FORWARDED_PROTO, HTTPS);
        }
        Ok(Call { request, shown, repeat, warnings: Vec::new() })
    }

    /// The URL of either form (TS-4, TS-7), up to the money.
    fn url(&self, settings: &Settings) -> Result<String> {
        let click = self.click.as_str();
        let mut url = settings.base_url.join("/api/v1/cpa/action");
        url.reserve(ROOM);
        match settings.form {
            Form::Path => {
                url.push('/');
                url.extend(percent_encoded(click));
            }
            Form::Query => url = add(url, "clickid", click),
        }
        if let Some(goal) = &self.goal {
            query_form(settings.form, "goal")?;
            url = add(url, "goalid", goal.as_str());
        }
        if let Some(value) = self.value {
            url = add(url, "value", &amount(settings, "value", value)?.to_string());
        }
        if let Some(price) = self.price {
            query_form(settings.form, "price")?;
            url = add(url, "price", &amount(settings, "price", price)?.to_string());
        }
        Ok(url)
    }
}

fn add(mut url: String, name: &str, value: &str) -> String {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.extend([name, "="]);
    url.extend(percent_encoded(value));
    url
}

fn check_click(form: ClickIdForm, click: &ClickId) -> Result<()> {
    click::check(form, click.as_str()).map_err(|no| {
        let what = match (no, form) {
            (NoClick::Macro, _) => "is a macro that was not replaced",
            (_, ClickIdForm::Hex40) => "is not 40 of 0-9a-f",
            (_, ClickIdForm::Opaque) => "is not 1 to 512 visible ASCII characters",
        };
        Error::invalid("click_id", format!("`{}` {what}", quoted(click.as_str())))
    })
}

fn checked(code: &str) -> Result<&str> {
    if (1..=128).contains(&code.len()) && !code.contains(char::is_control) {
        return Ok(code);
    }
    let want = "is not valid; want 1 to 128 bytes of UTF-8 without control characters";
    Err(Error::invalid("lead_code", want))
}

fn query_form(form: Form, field: &'static str) -> Result<()> {
    match form {
        Form::Query => Ok(()),
        Form::Path => {
            let message = "cannot be told in the path form; want form = \"query\" in the account's settings";
            Err(Error::precondition("NEEDS_QUERY_FORM", message).at(field))
        }
    }
}

fn no_key() -> Error {
    let message = "cannot be told without the account's key; want the key in the settings, or no lead code";
    Error::precondition("MISSING_KEY", message).at("lead_code")
}

fn no_lead_code() -> Error {
    let message = "is missing; want one for each conversion, by which a repeat is told from a new one";
    Error::invalid("lead_code", message).because("MISSING")
}
