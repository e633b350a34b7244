//! A conversion's story, and a delivery's attempts, for people.

use std::fmt::Write;

use postback_proto::v1::{
    Attempt, Change, Click, Conversion, ConversionStory, Delivery, DeliveryState, Outcome, Reason,
};

use super::{
    next::Next,
    time::shown,
    words::{Word, kind, money, source},
};
use crate::table::plain;

/// Facts, one a line; what is empty is left out.
fn facts(facts: &[(&str, String)]) -> String {
    let mut said = String::new();
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(said, "  {name:<13}{}", plain(value));
    }
    said
}

/// Everything that was told of a conversion.
pub(super) fn story(story: &ConversionStory, next: &Next) -> String {
    let conversion = story.conversion.clone().unwrap_or_default();
    let mut said = format!("conversion {}\n{}", conversion.conversion_id, of(&conversion));
    if let Some(click) = &story.click {
        let _ = write!(said, "\nclick {}\n{}", plain(&click.click_id), self::click(click));
    }
    for delivery in &story.deliveries {
        let _ = write!(said, "\n{}", self::delivery(delivery, next));
    }
    said.trim_end().to_owned()
}

fn of(conversion: &Conversion) -> String {
    let details = conversion.details.clone().unwrap_or_default();
    let told = details.fields.iter().map(|(name, value)| format!("{name}={value}"));
    facts(&[
        ("account", conversion.account.clone()),
        ("campaign", conversion.campaign.clone()),
        ("source", source(conversion)),
        ("user", conversion.user_id.clone()),
        ("kind", kind(&details)),
        ("value", money(details.value.as_ref())),
        ("shipping", details.shipping.clone()),
        ("tax", details.tax.clone()),
        ("payout", money(details.payout.as_ref())),
        ("transaction", details.transaction_id.clone()),
        ("status", details.status.clone()),
        ("fields", told.collect::<Vec<_>>().join(" ")),
        ("request", conversion.request_id.clone()),
        ("clicked", shown(conversion.click_time.as_ref())),
        ("occurred", shown(conversion.occur_time.as_ref())),
        ("recorded", shown(conversion.create_time.as_ref())),
    ])
}

/// What is known of a click.
pub(super) fn click(click: &Click) -> String {
    let utm = click.utm.clone().unwrap_or_default();
    let utm = [utm.source, utm.medium, utm.campaign, utm.term, utm.content];
    let utm: Vec<String> = utm.into_iter().filter(|part| !part.is_empty()).collect();
    let parameters =
        click.parameters.iter().map(|parameter| format!("{}={}", parameter.name, parameter.value));
    let flags = [(click.bot, "bot"), (click.prefetch, "prefetch")];
    let flags: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
    facts(&[
        ("account", click.account.clone()),
        ("campaign", click.campaign.clone()),
        ("captured", shown(click.create_time.as_ref())),
        ("lives until", shown(click.expire_time.as_ref())),
        ("utm", utm.join(" / ")),
        ("parameters", parameters.collect::<Vec<_>>().join(" ")),
        ("country", click.country.clone()),
        ("device", click.device.clone()),
        ("address", click.ip.clone()),
        ("user agent", click.user_agent.clone()),
        ("flags", flags.join(" ")),
        ("token", click.click_token.clone()),
    ])
}

/// A delivery with its attempts.
pub(super) fn delivery(delivery: &Delivery, next: &Next) -> String {
    let mut said = format!("delivery {} of {}\n", delivery.delivery_id, tells(delivery.change.as_ref()));
    said += &facts(&[
        ("state", delivery.state().word()),
        ("why", why(delivery)),
        ("conversion", delivery.conversion_id.clone()),
        ("account", delivery.account.clone()),
        ("network's id", delivery.remote_id.clone()),
        ("taken in", shown(delivery.create_time.as_ref())),
        ("next", next.words(delivery)),
        ("begun", shown(delivery.start_time.as_ref())),
        ("sent until", shown(delivery.expire_time.as_ref())),
    ]);
    for attempt in &delivery.attempts {
        said += &tried(attempt);
    }
    said.trim_end().to_owned() + "\n"
}

fn tried(attempt: &Attempt) -> String {
    let took = attempt.duration.unwrap_or_default();
    let took = took.seconds * 1_000 + i64::from(took.nanos / 1_000_000);
    let status =
        if attempt.http_status == 0 { String::new() } else { format!(" HTTP {}", attempt.http_status) };
    let why = reason(attempt.reason.as_ref());
    let why = if why.is_empty() { why } else { format!(", {why}") };
    let head = format!("{}{status} {}{why}", shown(attempt.start_time.as_ref()), attempt.outcome().word());
    let mut said = format!("  attempt      {} ({took} ms)\n    > {}\n", plain(&head), plain(&attempt.call));
    if !attempt.answer.is_empty() {
        let _ = writeln!(said, "    < {}", plain(&attempt.answer));
    }
    said
}

/// What a delivery tells: the conversion itself, or a change of it.
pub(super) fn tells(change: Option<&Change>) -> String {
    match change {
        None => "the conversion".to_owned(),
        Some(change) if change.status.is_empty() => "a change".to_owned(),
        Some(change) => format!("the status {}", plain(&change.status)),
    }
}

/// Why a delivery stands where it stands; empty where nothing is to be said.
pub(super) fn why(delivery: &Delivery) -> String {
    let answered = |attempt: &Attempt| matches!(attempt.outcome(), Outcome::Accepted | Outcome::AlreadyDone);
    match delivery.state() {
        DeliveryState::Delivered if !delivery.attempts.last().is_some_and(answered) => {
            "a person said that the network has it".to_owned()
        }
        _ => reason(delivery.reason.as_ref()),
    }
}

/// A reason's word and sentence; empty where there is none.
pub(super) fn reason(reason: Option<&Reason>) -> String {
    reason.map(|reason| format!("{}: {}", reason.code, reason.message)).unwrap_or_default()
}
