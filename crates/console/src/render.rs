//! A conversion's call, rendered and not sent.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
};
use postback_core::{AccountId, Details, Error, ErrorKind, Kind, Money, Result};
use postback_hub::{Pick, Rendered, Report, SourceBy};
use serde::Deserialize;

use crate::{
    conversions,
    desk::Desk,
    page::{self, Frame, Shown, Visitor},
    show,
};

/// A conversion as a person wrote it; what is empty is not said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Draft {
    /// A token, the network's click id, a user id, or a flow.
    source: String,
    /// One of [`BY`].
    by: String,
    account: String,
    kind: String,
    goal: String,
    value: String,
    currency: String,
    transaction: String,
    status: String,
    /// A network's own fields, one `name=value` in a line.
    fields: String,
}

/// How the source is named.
const BY: [(&str, &str); 5] = [
    ("token", "click token"),
    ("click", "network's click id"),
    ("user", "user id"),
    ("flow", "flow number"),
    ("code", "flow code"),
];

#[derive(Template)]
#[template(path = "render.html")]
struct Tester {
    frame: Frame,
    draft: Draft,
    accounts: Vec<String>,
    rendered: Option<Result<Rendered, String>>,
}

/// The form, and what it came to.
pub(crate) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Query(draft): Query<Draft>,
) -> Shown {
    let rendered = match draft.source.trim() {
        "" => None,
        _ => Some(match draft.report() {
            Ok(report) => match desk.hub.validate(&report).await {
                Ok(rendered) => Ok(rendered),
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error.into()),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        }),
    };
    let frame = Frame::new("Render a call", "Campaigns", visitor, desk.now());
    page::show(&Tester { frame, draft, accounts: conversions::accounts(&desk), rendered })
}

impl Draft {
    fn report(&self) -> Result<Report> {
        let kind = if self.kind.is_empty() { Kind::Lead } else { self.kind.parse()? };
        let mut details = Details::new(kind);
        details.goal = said(&self.goal).map(str::parse).transpose()?;
        details.value = match said(&self.value) {
            Some(amount) => Some(Money::parse(amount, self.currency.trim())?),
            None => None,
        };
        details.transaction_id = said(&self.transaction).map(str::parse).transpose()?;
        details.status = said(&self.status).map(str::parse).transpose()?;
        for line in self.fields.lines().filter(|line| !line.trim().is_empty()) {
            let want = || Error::invalid("fields", "has a line that is not name=value");
            let (name, value) = line.split_once('=').ok_or_else(want)?;
            details.fields.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        Ok(Report { source: self.source()?, details, occurred_at: None, request_id: None })
    }

    fn source(&self) -> Result<SourceBy> {
        let source = self.source.trim().to_owned();
        let account = || AccountId::parse(self.account.trim());
        Ok(match self.by.as_str() {
            "click" => SourceBy::Network { account: self.account.trim().to_owned(), click_id: source },
            "user" => SourceBy::User {
                user: source.parse()?,
                account: said(&self.account).map(str::parse).transpose()?,
                pick: Pick::Last,
            },
            "flow" => SourceBy::Flow { account: account()?, id: source.parse()? },
            "code" => SourceBy::FlowCode { account: account()?, code: source.parse()? },
            _ => SourceBy::Token(source),
        })
    }
}

fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
