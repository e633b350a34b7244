//! What call is it: a recorded conversion, or a change of it, as a lead.

use postback_core::{Call, Change, Conversion, Error, Event, Kind, Postback, Result};

use crate::{AlterCpa, action::Action, lead::Lead, origin::Origin};

/// What names the customer at the network; a [`Change`] has none.
const CUSTOMER: [&str; 4] = ["name", "phone", "email", "country"];

/// The call that tells a conversion or a change of it. `exto` is always set, so a repeat is always safe.
pub(crate) fn call(altercpa: &AlterCpa, postback: &Postback<'_>) -> Result<Call> {
    let conversion = postback.conversion;
    let origin = Origin::from(&conversion.source).exto(exto(conversion));
    let lead = Lead::new(altercpa, Action::of(postback.event), origin);
    match postback.event {
        Event::Created => created(lead, conversion),
        Event::Changed(change) => changed(lead, change),
    }
    .map_err(|error| if error.field() == Some("exto") { error.at("fields.exto") } else { error })
}

/// The advertiser's id of the lead: what the caller named, else the conversion's own key (AC-3).
fn exto(conversion: &Conversion) -> String {
    conversion.details.fields.get("exto").cloned().unwrap_or_else(|| conversion.network_key())
}

fn created(mut lead: Lead<'_>, conversion: &Conversion) -> Result<Call> {
    let details = &conversion.details;
    if details.kind == Kind::Goal && details.goal.is_none() {
        return Err(Error::invalid("goal", "is missing; a goal has a name").because("MISSING"));
    }
    lead = lead.customer(details.customer.clone()).created_at(conversion.occurred_at);
    if let Some(status) = &details.status {
        lead = lead.status(status.clone());
    }
    if let Some(goal) = &details.goal {
        lead = lead.goal(goal.clone());
    }
    if let Some(value) = details.value {
        lead = lead.value(value);
    }
    if let Some(payout) = details.payout {
        lead = lead.payout(payout);
    }
    for (name, value) in &details.fields {
        lead = lead.field(name, value);
    }
    let mut call = lead.call()?;
    for (field, part) in [("shipping", details.shipping), ("tax", details.tax)] {
        if part.is_some() {
            call.warnings.push(format!("{field}: AlterCPA has no parameter for it; only the total is told"));
        }
    }
    Ok(call)
}

fn changed(mut lead: Lead<'_>, change: &Change) -> Result<Call> {
    if let Some(name) = CUSTOMER.iter().find(|name| change.fields.contains_key(**name)) {
        let message = "is not a field; the customer is told at creation only";
        return Err(Error::invalid(format!("fields.{name}"), message).because("UNKNOWN_FIELD"));
    }
    if let Some(status) = &change.status {
        lead = lead.status(status.clone());
    }
    if let Some(goal) = &change.goal {
        lead = lead.goal(goal.clone());
    }
    if let Some(value) = change.value {
        lead = lead.value(value);
    }
    if let Some(payout) = change.payout {
        lead = lead.payout(payout);
    }
    for (name, value) in &change.fields {
        lead = lead.field(name, value);
    }
    lead.call()
}
