//! What did the answer mean: the body's word where it has one, else the HTTP status (TS-8 to TS-10).

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use postback_core::{Reason, Verdict, by_status};
use serde_json::{Map, Value};

use crate::complaint::Complaint;

/// Reads an answer. A documented complaint counts whatever the HTTP status, and whatever else the body says;
/// `ok` counts under a success alone. Any other body may be a gateway's, in JSON too.
pub(crate) fn verdict(answer: &Response<Bytes>, now: Timestamp) -> Verdict {
    let status = answer.status();
    match Said::read(answer.body()) {
        Said::Error { message, ok } => complaint(&message, ok, answer, now),
        Said::Ok if status.is_success() => Verdict::Accepted { remote_id: None },
        Said::Ok => contradiction(format!("Traffic Stars answered {status} and says ok")),
        Said::NotOk | Said::Nothing if of_a_gateway(status) => without_words(status),
        Said::NotOk => by_status(answer, now).unwrap_or_else(|| Verdict::Retry {
            after: None,
            reason: Reason::new("not_ok", "Traffic Stars says that it is not ok, and not why"),
        }),
        Said::Nothing => by_status(answer, now).unwrap_or_else(|| without_words(status)),
    }
}

/// What the body says.
enum Said {
    Ok,
    NotOk,
    /// A complaint, and whether the same body says ok.
    Error {
        message: String,
        ok: bool,
    },
    Nothing,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(body) else { return Self::Nothing };
        let ok = body.get("ok").and_then(Value::as_bool);
        match (body.get("error"), ok) {
            (Some(error), _) if !error.is_null() => {
                Self::Error { message: message(error), ok: ok == Some(true) }
            }
            (_, Some(true)) => Self::Ok,
            (_, Some(false)) => Self::NotOk,
            _ => Self::Nothing,
        }
    }
}

/// The words of an error: its `msg`, or the error itself where it has another shape.
fn message(error: &Value) -> String {
    match error.get("msg").unwrap_or(error) {
        Value::String(message) if !message.is_empty() => message.clone(),
        other => other.to_string(),
    }
}

fn contradiction(message: String) -> Verdict {
    Verdict::Unreadable { reason: Reason::new("contradiction", message) }
}

fn complaint(message: &str, ok: bool, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
    let complaint = Complaint::parse(message);
    let reason = Reason::new(complaint.code(), message);
    if complaint.is_of_the_account() {
        return Verdict::Misconfigured { reason };
    }
    match (complaint, by_status(answer, now)) {
        (Complaint::Other(_), _) if ok => {
            contradiction(format!("Traffic Stars says ok, and complains: {message}"))
        }
        (Complaint::Other(_), _) if of_a_gateway(answer.status()) => without_words(answer.status()),
        (Complaint::Other(_), Some(Verdict::Misconfigured { .. })) => Verdict::Misconfigured { reason },
        (Complaint::Other(_), Some(Verdict::Retry { after, .. })) => Verdict::Retry { after, reason },
        (Complaint::Other(_), _) => Verdict::Retry { after: None, reason },
        _ => Verdict::Rejected { reason },
    }
}

/// Whether something in between says that it had no good answer of the network, which may have counted the
/// call: 520 and 524 are what some say instead of 502 and 504.
fn of_a_gateway(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502 | 504 | 520 | 524)
}

/// A body that is not the network's: something in between may have answered. Under a client error the call was
/// not counted, and it is not the network that refused it.
fn without_words(status: StatusCode) -> Verdict {
    let reason =
        |code: String| Reason::new(code, format!("{status} came without a word that the network documents"));
    if status.is_client_error() {
        Verdict::Retry { after: None, reason: reason(format!("http_{}", status.as_u16())) }
    } else {
        Verdict::Unreadable { reason: reason("unreadable".to_owned()) }
    }
}
