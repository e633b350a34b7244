//! Why a reported conversion was refused.

use std::fmt;

use crate::{Error, ErrorKind};

/// Why a reported conversion was refused for good, so that it is counted nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The click's life was over.
    ClickExpired,
    /// The click was never captured, or its record is gone.
    UnknownClick,
    /// The click token is not one of this hub.
    InvalidClickToken,
    /// The user has no click that could have brought it.
    UnknownUser,
    /// The hub has no such account.
    UnknownAccount,
    /// A field is missing or wrong.
    InvalidValue,
    /// The same id came before with other content.
    ContentDiffers,
    /// The network takes no such conversion.
    NotTaken,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::ClickExpired,
        Self::UnknownClick,
        Self::InvalidClickToken,
        Self::UnknownUser,
        Self::UnknownAccount,
        Self::InvalidValue,
        Self::ContentDiffers,
        Self::NotTaken,
    ];

    /// What an error means for a report; nothing where it may be taken the next time.
    pub fn of(error: &Error) -> Option<Self> {
        match (error.kind(), error.reason()) {
            (ErrorKind::Unavailable | ErrorKind::ResourceExhausted | ErrorKind::Internal, _) => None,
            (_, "CLICK_EXPIRED") => Some(Self::ClickExpired),
            (_, "UNKNOWN_CLICK") => Some(Self::UnknownClick),
            (_, "INVALID_CLICK_TOKEN") => Some(Self::InvalidClickToken),
            (_, "UNKNOWN_USER") => Some(Self::UnknownUser),
            (_, "UNKNOWN_ACCOUNT") => Some(Self::UnknownAccount),
            (ErrorKind::InvalidArgument, _) => Some(Self::InvalidValue),
            (ErrorKind::AlreadyExists, _) => Some(Self::ContentDiffers),
            (ErrorKind::NotFound | ErrorKind::FailedPrecondition, _) => Some(Self::NotTaken),
        }
    }

    /// Its stable word, such as `click_expired`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClickExpired => "click_expired",
            Self::UnknownClick => "unknown_click",
            Self::InvalidClickToken => "invalid_click_token",
            Self::UnknownUser => "unknown_user",
            Self::UnknownAccount => "unknown_account",
            Self::InvalidValue => "invalid_value",
            Self::ContentDiffers => "content_differs",
            Self::NotTaken => "not_taken",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_taken_the_next_time_is_no_refusal() {
        let full = Error::new(ErrorKind::ResourceExhausted, "LANE_FULL", "is full");
        for later in [Error::unavailable("away"), Error::internal("a defect"), full] {
            assert_eq!(Refusal::of(&later), None, "{later}");
        }
    }

    #[test]
    fn each_refusal_has_the_word_of_its_reason_or_of_its_kind() {
        let words = [
            (Error::precondition("CLICK_EXPIRED", "over"), "click_expired"),
            (Error::not_found("UNKNOWN_USER", "nobody"), "unknown_user"),
            (Error::invalid("details.value", "is negative").because("OUT_OF_RANGE"), "invalid_value"),
            (Error::invalid("click_token", "is cut").because("INVALID_CLICK_TOKEN"), "invalid_click_token"),
            (Error::conflict("request_id"), "content_differs"),
            (Error::precondition("NO_STATUSES", "takes none"), "not_taken"),
        ];
        for (error, word) in words {
            assert_eq!(Refusal::of(&error).map(Refusal::as_str), Some(word), "{error}");
        }
    }
}
