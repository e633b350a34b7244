//! What call is it: a lead or an order of one click, as one GET.

use bytes::Bytes;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postback_core::{Call, ClickId, Details, Error, Event, Kind, Postback, Repeat, Result, Source, Status};

use crate::{click, config::Settings, value::order_value};

/// Everything but RFC 3986's unreserved characters (PS-6).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The call that tells a recorded conversion.
pub(crate) fn call(settings: &Settings, postback: &Postback<'_>) -> Result<Call> {
    if let Event::Changed(_) = postback.event {
        let message = "Powerspace takes no changes: what it was told once stays";
        return Err(Error::precondition("NO_STATUS_CHANGES", message));
    }
    match &postback.conversion.source {
        Source::Click(click) => notice(settings, click, &postback.conversion.details),
        Source::Flow(_) | Source::FlowCode(_) => {
            Err(Error::invalid("source", "is a flow; Powerspace knows clicks alone"))
        }
    }
}

/// The call that tells `details` of `click`.
pub(crate) fn notice(settings: &Settings, click: &ClickId, details: &Details) -> Result<Call> {
    click::check(click.as_str())
        .map_err(|_| Error::invalid("click_id", format!("`{click}` is a macro that was not replaced")))?;
    if let Some(name) = details.fields.keys().next() {
        return Err(Error::invalid(format!("fields.{name}"), "is nothing that Powerspace knows")
            .because("UNKNOWN_FIELD"));
    }
    let mut warnings = untold(details);
    check_status(details.status.as_ref(), &mut warnings)?;
    let id = utf8_percent_encode(click.as_str(), ESCAPED);
    let path = match details.kind {
        Kind::Lead => format!("/ld?qci={id}"),
        Kind::Order => match order_value(settings, details, &mut warnings)? {
            Some(value) => format!("/ord?qci={id}&ov={value}"),
            None => format!("/ord?qci={id}"),
        },
        Kind::Goal => return Err(Error::invalid("kind", "is a goal; Powerspace knows lead and order alone")),
    };
    let url = settings.base_url.join(&path);
    let shown = format!("GET {url}");
    let request = Request::get(url)
        .body(Bytes::new())
        .map_err(|cause| Error::internal("a call to Powerspace has no valid URL").caused_by(cause))?;
    Ok(Call { request, shown, repeat: Repeat::Unkeyed(settings.on_ambiguous), warnings })
}

/// What was said and Powerspace has no parameter for.
fn untold(details: &Details) -> Vec<String> {
    let untold = [
        ("value", details.kind == Kind::Lead && details.value.is_some()),
        ("goal", details.goal.is_some()),
        ("payout", details.payout.is_some()),
    ];
    let said = untold.into_iter().filter(|(_, said)| *said);
    said.map(|(field, _)| format!("{field}: is not told; Powerspace has no parameter for it here")).collect()
}

/// Powerspace counts whatever it is told, so what does not count must not be told.
fn check_status(status: Option<&Status>, warnings: &mut Vec<String>) -> Result<()> {
    match status {
        None | Some(Status::New | Status::Approved) => Ok(()),
        Some(status @ (Status::Processing | Status::Hold)) => {
            warnings
                .push(format!("status: `{status}` is not told; Powerspace counts the conversion at once"));
            Ok(())
        }
        Some(status @ (Status::Cancelled | Status::Trash | Status::Own(_))) => {
            let message = format!("`{status}` cannot be told; Powerspace would count the conversion as won");
            Err(Error::precondition("NO_STATUSES", message).at("status"))
        }
    }
}
