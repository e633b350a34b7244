//! What call is it: a lead or an order of one click, as one GET.

use bytes::Bytes;
use http::Request;
use postback_core::{Call, ClickId, Details, Error, Kind, Postback, Repeat, Result, Source, percent_encoded};

use crate::{click, config::Settings, value::order_value};

/// The call that tells a recorded conversion.
pub(crate) fn call(settings: &Settings, postback: &Postback<'_>) -> Result<Call> {
    let waits = postback.counts_at_once("Powerspace")?;
    let Source::Click(click) = &postback.conversion.source else {
        return Err(Error::invalid("source", "is a flow; Powerspace knows clicks alone"));
    };
    let mut call = notice(settings, click, &postback.conversion.details)?;
    call.warnings.extend(waits);
    Ok(call)
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
    let id = percent_encoded(click.as_str());
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
