//! Which click is this: the network's click id in a landing query.

use postback_core::{ClickId, LandingQuery, NoClick};

/// Reads the click id from `parameter`. Ids are opaque: numeric at some installations, words at others.
pub(crate) fn click_id(query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
    let value = query.exact(|name| name == parameter).ok_or(NoClick::Missing)?.ok_or(NoClick::Malformed)?;
    if value.is_empty() {
        return Err(NoClick::Empty);
    }
    let id = ClickId::parse(value).map_err(|_| NoClick::Malformed)?;
    check(&id)?;
    Ok(id)
}

/// An id that comes from elsewhere than a landing query is no macro either.
pub(crate) fn check(id: &ClickId) -> Result<(), NoClick> {
    if LandingQuery::is_macro(id.as_str()) { Err(NoClick::Macro) } else { Ok(()) }
}

/// The query that a flow's link carries: the network replaces `{click}`.
pub(crate) fn link_query(parameter: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(parameter.as_bytes()).collect();
    format!("{name}={{click}}")
}
