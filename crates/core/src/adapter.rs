//! The adapter: how one account at one network is told of a conversion.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    BaseUrl, CODE_KEPT, ClickId, Conversion, Error, Event, Found, LandingQuery, LookUp, Reason, Result,
    Status, redacted,
};

/// One account at one network: its settings, and the network's dialect. Pure: bytes in, bytes out.
pub trait Adapter: fmt::Debug + Send + Sync {
    /// The network's name in lower case, such as `powerspace`.
    fn network(&self) -> &'static str;

    /// The network's base URL, by which it can be seen whether the network is reachable; `None` if the adapter has none.
    fn base_url(&self) -> Option<&BaseUrl> {
        None
    }

    /// The landing parameter that carries the click id where a campaign does not name one.
    fn click_parameter(&self) -> &'static str;

    /// Which click is this? Reads the network's click id from a landing query.
    ///
    /// # Errors
    /// Why there is none; the visitor is sent on all the same.
    fn click_id(&self, query: &LandingQuery<'_>, parameter: &str) -> Result<ClickId, NoClick>;

    /// What to append to the edge's URL in the network's panel, macros verbatim, such as
    /// `click_id={click_id}`; empty where the network appends its parameter by itself.
    fn link_query(&self, parameter: &str) -> String;

    /// What call is it?
    ///
    /// # Errors
    /// Why it cannot be sent, laid at the field that is wrong; nothing was sent.
    fn call(&self, postback: &Postback<'_>) -> Result<Call>;

    /// What did the answer mean?
    ///
    /// The body may be cut at the dispatcher's limit. `now` is for a `Retry-After` that names a date. A reason's
    /// code is a word of this adapter; its message may be the network's own, and repeat what is private.
    fn verdict(&self, postback: &Postback<'_>, answer: &Response<Bytes>, now: Timestamp) -> Verdict;

    /// What the network was sent and nobody is to see should an answer repeat it, beside the customer's name, phone
    /// and email: the account's secrets, and free text.
    fn private<'a>(&'a self, postback: &Postback<'a>) -> Vec<&'a str> {
        let _ = postback;
        Vec::new()
    }

    /// The call that looks something up at the network.
    ///
    /// # Errors
    /// `FailedPrecondition` where the network has no look-ups; `InvalidArgument` for a wrong combination.
    fn look_up(&self, ask: &LookUp) -> Result<Call> {
        let _ = ask;
        Err(no_look_ups(self.network()))
    }

    /// What a look-up's answer says.
    ///
    /// # Errors
    /// `NotFound` where the network knows none; `FailedPrecondition` for a wrong token; `Unavailable` for an
    /// answer that cannot be read.
    fn found(&self, ask: &LookUp, answer: &Response<Bytes>) -> Result<Found> {
        let _ = (ask, answer);
        Err(no_look_ups(self.network()))
    }
}

fn no_look_ups(network: &str) -> Error {
    Error::precondition("NO_LOOK_UPS", format!("{network} has no look-ups"))
}

/// One thing to tell: a conversion, or a change of it.
#[derive(Clone, Copy, Debug)]
pub struct Postback<'a> {
    /// The conversion.
    pub conversion: &'a Conversion,
    /// Its creation or a change.
    pub event: &'a Event,
}

impl Postback<'_> {
    /// For a network that counts whatever it is told, at once and for good: what would not count must not be told.
    /// Returns a warning of a status that is left out.
    ///
    /// # Errors
    /// `FailedPrecondition` for a change, and at `status` for one that would not count.
    pub fn counts_at_once(&self, network: &str) -> Result<Option<String>> {
        if let Event::Changed(_) = self.event {
            let message = format!("{network} takes no changes: what it was told once stays");
            return Err(Error::precondition("NO_STATUS_CHANGES", message));
        }
        match &self.conversion.details.status {
            None | Some(Status::New | Status::Approved) => Ok(None),
            Some(status @ (Status::Processing | Status::Hold)) => {
                Ok(Some(format!("status: `{status}` is not told; {network} counts the conversion at once")))
            }
            Some(status @ (Status::Cancelled | Status::Trash | Status::Own(_))) => {
                let message =
                    format!("`{status}` cannot be told; {network} would count the conversion as won");
                Err(Error::precondition("NO_STATUSES", message).at("status"))
            }
        }
    }
}

/// Why a landing query brings no click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoClick {
    /// The parameter is not there.
    Missing,
    /// The parameter is there and empty.
    Empty,
    /// The network did not replace its macro: the link in its panel is wrong.
    Macro,
    /// Not of the form that the network's ids have.
    Malformed,
}

impl NoClick {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Empty, Self::Macro, Self::Malformed];

    /// `missing`, `empty`, `macro` or `malformed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Macro => "macro",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for NoClick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for NoClick {}

/// A call that is ready to be sent. Debug shows it as people may see it.
pub struct Call {
    /// The request, with an absolute URI.
    pub request: Request<Bytes>,
    /// The request for people: method, URL and form with every secret and every personal datum as `***`.
    pub shown: String,
    /// Whether it may be sent again when nobody knows whether it arrived.
    pub repeat: Repeat,
    /// What the caller should mend, though the network takes it.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("shown", &self.shown)
            .field("repeat", &self.repeat)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Whether the network tells a repeat from a new conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It does, by this key: the call may be sent again.
    Keyed(String),
    /// It does not: the account's settings say what to do.
    Unkeyed(OnAmbiguous),
}

/// What to do with a call that may or may not have been counted, where a repeat would count again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAmbiguous {
    /// Hold it in doubt until a person decides.
    #[default]
    Hold,
    /// Send it again and accept a possible double.
    Resend,
}

/// What a network's answer meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing but Accepted and AlreadyDone was counted"]
pub enum Verdict {
    /// It was counted.
    Accepted {
        /// The network's id of it.
        remote_id: Option<String>,
    },
    /// It had been counted before: a repeat of ours has succeeded.
    AlreadyDone {
        /// The network's id of the first.
        remote_id: Option<String>,
    },
    /// It was not counted, and may be later.
    Retry {
        /// How long the network asks to wait.
        after: Option<Duration>,
        /// Why.
        reason: Reason,
    },
    /// It was not counted and never will be.
    Rejected {
        /// Why.
        reason: Reason,
    },
    /// The account's key, token or address is wrong: every call would fail so.
    Misconfigured {
        /// Why.
        reason: Reason,
    },
    /// An answer came that does not say whether it was counted.
    Unreadable {
        /// Why.
        reason: Reason,
    },
}

impl Verdict {
    /// The same, its reason cut to [`CODE_KEPT`] and [`ANSWER_KEPT`](crate::ANSWER_KEPT), and in its message nothing of
    /// what is private. A code is the adapter's own word, and stays.
    pub fn masked(mut self, private: &[&str]) -> Self {
        match &mut self {
            Self::Accepted { .. } | Self::AlreadyDone { .. } => {}
            Self::Retry { reason, .. }
            | Self::Rejected { reason }
            | Self::Misconfigured { reason }
            | Self::Unreadable { reason } => {
                reason.code = reason.code.chars().take(CODE_KEPT).collect();
                reason.message = redacted(&reason.message, private);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_debug_shows_neither_its_url_nor_its_body() {
        let request = Request::post("https://a.example/?key=canary").body(Bytes::from("canary")).unwrap();
        let shown = "POST https://a.example/?key=***".to_owned();
        let call = Call { request, shown, repeat: Repeat::Unkeyed(OnAmbiguous::Hold), warnings: Vec::new() };
        let debug = format!("{call:?}");
        assert!(!debug.contains("canary") && debug.contains("key=***"), "{debug}");
    }

    #[test]
    fn a_reason_tells_nothing_private_and_keeps_its_code() {
        let masked = |code: &str, message: &str| {
            let verdict = Verdict::Rejected { reason: Reason::new(code, message) };
            match verdict.masked(&["in", "in Rome"]) {
                Verdict::Rejected { reason } => reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(masked("in_doubt", "no in, in Rome"), Reason::new("in_doubt", "no ***, ***"));
        let long = masked(&"é".repeat(100), &"x".repeat(1_000));
        assert_eq!((long.code.chars().count(), long.message.len()), (CODE_KEPT, crate::ANSWER_KEPT));
    }
}
