//! The source of a lead: a click or a flow, with or without the caller's own id.

use jiff::Timestamp;
use serde::Serialize;

use super::{Altercpa, answer::Failure, asked::Asked, seed::number};

/// Where a lead came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A click.
    Click(u64),
    /// A flow by its number.
    Flow(u64),
    /// A flow by its code; its number. A lead is changed by the combination that created it, and this is another one.
    Code(u64),
}

/// How a call names a lead.
pub(super) enum Named<'a> {
    Click(&'a str),
    Flow(&'a str),
    Code(&'a str),
    Order(&'a str),
}

impl<'a> Named<'a> {
    /// The one of `names` that the call gives.
    pub(super) fn read(asked: &Asked<'a>, names: &[&'static str]) -> Result<Self, Failure> {
        let mut given = names.iter().filter_map(|name| Some((*name, asked.given(name)?)));
        let Some((name, value)) = given.next() else {
            return Err(Failure::no_id("neither a click nor a flow is named"));
        };
        if let Some((other, _)) = given.next() {
            let why = format!("`{name}` and `{other}` are no documented combination");
            return Err(Failure::bad_id(why));
        }
        Ok(match name {
            "click" => Self::Click(value),
            "flow" => Self::Flow(value),
            "code" => Self::Code(value),
            _ => Self::Order(value),
        })
    }
}

/// A source that exists: itself, its offer, and whether writes on it fail.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) source: Source,
    pub(super) offer: u64,
    pub(super) broken: bool,
}

impl Altercpa {
    /// The click or flow that the call names. A click has to be alive.
    pub(super) fn origin(&self, named: &Named<'_>, now: Timestamp) -> Result<Origin, Failure> {
        let (source, flow): (fn(u64) -> Source, _) = match named {
            Named::Click(id) => {
                let id = number(id).ok_or_else(|| Failure::bad_id("the click id is not a number"))?;
                let click = self.clicks.living(&id, now).map_err(|no| Failure::bad_id(no.why()))?;
                let broken = click.broken;
                let flow = self.flow(click.flow).ok_or_else(|| Failure::db("the click has no flow"))?;
                return Ok(Origin { source: Source::Click(id), offer: flow.offer, broken });
            }
            Named::Flow(id) => (Source::Flow, number(id).and_then(|id| self.flow(id))),
            Named::Code(code) => (Source::Code, self.flow_by_code(code)),
            Named::Order(_) => return Err(Failure::bad_id("a lead's id names no source")),
        };
        let flow = flow.ok_or_else(|| Failure::bad_id("the flow is unknown"))?;
        Ok(Origin { source: source(flow.id), offer: flow.offer, broken: false })
    }
}
