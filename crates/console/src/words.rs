//! What states, outcomes, reasons and losses mean, in words for a person who did not build this.

use jiff::Timestamp;
use postback_core::{
    Change, Delivery, DeliveryState, Event, Kind, NoClick, Outcome, Reason, Refusal, Source, Utm,
};

use crate::show;

/// The reason of what waits behind a delivery in doubt.
pub(crate) const BEHIND: &str = "behind_in_doubt";

/// A state's name, and the class under which the style sheet colours it.
pub(crate) fn state(delivery: &Delivery) -> &'static str {
    match delivery.state {
        DeliveryState::Pending if delivery.attempts.is_empty() => "pending",
        DeliveryState::Pending => "retrying",
        DeliveryState::Waiting => "waiting",
        DeliveryState::InDoubt(_) => "in doubt",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead(_) => "dead",
    }
}

/// The class of a state's label.
pub(crate) fn tone(delivery: &Delivery) -> &'static str {
    match delivery.state {
        DeliveryState::Pending if delivery.attempts.is_empty() => "calm",
        DeliveryState::Pending => "warn",
        DeliveryState::Waiting => "calm",
        DeliveryState::InDoubt(_) => "ask",
        DeliveryState::Delivered => "good",
        DeliveryState::Dead(_) => "bad",
    }
}

/// The class of an outcome's label.
pub(crate) fn outcome_tone(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted | Outcome::AlreadyDone => "good",
        Outcome::Retry | Outcome::NotSent => "warn",
        Outcome::Ambiguous => "ask",
        Outcome::Rejected | Outcome::Misconfigured => "bad",
    }
}

/// What an attempt came to.
pub(crate) fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "The network took it.",
        Outcome::AlreadyDone => "The network had it already: an earlier attempt had arrived.",
        Outcome::Retry => "The network asked to try again later. It did not count it.",
        Outcome::Rejected => "The network refused it for good. Sending the same again will not help.",
        Outcome::Misconfigured => {
            "The network refused the account itself: key, token or address is wrong. The account was paused."
        }
        Outcome::NotSent => "Nothing reached the network: it could not be connected to.",
        Outcome::Ambiguous => {
            "It was sent, and no answer that can be read came back: the network may or may not have counted it."
        }
    }
}

/// Why something ended as it did: what the word means and what a person can do.
pub(crate) fn advice(code: &str) -> &'static str {
    match code {
        "invalid_click" | "no-id" | "bad-id" | "unknown_click" | "click_id_empty" | "click_id_short" => {
            "The network does not know this click id, or not in this form. Compare it with the network's panel; if \
             many conversions end so, the link in the panel or the campaign's parameter is wrong."
        }
        "expired_click" => {
            "The network no longer takes conversions of this click. Its own attribution window is over, or the id \
             was never its own. Nothing can be sent for it."
        }
        "expired" => "Attempts ended with the click's 30 days. It can no longer be sent.",
        "lead_not_delivered" => {
            "A change of a conversion that the network never got. Replay the conversion's own delivery; its changes \
             follow by themselves."
        }
        "lead_never_came" => {
            "A change was reported, and the conversion that it changes never was. Ask the service that reports \
             conversions."
        }
        "interrupted" => {
            "The process stopped between sending and hearing the answer. Look in the network's panel whether it \
             counted."
        }
        "no_answer" | "connection_lost" | "unreadable" | "contradiction" => {
            "The call left, and no readable answer came back. Look in the network's panel whether it counted, then \
             say so here."
        }
        "connect_failed" | "connect_timeout" | "tls_failed" => {
            "The network could not be reached. It is tried again by itself; if it lasts, check the account's \
             base_url and the network's status page."
        }
        "http_401" | "http_403" | "http_407" | "auth" | "invalid_key" => {
            "The network refuses the account: its key or token is wrong or was withdrawn. Put the right one into \
             the config, then resume the account. A dead letter was refused though the network took others of the \
             account: look for what is odd in its call."
        }
        "http_404" => "There is nothing at the account's address: check base_url, then resume the account.",
        "traffic" => "The offer's privacy settings do not let this traffic in. Ask the network.",
        "operator" => "A person paused the account.",
        BEHIND => {
            "These wait behind a delivery of the same click that is in doubt. Resolve that one, and they are sent."
        }
        "invalid_price" | "price_out_of_range" | "invalid_value" => {
            "The network does not take this value. Compare it with the range in the network's settings."
        }
        "invalid_code" => "The network does not know this goal: compare its name with the network's panel.",
        "https_required" => {
            "The network wants https: set the account's base_url to https, then resume the account."
        }
        _ => "",
    }
}

/// Why a landing brought no click.
pub(crate) fn loss(reason: &NoClick) -> &'static str {
    match reason {
        NoClick::Missing => "no click id in the URL",
        NoClick::Empty => "the click id was empty",
        NoClick::Macro => "the network did not replace its macro",
        NoClick::Malformed => "not of the form of this network's ids",
    }
}

/// What to do about a landing that brought no click.
pub(crate) fn loss_advice(reason: &NoClick) -> &'static str {
    match reason {
        NoClick::Missing => {
            "People who open the link by hand come so too. If most visitors do, the link in the network's panel \
             lacks the parameter: paste the campaign's link again."
        }
        NoClick::Empty => {
            "The parameter was there with nothing in it. The network had no id to fill in: ask it which of its \
             traffic has none."
        }
        NoClick::Macro => {
            "The macro in the network's panel is misspelt or of another network: paste the campaign's link again, \
             letter by letter."
        }
        NoClick::Malformed => {
            "Something else stands in the parameter, or the campaign belongs to another account. Compare one such \
             URL in the tester of the campaign's page."
        }
    }
}

/// What it means that a report was refused, and what to do about it.
pub(crate) fn refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::ClickExpired => {
            "The report came after the click's 30 days. No network takes it any more; if many come so late, ask the \
             service that reports why."
        }
        Refusal::UnknownClick => {
            "No such click was captured here, or its record is gone. Look for it under Clicks; a report by its click \
             token needs no record."
        }
        Refusal::InvalidClickToken => {
            "This is no token of this hub: it was cut, or the field of the visitor's order holds something else."
        }
        Refusal::UnknownUser => {
            "No live click brought this user: the visitor landed without a click id, or nobody called AttachUser. \
             Compare with the visitors without a click id, and mend the link in the network's panel."
        }
        Refusal::UnknownAccount => {
            "The config has no such account. Compare the name that the service reports."
        }
        Refusal::InvalidValue => {
            "A field is missing or wrong; the service that reports got the field's name in the answer. Render the \
             same report to see it."
        }
        Refusal::ContentDiffers => {
            "The same request or transaction id came before with other content. The first one counts."
        }
        Refusal::NotTaken => "The network takes no such conversion, or its click is not what it needs.",
    }
}

/// What is told.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Created => "conversion".to_owned(),
        Event::Changed(change) => format!("change: {}", changed(change)),
    }
}

fn changed(change: &Change) -> String {
    let mut told = Vec::new();
    if let Some(status) = &change.status {
        told.push(format!("status {}", show::text(status.as_str())));
    }
    if let Some(goal) = &change.goal {
        told.push(format!("goal {}", show::text(goal.as_str())));
    }
    if let Some(value) = &change.value {
        told.push(format!("value {value}"));
    }
    if let Some(payout) = &change.payout {
        told.push(format!("payout {payout}"));
    }
    told.extend(change.fields.keys().map(|name| format!("field {}", show::text(name))));
    told.join(", ")
}

/// Where a conversion came from.
pub(crate) fn source(source: &Source) -> String {
    match source {
        Source::Click(id) => format!("click {}", show::text(id.as_str())),
        Source::Flow(id) => format!("flow {id}"),
        Source::FlowCode(code) => format!("flow {}", show::text(code.as_str())),
    }
}

/// The reason of a delivery that ended, or of its last attempt.
pub(crate) fn reason(delivery: &Delivery) -> Option<&Reason> {
    match &delivery.state {
        DeliveryState::InDoubt(reason) | DeliveryState::Dead(reason) => Some(reason),
        DeliveryState::Delivered => None,
        _ => delivery.attempts.last().and_then(|attempt| attempt.reason.as_ref()),
    }
}

/// Whether a person, and no answer, said that the network has a delivery.
fn by_hand(delivery: &Delivery) -> bool {
    let last = delivery.attempts.last().map(|attempt| attempt.outcome);
    delivery.state == DeliveryState::Delivered
        && !matches!(last, Some(Outcome::Accepted | Outcome::AlreadyDone))
}

/// What keeps a pending delivery from being sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Halted {
    /// Its account is not in the config.
    pub(crate) removed: bool,
    pub(crate) paused: bool,
    /// Another delivery of its lane is in doubt.
    pub(crate) held: bool,
}

/// What happens next with a delivery, and when.
pub(crate) fn next(delivery: &Delivery, halted: Halted, now: Timestamp) -> String {
    let ended = now >= delivery.expires_at;
    let end = delivery.expires_at.strftime("%Y-%m-%d %H:%M UTC");
    match &delivery.state {
        DeliveryState::Delivered if by_hand(delivery) => {
            "Nothing more: a person said that the network has it.".to_owned()
        }
        DeliveryState::Delivered => "Nothing more: the network has it.".to_owned(),
        DeliveryState::Dead(_) if ended => {
            format!("Nothing more: the click's life ended at {end}, so it cannot be replayed.")
        }
        DeliveryState::Dead(_) => {
            format!("Nothing by itself. A person can replay it until {end}, once the cause is mended.")
        }
        DeliveryState::InDoubt(_) => "A person decides. Look in the network's panel whether this conversion is \
             there. If it is, mark it delivered; if not, have it sent again. Until then everything behind it on \
             the same click waits."
            .to_owned(),
        DeliveryState::Waiting | DeliveryState::Pending if halted.removed => {
            format!("Nothing is sent: the account is not in the config. Brought back, it goes on; it dies at {end}.")
        }
        DeliveryState::Waiting => {
            format!("It waits for the conversion that it changes, and is sent after it. It dies at {end}.")
        }
        DeliveryState::Pending if halted.held => {
            "It waits behind a delivery of the same click that is in doubt. Resolve that one first.".to_owned()
        }
        DeliveryState::Pending if halted.paused => {
            "Nothing is sent while the account is paused. It goes on when the account is resumed.".to_owned()
        }
        DeliveryState::Pending => match delivery.due_at {
            Some(due) if due > now => {
                let attempt = delivery.attempts.len() + 1;
                let (at, wait) = (due.strftime("%Y-%m-%d %H:%M:%S UTC"), show::ago(&due, &now));
                format!("Attempt {attempt} is made at {at} ({wait}); the last one before {end}.")
            }
            _ => "It is sent as soon as its turn comes: one click's deliveries go out one at a time.".to_owned(),
        },
    }
}

/// A kind, as a heading begins with it.
pub(crate) fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Lead => "Lead",
        Kind::Order => "Order",
        Kind::Goal => "Goal",
    }
}

/// Where a delivery is shown: in its conversion's story, or by itself while there is no conversion.
pub(crate) fn link(delivery: &Delivery) -> String {
    match delivery.state {
        DeliveryState::Waiting => format!("/deliveries/{}", delivery.id),
        _ => format!("/conversions/{}#d-{}", delivery.conversion, delivery.id),
    }
}

/// The UTM parameters that a click has.
pub(crate) fn utm(utm: &Utm) -> Vec<(&'static str, &str)> {
    let all = [
        ("utm_source", &utm.source),
        ("utm_medium", &utm.medium),
        ("utm_campaign", &utm.campaign),
        ("utm_term", &utm.term),
        ("utm_content", &utm.content),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
}
