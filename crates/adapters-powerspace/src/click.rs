//! Which click is this: Powerspace's click id in a landing query.

use postback_core::{ClickId, LandingQuery, NoClick};

/// Reads the click id from `parameter`, matched exactly or else ignoring case, `-` and `_` (PS-1).
pub(crate) fn click_id(query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick> {
    let value = query
        .exact(|name| name == parameter)
        .or_else(|| query.exact(|name| folded(name).eq(folded(parameter))))
        .ok_or(NoClick::Missing)?
        .ok_or(NoClick::Malformed)?;
    check(&value)?;
    ClickId::parse(value).map_err(|_| NoClick::Malformed)
}

/// Whether this can be an id at all: ids are opaque, so only what plainly is none is refused.
pub(crate) fn check(id: &str) -> Result<(), NoClick> {
    if id.is_empty() {
        return Err(NoClick::Empty);
    }
    if LandingQuery::is_macro(id) { Err(NoClick::Macro) } else { Ok(()) }
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase())
}
