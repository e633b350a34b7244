//! Look-ups: a click by the visitor's address, a flow, an offer (AC-14 to AC-16).

use std::net::IpAddr;

use jiff::Timestamp;
use postback_core::{Call, Error, FlowCode, FlowId, LookUp, LookUpSource, Repeat, Result};

use crate::{AlterCpa, form::Form};

/// Which click is looked for (AC-14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClickQuery {
    /// The visitor's address; whoever asks, where absent.
    pub ip: Option<IpAddr>,
    /// The offer; needed with a global token, which names none.
    pub offer: Option<u64>,
    /// Only clicks of this flow.
    pub flow: Option<FlowId>,
    /// Only clicks of the flow with this code.
    pub code: Option<FlowCode>,
    /// Only clicks since then; the last 24 hours where absent.
    pub since: Option<Timestamp>,
}

/// The call that asks.
pub(crate) fn call(altercpa: &AlterCpa, ask: &LookUp) -> Result<Call> {
    match ask {
        LookUp::Click { ip, offer, flow, code, since } => {
            let query = ClickQuery {
                ip: Some(*ip),
                offer: *offer,
                flow: flow.clone(),
                code: code.clone(),
                since: *since,
            };
            click(altercpa, &query)
        }
        LookUp::Flow(by) => flow(altercpa, by),
        LookUp::Offer(by) => offer(altercpa, by),
    }
}

pub(crate) fn click(altercpa: &AlterCpa, query: &ClickQuery) -> Result<Call> {
    if query.offer.is_none() && altercpa.is_global() {
        return Err(no_offer("is missing; a global token names no offer").because("MISSING"));
    }
    let mut form = Form::new(&altercpa.token);
    if let Some(offer) = query.offer {
        form.add("offer", offer.to_string());
    }
    if let Some(flow) = &query.flow {
        form.add("flow", flow.as_str());
    }
    if let Some(code) = &query.code {
        form.add("code", code.as_str());
    }
    if let Some(ip) = query.ip {
        form.add_masked("ip", ip.to_string());
    }
    if let Some(since) = query.since {
        form.add("to", since.as_second().to_string());
    }
    ask(altercpa, &form, "/api/site/fetch.json")
}

pub(crate) fn flow(altercpa: &AlterCpa, by: &LookUpSource) -> Result<Call> {
    let mut form = Form::new(&altercpa.token);
    match by {
        LookUpSource::Offer(_) => return Err(no_offer("has many flows; want a click or a flow")),
        source => add_source(&mut form, source),
    }
    ask(altercpa, &form, "/api/site/flow.json")
}

pub(crate) fn offer(altercpa: &AlterCpa, by: &LookUpSource) -> Result<Call> {
    let mut form = Form::new(&altercpa.token);
    add_source(&mut form, by);
    ask(altercpa, &form, "/api/site/offer.json")
}

/// An offer's number goes under both names that the network's documentation gives it.
fn add_source(form: &mut Form, by: &LookUpSource) {
    match by {
        LookUpSource::Click(id) => form.add("click", id.as_str()),
        LookUpSource::Flow(id) => form.add("flow", id.as_str()),
        LookUpSource::FlowCode(code) => form.add("code", code.as_str()),
        LookUpSource::Offer(id) => {
            form.add("id", id.to_string());
            form.add("offer", id.to_string());
        }
    }
}

/// A look-up changes nothing, so it may be asked again.
fn ask(altercpa: &AlterCpa, form: &Form, path: &str) -> Result<Call> {
    form.post(&altercpa.base_url, path, Repeat::Keyed("look-up".into()), Vec::new())
}

pub(crate) fn no_offer(message: &str) -> Error {
    Error::invalid("offer", message)
}
