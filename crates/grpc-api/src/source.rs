//! Where a conversion or click is said to come from.

use postback_core::{Error, Result};
use postback_hub::{ClickBy, Pick, SourceBy};
use postback_proto::{parsed, v1};

fn missing(field: &'static str, want: &str) -> Error {
    Error::invalid(field, format!("is missing; want {want}")).because("MISSING")
}

/// A source from the wire; fields in errors begin with `source.`.
pub(crate) fn source(source: Option<v1::Source>) -> Result<SourceBy> {
    use v1::source::Source;
    match source.and_then(|source| source.source) {
        None => Err(missing("source", "click_token, network_click, user or flow")),
        Some(Source::ClickToken(token)) => Ok(SourceBy::Token(token)),
        Some(Source::NetworkClick(click)) => {
            Ok(SourceBy::Network { account: click.account, click_id: click.click_id })
        }
        Some(Source::User(user)) => Ok(SourceBy::User {
            user: user.user_id.parse().map_err(|error: Error| error.at("source.user.user_id"))?,
            account: parsed("source.user.account", &user.account)?,
            pick: pick(user.pick)?,
        }),
        Some(Source::Flow(flow)) => by_flow(flow),
    }
}

fn pick(pick: i32) -> Result<Pick> {
    match v1::Pick::try_from(pick) {
        Ok(v1::Pick::Unspecified | v1::Pick::Last) => Ok(Pick::Last),
        Ok(v1::Pick::First) => Ok(Pick::First),
        Err(_) => Err(Error::invalid("source.user.pick", format!("`{pick}` is not PICK_LAST or PICK_FIRST"))),
    }
}

fn by_flow(flow: v1::FlowSource) -> Result<SourceBy> {
    use v1::flow_source::Flow;
    let account = flow.account.parse().map_err(|error: Error| error.at("source.flow.account"))?;
    match flow.flow {
        None => Err(missing("source.flow", "id or code")),
        Some(Flow::Id(id)) => {
            Ok(SourceBy::Flow { account, id: id.parse().map_err(|error: Error| error.at("source.flow.id"))? })
        }
        Some(Flow::Code(code)) => {
            let code = code.parse().map_err(|error: Error| error.at("source.flow.code"))?;
            Ok(SourceBy::FlowCode { account, code })
        }
    }
}

/// A click by the network's id.
pub(crate) fn network(click: v1::NetworkClick) -> ClickBy {
    ClickBy::Network { account: click.account, click_id: click.click_id }
}

/// The refusal of a request that names no click.
pub(crate) fn no_click() -> Error {
    missing("click", "click_token or network_click")
}
