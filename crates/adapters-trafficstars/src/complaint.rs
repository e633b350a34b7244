//! What the network complains of, by its own words (TS-9).

/// The complaint in an answer's `error.msg`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Complaint {
    /// `invalid code`: the click id is of the wrong form.
    InvalidCode,
    /// `invalid key`: a wrong key, or an account that may not send several leads on one click.
    InvalidKey,
    /// `invalid price value: ...`: the value or price is no number.
    InvalidPrice,
    /// `the price should be between ... and ...`: the value or price is out of range.
    PriceOutOfRange,
    /// `The transfer of the lead_code is possible only with the https protocol`.
    HttpsRequired,
    /// `clickid is empty`
    ClickIdEmpty,
    /// `clickid is short`
    ClickIdShort,
    /// `getting click error: invalid clickid`: the network cannot find the click.
    UnknownClick,
    /// A message that is not documented, as it came.
    Other(String),
}

impl Complaint {
    /// The complaint that a message means; upper and lower case are alike.
    pub fn parse(message: &str) -> Self {
        match message.trim().to_ascii_lowercase().as_str() {
            "invalid code" => Self::InvalidCode,
            "invalid key" => Self::InvalidKey,
            text if text.starts_with("invalid price value") => Self::InvalidPrice,
            text if text.starts_with("the price should be between") => Self::PriceOutOfRange,
            text if text.starts_with("the transfer of the lead_code is possible only with the https") => {
                Self::HttpsRequired
            }
            "clickid is empty" => Self::ClickIdEmpty,
            "clickid is short" => Self::ClickIdShort,
            "getting click error: invalid clickid" => Self::UnknownClick,
            _ => Self::Other(message.to_owned()),
        }
    }

    /// The code of the verdict's reason, such as `invalid_key`; `other` for what is not documented.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidCode => "invalid_code",
            Self::InvalidKey => "invalid_key",
            Self::InvalidPrice => "invalid_price",
            Self::PriceOutOfRange => "price_out_of_range",
            Self::HttpsRequired => "https_required",
            Self::ClickIdEmpty => "click_id_empty",
            Self::ClickIdShort => "click_id_short",
            Self::UnknownClick => "unknown_click",
            Self::Other(_) => "other",
        }
    }

    /// Whether the account's settings are at fault, so that every call would fail so.
    pub(crate) const fn is_of_the_account(&self) -> bool {
        matches!(self, Self::InvalidKey | Self::HttpsRequired)
    }
}
