//! A network that shows the key of what it is told, and a line to it.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use postback_core::{
    AccountId, Adapter, Call, ClickId, Error, Event, Found, FoundFlow, LandingQuery, LookUp, NoClick,
    Postback, Repeat, Result, Source, Verdict, ports::Caller,
};

/// Knows the parameter `click` and every kind; and the field `code`, a key of the caller's own; and either flows, or changes
/// and the field `colour`.
#[derive(Debug)]
pub(crate) struct FakeNetwork {
    pub(crate) flows: bool,
}

impl Adapter for FakeNetwork {
    fn network(&self) -> &'static str {
        "fake"
    }

    fn click_parameter(&self) -> &'static str {
        "click"
    }

    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
        let value =
            query.exact(|name| name == parameter).ok_or(NoClick::Missing)?.ok_or(NoClick::Malformed)?;
        match &*value {
            "" => Err(NoClick::Empty),
            value if LandingQuery::is_macro(value) => Err(NoClick::Macro),
            value => ClickId::parse(value).map_err(|_| NoClick::Malformed),
        }
    }

    fn link_query(&self, parameter: &str) -> String {
        format!("{parameter}={{click_id}}")
    }

    fn call(&self, postback: &Postback<'_>) -> Result<Call> {
        let conversion = postback.conversion;
        if !self.flows && !matches!(conversion.source, Source::Click(_)) {
            return Err(Error::invalid("source", "is a flow"));
        }
        if self.flows && matches!(postback.event, Event::Changed(_)) {
            return Err(Error::precondition("NO_STATUS_CHANGES", "it takes no changes"));
        }
        let fields = &conversion.details.fields;
        let known = |name: &str| name == "code" || (name == "colour" && !self.flows);
        if let Some(name) = fields.keys().find(|name| !known(name)) {
            return Err(Error::invalid(format!("fields.{name}"), "is unknown"));
        }
        let what = match postback.event {
            Event::Created => conversion.details.kind.to_string(),
            Event::Changed(change) => {
                format!("change to {}", change.status.as_ref().map_or("-", |to| to.as_str()))
            }
        };
        let source = match &conversion.source {
            Source::Click(id) => id.to_string(),
            Source::Flow(id) => id.to_string(),
            Source::FlowCode(code) => code.to_string(),
        };
        let key = fields.get("code").cloned().unwrap_or_else(|| conversion.network_key());
        Ok(Call {
            request: Request::new(Bytes::new()),
            shown: format!("{what} of {source} as {key}"),
            repeat: Repeat::Keyed(key),
            warnings: Vec::new(),
        })
    }

    fn verdict(&self, _: &Postback<'_>, _: &Response<Bytes>, _: Timestamp) -> Verdict {
        Verdict::Accepted { remote_id: None }
    }

    fn look_up(&self, _: &LookUp) -> Result<Call> {
        let request = Request::new(Bytes::from_static(b"which flow?"));
        Ok(Call { request, shown: String::new(), repeat: Repeat::Keyed(String::new()), warnings: Vec::new() })
    }

    fn found(&self, _: &LookUp, answer: &Response<Bytes>) -> Result<Found> {
        let id = std::str::from_utf8(answer.body()).unwrap().parse().unwrap();
        Ok(Found::Flow(FoundFlow { id, ..FoundFlow::default() }))
    }
}

/// Answers every call with flow 17, and remembers it.
#[derive(Default)]
pub(crate) struct Line(pub(crate) Mutex<Vec<(AccountId, Bytes)>>);

#[async_trait]
impl Caller for Line {
    async fn call(&self, account: &AccountId, call: Call) -> Result<Response<Bytes>> {
        self.0.lock().unwrap().push((account.clone(), call.request.into_body()));
        Ok(Response::new(Bytes::from_static(b"17")))
    }
}
