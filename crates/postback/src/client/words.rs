//! The contract's values as people write them: `DELIVERY_STATE_IN_DOUBT` is `in_doubt`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use postback_proto::v1::{
    Conversion, ConversionDetails, Deed, DeliveryState, Kind, Money, Outcome, conversion,
};

/// An enum of the contract.
pub(super) trait Word: Copy + PartialEq + Send + Sync + 'static {
    /// Each value by its word; the one that says nothing has none.
    const WORDS: &'static [(&'static str, Self)];

    /// Its word.
    fn word(self) -> String {
        let known = Self::WORDS.iter().find(|(_, value)| *value == self);
        known.map_or("unknown", |(word, _)| word).to_owned()
    }
}

/// Reads a word from a command line.
pub(super) fn parser<W: Word>() -> impl TypedValueParser<Value = W> {
    let words = PossibleValuesParser::new(W::WORDS.iter().map(|(word, _)| *word));
    words.try_map(|text| find(&text).ok_or("is not one of them"))
}

/// The value of a word.
pub(super) fn find<W: Word>(text: &str) -> Option<W> {
    W::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

macro_rules! words {
    ($($name:ident { $($value:ident = $word:literal,)* })*) => {$(
        impl Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$value)),*];
        }
    )*};
}

words! {
    Kind {
        Lead = "lead",
        Order = "order",
        Goal = "goal",
    }
    DeliveryState {
        Pending = "pending",
        Waiting = "waiting",
        InDoubt = "in_doubt",
        Delivered = "delivered",
        Dead = "dead",
    }
    Outcome {
        Accepted = "accepted",
        AlreadyDone = "already_done",
        Retry = "retry",
        Rejected = "rejected",
        Misconfigured = "misconfigured",
        NotSent = "not_sent",
        Ambiguous = "ambiguous",
    }
    Deed {
        Replay = "replay",
        ResolveDelivered = "resolve_delivered",
        ResolveResend = "resolve_resend",
        Pause = "pause",
        Resume = "resume",
        Erase = "erase",
    }
}

/// What the network is told to be the source.
pub(super) fn source(conversion: &Conversion) -> String {
    match &conversion.source {
        Some(conversion::Source::ClickId(id)) => id.clone(),
        Some(conversion::Source::FlowId(id)) => format!("flow {id}"),
        Some(conversion::Source::FlowCode(code)) => format!("flow {code}"),
        None => String::new(),
    }
}

/// Lead, order, or the goal by its name.
pub(super) fn kind(details: &ConversionDetails) -> String {
    match details.goal.as_str() {
        "" => details.kind().word(),
        goal => format!("{} {goal}", details.kind().word()),
    }
}

/// An amount with its currency; empty where there is none.
pub(super) fn money(money: Option<&Money>) -> String {
    money.map(|money| format!("{} {}", money.amount, money.currency)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_contracts_name_without_the_enums() {
        for (word, state) in DeliveryState::WORDS {
            assert_eq!(state.as_str_name(), format!("DELIVERY_STATE_{}", word.to_uppercase()));
        }
        assert_eq!(
            (Deed::ResolveResend.word().as_str(), find::<Kind>("order")),
            ("resolve_resend", Some(Kind::Order))
        );
        assert_eq!((Kind::Unspecified.word().as_str(), find::<Kind>("unknown")), ("unknown", None));
    }
}
