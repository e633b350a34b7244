//! What AlterCPA says, in the documented shapes.

use std::borrow::Cow;

use http::StatusCode;
use serde::Serialize;

use crate::{
    Booking, Meant,
    reply::{Outcome, Reply},
};

#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    #[serde(flatten)]
    fields: T,
}

#[derive(Serialize)]
struct Id {
    id: u64,
}

#[derive(Serialize)]
struct Error {
    status: &'static str,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
}

/// `{"status":"ok", ...}` with the fields after `status`.
pub(super) fn found(fields: impl Serialize, what: &'static str, id: u64) -> Outcome {
    let reply = Reply::json(StatusCode::OK, &Success { status: "ok", fields });
    Outcome::new(reply, Meant::LookedUp { what, id })
}

/// `{"status":"ok","id":...}`
pub(super) fn written(id: u64, meant: Meant) -> Outcome {
    Outcome::new(Reply::json(StatusCode::OK, &Success { status: "ok", fields: Id { id } }), meant)
}

/// The lead exists already: an error with the original's id.
pub(super) fn duplicate(original: u64, booking: Booking) -> Outcome {
    repeat(&Error { status: "error", error: "duplicate", id: Some(original) }, booking)
}

/// The lead is in the wanted state already.
pub(super) fn edit(booking: Booking) -> Outcome {
    repeat(&Error { status: "error", error: "edit", id: None }, booking)
}

fn repeat(body: &Error, booking: Booking) -> Outcome {
    Outcome::new(Reply::json(StatusCode::OK, body), Meant::Duplicate(booking))
}

/// A refusal: the documented code, and more words for the journal.
#[derive(Debug)]
pub(super) struct Failure {
    code: &'static str,
    why: Cow<'static, str>,
}

impl Failure {
    pub(super) fn auth(why: &'static str) -> Self {
        Self { code: "auth", why: why.into() }
    }

    pub(super) fn no_id(why: &'static str) -> Self {
        Self { code: "no-id", why: why.into() }
    }

    pub(super) fn bad_id(why: impl Into<Cow<'static, str>>) -> Self {
        Self { code: "bad-id", why: why.into() }
    }

    pub(super) fn traffic() -> Self {
        Self { code: "traffic", why: "privacy settings prohibit traffic to the offer".into() }
    }

    pub(super) fn db(why: &'static str) -> Self {
        Self { code: "db", why: why.into() }
    }

    /// Nothing to change, for no word of the call says what.
    pub(super) fn edit(why: &'static str) -> Self {
        Self { code: "edit", why: why.into() }
    }

    pub(super) fn no_click(why: &'static str) -> Self {
        Self { code: "no-click", why: why.into() }
    }

    pub(super) fn no_offer() -> Self {
        Self { code: "no-offer", why: "a global token needs the offer's id".into() }
    }

    pub(super) fn outcome(self) -> Outcome {
        let body = Error { status: "error", error: self.code, id: None };
        Outcome::refused(Reply::json(StatusCode::OK, &body), self.why)
    }
}
