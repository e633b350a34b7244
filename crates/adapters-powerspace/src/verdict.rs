//! What did the answer mean: the HTTP status alone decides (PS-10, PS-12).

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use postback_core::{Reason, Verdict, by_status};

/// The reason's code where the click id is missing or of the wrong form; final (PS-10).
pub const INVALID_CLICK: &str = "invalid_click";
/// The reason's code where the click is unknown or older than about 30 days; final (PS-10).
pub const EXPIRED_CLICK: &str = "expired_click";

/// Reads an answer. The body counts for nothing.
///
/// A success other than 200 is nothing that Powerspace promises, and may come from something in between: it is
/// not taken for a conversion. A client error other than 400 and 404 was not counted and would be answered alike
/// the next time.
pub(crate) fn verdict(answer: &Response<Bytes>, now: Timestamp) -> Verdict {
    let status = answer.status();
    let reason = |code: &str, message: &str| Reason::new(code, message);
    match status {
        StatusCode::OK => Verdict::Accepted { remote_id: None },
        StatusCode::BAD_REQUEST => Verdict::Rejected {
            reason: reason(INVALID_CLICK, "Powerspace says that the click id is missing or invalid"),
        },
        StatusCode::NOT_FOUND => Verdict::Rejected {
            reason: reason(EXPIRED_CLICK, "Powerspace says that the click is unknown or expired"),
        },
        _ => by_status(answer, now).unwrap_or_else(|| unnamed(status)),
    }
}

fn unnamed(status: StatusCode) -> Verdict {
    let reason = Reason::new(
        format!("http_{}", status.as_u16()),
        format!("Powerspace answered {status}, which it does not document"),
    );
    if status.is_client_error() { Verdict::Rejected { reason } } else { Verdict::Unreadable { reason } }
}
