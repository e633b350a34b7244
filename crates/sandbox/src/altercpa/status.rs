//! A lead's status: its numbers, the words that are recognized, and the caller's own words.

use serde::Serialize;

use super::asked::Asked;

/// A status, with the platform's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Status {
    /// Just created.
    New = 1,
    /// Being worked on.
    Processing = 2,
    /// To be called back.
    Callback = 3,
    /// Agreed, not yet paid.
    Hold = 4,
    /// Refused by the customer or the advertiser.
    Cancelled = 5,
    /// Approved; being packed.
    Packing = 6,
    /// Approved; being handed to the carrier.
    Sending = 7,
    /// Approved; on its way.
    Transfer = 8,
    /// Approved; at the customer's place.
    Arrived = 9,
    /// Approved and done.
    Completed = 10,
    /// Came back.
    Return = 11,
    /// Not a lead at all.
    Trash = 12,
}

impl Status {
    const ALL: [Self; 12] = [
        Self::New,
        Self::Processing,
        Self::Callback,
        Self::Hold,
        Self::Cancelled,
        Self::Packing,
        Self::Sending,
        Self::Transfer,
        Self::Arrived,
        Self::Completed,
        Self::Return,
        Self::Trash,
    ];

    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Processing => "processing",
            Self::Callback => "callback",
            Self::Hold => "hold",
            Self::Cancelled => "cancelled",
            Self::Packing => "packing",
            Self::Sending => "sending",
            Self::Transfer => "transfer",
            Self::Arrived => "arrived",
            Self::Completed => "completed",
            Self::Return => "return",
            Self::Trash => "trash",
        }
    }

    /// Whether commissions are due.
    pub const fn is_approved(self) -> bool {
        matches!(self, Self::Packing | Self::Sending | Self::Transfer | Self::Arrived | Self::Completed)
    }

    /// The status of a number.
    fn of_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u64 == number)
    }

    /// Automatic recognition.
    fn of_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "n" | "new" | "create" | "created" | "make" => Some(Self::New),
            "a" | "accept" | "accepted" | "approve" | "approved" | "confirm" | "confirmed" => {
                Some(Self::Completed)
            }
            "c" | "d" | "decline" | "declined" | "cancel" | "cancelled" | "canceled" => Some(Self::Cancelled),
            "t" | "trash" | "error" | "wrong" | "reject" | "bad" => Some(Self::Trash),
            "hold" => Some(Self::Hold),
            _ => None,
        }
    }
}

/// The status that a call wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) status: Option<Status>,
    /// Whether it comes from `stn`: create instead of change.
    pub(super) creates: bool,
    /// Whether a word was given that nothing recognizes.
    pub(super) unknown: bool,
}

/// The callers' own lists, in the order in which they are asked.
const LISTS: [(&str, Status); 6] = [
    ("sta", Status::Completed),
    ("stc", Status::Cancelled),
    ("stt", Status::Trash),
    ("sth", Status::Hold),
    ("stw", Status::Processing),
    ("stn", Status::New),
];

impl Wanted {
    /// Reads `stid`, else `accept=1`, else `status` by the caller's lists and then by recognition.
    pub(super) fn read(asked: &mut Asked<'_>) -> Self {
        let ways = ["stid", "accept", "status"].iter().filter(|name| asked.given(name).is_some()).count();
        if ways > 1 {
            asked.remark("the status is given in more than one way: stid, then accept, then status counts");
        }
        if let Some(number) = asked.number("stid") {
            let status = Status::of_number(number);
            if status.is_none() {
                asked.remark("`stid` is no status: passed over");
            }
            return Self { status, unknown: status.is_none(), ..Self::default() };
        }
        if asked.flag("accept") {
            return Self { status: Some(Status::Completed), ..Self::default() };
        }
        let Some(word) = asked.given("status").map(str::trim) else {
            return Self::default();
        };
        let holds =
            |name: &&str| asked.given(name).is_some_and(|list| list.split(',').any(|own| same(own, word)));
        if let Some((name, status)) = LISTS.into_iter().find(|(name, _)| holds(name)) {
            return Self { status: Some(status), creates: name == "stn", unknown: false };
        }
        let status = Status::of_word(word);
        if status.is_none() {
            asked.remark("the status word is not recognized: passed over");
        }
        Self { status, unknown: status.is_none(), ..Self::default() }
    }
}

fn same(own: &str, word: &str) -> bool {
    own.trim().eq_ignore_ascii_case(word)
}
