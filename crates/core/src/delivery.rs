//! A delivery: one thing to tell the network, its attempts and what became of it.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use crate::{AccountId, Change, ConversionId, DeliveryId, LaneId, TraceParent};

/// How much of a network's answer is kept with an attempt, in bytes.
pub const ANSWER_KEPT: usize = 512;
/// How much of a reason's code is kept, in characters.
pub const CODE_KEPT: usize = 64;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The conversion itself.
    Created,
    /// A later change of it.
    Changed(Change),
}

/// Why something ended as it did: a short stable code and words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A stable word, such as `invalid_price`.
    pub code: String,
    /// What happened, for a person; holds no secret.
    pub message: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// In its lane: to be sent, or sent again, when its time comes.
    Pending,
    /// A change that came before its conversion, and waits for it outside the lane.
    Waiting,
    /// The network may or may not have counted it, and cannot be asked twice: a person decides.
    InDoubt(Reason),
    /// The network has it.
    Delivered,
    /// It will not be sent again by itself.
    Dead(Reason),
}

impl DeliveryState {
    /// `pending`, `waiting`, `in_doubt`, `delivered` or `dead`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::InDoubt(_) => "in_doubt",
            Self::Delivered => "delivered",
            Self::Dead(_) => "dead",
        }
    }

    /// Whether nothing more will happen by itself and no person is needed.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Delivered | Self::Dead(_))
    }
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The network took it.
    Accepted,
    /// The network had it already.
    AlreadyDone,
    /// The network asked to try again later.
    Retry,
    /// The network refused it for good.
    Rejected,
    /// The account's key, token or address is wrong.
    Misconfigured,
    /// Nothing reached the network.
    NotSent,
    /// It was sent, and no answer that can be read came back.
    Ambiguous,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::AlreadyDone,
        Self::Retry,
        Self::Rejected,
        Self::Misconfigured,
        Self::NotSent,
        Self::Ambiguous,
    ];

    /// A stable word, such as `already_done`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AlreadyDone => "already_done",
            Self::Retry => "retry",
            Self::Rejected => "rejected",
            Self::Misconfigured => "misconfigured",
            Self::NotSent => "not_sent",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// The proof of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, body included.
    pub duration: Duration,
    /// The call as sent, with secrets and personal data masked.
    pub call: String,
    /// The answer's HTTP status, where one came.
    pub status: Option<u16>,
    /// The first [`ANSWER_KEPT`] bytes of the answer's body, as text.
    pub answer: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: Option<Reason>,
}

/// One thing to tell the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Of which conversion; for a [`DeliveryState::Waiting`] one, the id that the conversion will have.
    pub conversion: ConversionId,
    /// For which account.
    pub account: AccountId,
    /// In which lane.
    pub lane: LaneId,
    /// What is told.
    pub event: Event,
    /// Where it stands.
    pub state: DeliveryState,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// An attempt that began and has no outcome yet; only kept for calls that cannot be repeated.
    pub started_at: Option<Timestamp>,
    /// The network's id of the lead, where its answer gave one.
    pub remote_id: Option<String>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The next attempt, while pending.
    pub due_at: Option<Timestamp>,
    /// After this it is not sent any more.
    pub expires_at: Timestamp,
    /// The trace in which it was recorded, where one was kept; its attempts belong to it.
    pub trace: Option<TraceParent>,
}
