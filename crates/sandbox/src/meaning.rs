//! What a call meant to the network's books.

use serde::Serialize;

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Meant {
    /// A new conversion was counted.
    Counted(Booking),
    /// The conversion had been counted before, and was not counted again.
    Duplicate(Booking),
    /// A conversion that had been counted was changed.
    Changed(Booking),
    /// Nothing was written: something was looked up.
    LookedUp {
        /// `click`, `flow` or `offer`.
        what: &'static str,
        /// The id that was found.
        id: u64,
    },
    /// The network refused the call.
    Refused {
        /// Why, in more words than the answer has.
        why: String,
    },
    /// A fault stood in the way: the call never reached the books.
    Untouched,
}

/// One conversion as the network booked it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Booking {
    /// Lead, order or goal.
    pub kind: Kind,
    /// The click id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click: Option<String>,
    /// The flow's number, where no click was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<u64>,
    /// The caller's own key: `lead_code` at Traffic Stars, `exto` at AlterCPA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The amount as it was sent: `ov`, `value`, or `pay` and else `wm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The goal as the network knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// The network's id of the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<u64>,
    /// The lead's status after the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

/// The kind of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A prospect.
    #[default]
    Lead,
    /// A purchase.
    Order,
    /// One of several goals of an offer.
    Goal,
}
