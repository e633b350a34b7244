//! The documented errors: Display is the message that the network answers.

use thiserror::Error;

use crate::click_book::NoClick;

#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    #[error("invalid code")]
    Code,
    #[error("clickid is empty")]
    ClickEmpty,
    #[error("clickid is short")]
    ClickShort,
    #[error("getting click error: invalid clickid")]
    Click(NoClick),
    #[error("invalid key")]
    Key(&'static str),
    #[error("invalid price value: 'strconv.ParseFloat: parsing \"{0}\": invalid syntax'")]
    Price(String),
    #[error("the price should be between 0.010 and 200.000")]
    Range,
    #[error("The transfer of the lead_code is possible only with the https protocol")]
    NotHttps,
    #[error("too many conversions")]
    Full,
}

impl Refusal {
    /// More than the network says.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Key(why) => (*why).to_owned(),
            Self::Click(no) => no.why().to_owned(),
            Self::Code => "the click id is not 40 characters of [0-9a-f]".to_owned(),
            other => other.to_string(),
        }
    }
}
