//! Which click is this: Traffic Stars' click id in a landing query.

use postback_core::{ClickId, LandingQuery, NoClick, percent_encoded};

use crate::config::ClickIdForm;

/// Reads the click id from `parameter`, whose name is the advertiser's own (TS-1).
pub(crate) fn click_id(
    form: ClickIdForm,
    query: &LandingQuery<'_>,
    parameter: &str,
) -> Result<ClickId, NoClick> {
    let value = query.exact(|name| name == parameter).ok_or(NoClick::Missing)?.ok_or(NoClick::Malformed)?;
    check(form, &value)?;
    ClickId::parse(value).map_err(|_| NoClick::Malformed)
}

/// Whether this is an id of the account's form (TS-2); its length is [`ClickId`]'s matter.
pub(crate) fn check(form: ClickIdForm, id: &str) -> Result<(), NoClick> {
    if id.is_empty() {
        return Err(NoClick::Empty);
    }
    if LandingQuery::is_macro(id) {
        return Err(NoClick::Macro);
    }
    let right = match form {
        ClickIdForm::Hex40 => id.len() == 40 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        ClickIdForm::Opaque => id.bytes().all(|b| b.is_ascii_graphic()) && !is_dots(id),
    };
    if right { Ok(()) } else { Err(NoClick::Malformed) }
}

/// In a URL's path these two mean another path, however they are written.
fn is_dots(id: &str) -> bool {
    matches!(id, "." | "..")
}

/// The query that a campaign's link carries: the network replaces `{click_id}` (TS-1).
pub(crate) fn link_query(parameter: &str) -> String {
    format!("{}={{click_id}}", percent_encoded(parameter))
}
