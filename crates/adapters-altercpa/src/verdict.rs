//! What did the answer mean: the body decides, for the HTTP status is 200 whatever happened (AC-9, AC-13).

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use postback_core::{Reason, Verdict, by_status, retry_after};

use crate::{
    action::Action,
    answer::{Said, id},
};

/// Reads the answer to a creation or a change.
///
/// The network's word is taken where only the network can have said it: an `ok` under a 2xx, a code that it
/// documents under any HTTP status, any other code under a 2xx. An error that would end the delivery still yields
/// to an HTTP status that asks to come again.
pub(crate) fn verdict(action: Action, answer: &Response<Bytes>, now: Timestamp) -> Verdict {
    let success = answer.status().is_success();
    let said = match Said::read(answer.body()) {
        Some(Said::Ok(fields)) if success => Some(Verdict::Accepted { remote_id: remote_id(id(&fields)) }),
        Some(Said::Error { code, id }) => by_code(action, &code, id, || retry_after(answer.headers(), now))
            .or_else(|| success.then(|| undocumented(&code))),
        _ => None,
    };
    match (said, by_status(answer, now)) {
        (Some(Verdict::Rejected { .. }), Some(later @ Verdict::Retry { .. })) => later,
        (Some(said), _) => said,
        (None, Some(by_http)) => by_http,
        (None, None) => without_words(answer.status()),
    }
}

/// What a documented code means for what was asked; `None` for any other.
fn by_code(
    action: Action,
    code: &str,
    id: Option<u64>,
    after: impl FnOnce() -> Option<Duration>,
) -> Option<Verdict> {
    let reason = |message: &str| Reason::new(code, message);
    Some(match (code, action) {
        ("duplicate", Action::Create) | ("edit", Action::Change) => {
            Verdict::AlreadyDone { remote_id: remote_id(id) }
        }
        ("auth", _) => Verdict::Misconfigured { reason: reason("the network does not know this token") },
        ("no-id" | "bad-id", Action::Create) => {
            Verdict::Rejected { reason: reason("the network knows no such click or flow") }
        }
        ("no-id" | "bad-id", Action::Change) => Verdict::Rejected {
            reason: reason("the network knows no such lead: never created, or by another combination of ids"),
        },
        ("traffic", _) => {
            Verdict::Rejected { reason: reason("the offer's privacy settings do not let this traffic in") }
        }
        ("db", _) => Verdict::Retry { after: after(), reason: reason("the network's database failed") },
        _ => return None,
    })
}

/// Not counted, by the network's own word; nothing says that it never will be, and a repeat makes no double.
fn undocumented(code: &str) -> Verdict {
    let message = format!("the network answered an error that it does not document: {code}");
    Verdict::Retry { after: None, reason: Reason::new("other", message) }
}

fn remote_id(id: Option<u64>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn without_words(status: StatusCode) -> Verdict {
    if status == StatusCode::NOT_FOUND {
        let reason = Reason::new("http_404", "there is no AlterCPA at this address; is base_url right?");
        return Verdict::Misconfigured { reason };
    }
    let message = format!("the network answered {status} and no JSON object with a status");
    Verdict::Unreadable { reason: Reason::new("unreadable", message) }
}
