//! A conversion: a visitor became a lead, an order, or reached a goal.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::{
    AccountId, CampaignId, ClickId, ConversionId, Error, FlowCode, FlowId, Goal, LaneId, Money, RequestId,
    Result, TransactionId, UserId, lane, quoted,
};

/// Where a conversion came from, once resolved: what the network will be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// One click.
    Click(ClickId),
    /// An AlterCPA flow by number, for leads without a click.
    Flow(FlowId),
    /// An AlterCPA flow by code, for leads without a click.
    FlowCode(FlowCode),
}

/// What a conversion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A qualified prospect.
    Lead,
    /// A purchase.
    Order,
    /// A step that the network knows by name; [`Details::goal`] names it.
    Goal,
}

impl Kind {
    /// `lead`, `order` or `goal`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Order => "order",
            Self::Goal => "goal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        match value {
            "lead" => Ok(Self::Lead),
            "order" => Ok(Self::Order),
            "goal" => Ok(Self::Goal),
            _ => Err(Error::invalid("kind", format!("`{}` is not lead, order or goal", quoted(value)))),
        }
    }
}

/// The state of a lead or order in the advertiser's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Just created.
    New,
    /// Being worked on: what many call pending.
    Processing,
    /// Agreed but not yet paid; not a word for pending.
    Hold,
    /// Accepted.
    Approved,
    /// Cancelled by the customer or the advertiser.
    Cancelled,
    /// Not a real lead.
    Trash,
    /// The advertiser's own word, sent as it is.
    Own(String),
}

impl Status {
    /// The word: one of the six, or the advertiser's own.
    pub fn as_str(&self) -> &str {
        match self {
            Self::New => "new",
            Self::Processing => "processing",
            Self::Hold => "hold",
            Self::Approved => "approved",
            Self::Cancelled => "cancelled",
            Self::Trash => "trash",
            Self::Own(word) => word,
        }
    }
}

impl FromStr for Status {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        Ok(match value {
            "new" => Self::New,
            "processing" => Self::Processing,
            "hold" => Self::Hold,
            "approved" => Self::Approved,
            "cancelled" => Self::Cancelled,
            "trash" => Self::Trash,
            "" => {
                return Err(
                    Error::invalid("status", "is empty; want a word such as approved").because("MISSING")
                );
            }
            own if own.len() <= 64 && !own.chars().any(|c| c.is_control() || c == ',') => {
                Self::Own(own.to_owned())
            }
            _ => {
                return Err(Error::invalid(
                    "status",
                    format!(
                        "`{}` is not valid; want 1 to 64 bytes without comma or control characters",
                        quoted(value)
                    ),
                ));
            }
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The customer behind a lead. Erased from the record once its deliveries were delivered, or are dead and cannot be
/// replayed any more; never in Debug.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// Name.
    pub name: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Email.
    pub email: Option<String>,
    /// ISO 3166 alpha-2 country; not erased.
    pub country: Option<String>,
}

impl Customer {
    /// Whether name, phone and email are absent.
    pub fn is_anonymous(&self) -> bool {
        self.name.is_none() && self.phone.is_none() && self.email.is_none()
    }

    /// Name, phone and email, as far as they are known.
    pub fn private(&self) -> impl Iterator<Item = &str> {
        [&self.name, &self.phone, &self.email].into_iter().flatten().map(String::as_str)
    }

    /// Removes name, phone and email.
    pub fn erase(&mut self) {
        *self = Self { country: self.country.take(), ..Self::default() };
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer").field("country", &self.country).finish_non_exhaustive()
    }
}

/// The network field of free text, whatever the network: the one that may tell of a person, and is erased with one. All
/// others are ids, words and numbers without which a call would be another one.
pub const COMMENT: &str = "comment";

/// What is told of a conversion. Debug names the fields and does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Details {
    /// Lead, order or goal.
    pub kind: Kind,
    /// The goal's name at the network; always there for [`Kind::Goal`].
    pub goal: Option<Goal>,
    /// What it is worth to the advertiser: for an order the customer's total, shipping and tax included.
    pub value: Option<Money>,
    /// The part of the value that is shipping, in the value's currency.
    pub shipping: Option<Decimal>,
    /// The part of the value that is tax, in the value's currency.
    pub tax: Option<Decimal>,
    /// What the advertiser pays the network for it, where that is not left to the campaign's settings.
    pub payout: Option<Money>,
    /// The advertiser's id of it.
    pub transaction_id: Option<TransactionId>,
    /// Its state, where it is not plainly new.
    pub status: Option<Status>,
    /// The customer.
    pub customer: Customer,
    /// What this network alone knows, by the network's parameter name; the adapter refuses what it does not know.
    pub fields: BTreeMap<String, String>,
}

impl Details {
    /// A conversion of `kind` of which nothing else is known.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            goal: None,
            value: None,
            shipping: None,
            tax: None,
            payout: None,
            transaction_id: None,
            status: None,
            customer: Customer::default(),
            fields: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("kind", &self.kind)
            .field("goal", &self.goal)
            .field("value", &self.value)
            .field("shipping", &self.shipping)
            .field("tax", &self.tax)
            .field("payout", &self.payout)
            .field("transaction_id", &self.transaction_id)
            .field("status", &self.status)
            .field("customer", &self.customer)
            .field("fields", &self.fields.keys())
            .finish()
    }
}

/// A later word on a conversion: its status, its goal or its money changed. Debug as of [`Details`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The new state.
    pub status: Option<Status>,
    /// The new goal.
    pub goal: Option<Goal>,
    /// The new value.
    pub value: Option<Money>,
    /// The new payout.
    pub payout: Option<Money>,
    /// What this network alone knows, by the network's parameter name.
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("status", &self.status)
            .field("goal", &self.goal)
            .field("value", &self.value)
            .field("payout", &self.payout)
            .field("fields", &self.fields.keys())
            .finish()
    }
}

/// A conversion, recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Its id.
    pub id: ConversionId,
    /// The account at the network.
    pub account: AccountId,
    /// The campaign of its click, where known.
    pub campaign: Option<CampaignId>,
    /// Where it came from.
    pub source: Source,
    /// When its click was captured; a flow has none.
    pub click_time: Option<Timestamp>,
    /// The user by whom it was attributed.
    pub user: Option<UserId>,
    /// The caller's request.
    pub request_id: Option<RequestId>,
    /// The lane of its deliveries.
    pub lane: LaneId,
    /// What is told of it.
    pub details: Details,
    /// When it happened, by the caller's word.
    pub occurred_at: Timestamp,
    /// When it was recorded here.
    pub recorded_at: Timestamp,
}

impl Conversion {
    /// The key under which the network tells this conversion from others: 26 characters, the same on every
    /// attempt and every change. It is made of [`Conversion::key`] where there is one, so that a lead and an
    /// order of one transaction differ; else of the id.
    pub fn network_key(&self) -> String {
        self.key().map_or_else(|| lane::base32(*self.id.as_bytes()), |key| lane::base32(key.0))
    }

    /// The key that tells a repeat from a new conversion, where the caller gave a transaction id.
    pub fn key(&self) -> Option<ConversionKey> {
        let id = self.details.transaction_id.as_ref()?;
        Some(ConversionKey::of(
            &self.account,
            &self.source,
            self.details.kind,
            self.details.goal.as_ref(),
            id,
        ))
    }
}

/// A digest of (account, source, kind, goal, transaction id): equal for a repeat of the same conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConversionKey([u8; 16]);

impl ConversionKey {
    /// The key of a conversion with this transaction id. A goal counts only for [`Kind::Goal`].
    pub fn of(
        account: &AccountId,
        source: &Source,
        kind: Kind,
        goal: Option<&Goal>,
        id: &TransactionId,
    ) -> Self {
        let (form, source) = match source {
            Source::Click(id) => ("click", id.as_str()),
            Source::Flow(id) => ("flow", id.as_str()),
            Source::FlowCode(code) => ("code", code.as_str()),
        };
        let goal = goal.filter(|_| kind == Kind::Goal).map_or("", Goal::as_str);
        Self(lane::digest(&[account.as_str(), form, source, kind.as_str(), goal, id.as_str()]))
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A digest of everything a caller said in a request: it tells a repeat from another request under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of the request's parts, in a fixed order.
    pub fn of(parts: &[&str]) -> Self {
        Self(lane::digest(parts))
    }

    /// The fingerprint that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The fingerprint's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_debug_names_its_fields_and_shows_none() {
        let fields = BTreeMap::from([(COMMENT.to_owned(), "CANARY".to_owned())]);
        let details = Details { fields: fields.clone(), ..Details::new(Kind::Lead) };
        for debug in [format!("{details:?}"), format!("{:?}", Change { fields, ..Change::default() })] {
            assert!(debug.contains(COMMENT) && !debug.contains("CANARY"), "{debug}");
        }
    }
}
