//! PS-10 and PS-12: the answers.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, header::RETRY_AFTER};
use jiff::Timestamp;
use postback_core::{Adapter, Event, Postback, Reason, Verdict};
use proptest::prelude::*;

use crate::{click, conversion, order, powerspace};

fn verdict(status: u16, body: impl Into<Bytes>) -> Verdict {
    judge(&Response::builder().status(status).body(body.into()).unwrap())
}

fn judge(answer: &Response<Bytes>) -> Verdict {
    let conversion = conversion(click("a"), order("1"));
    let postback = Postback { conversion: &conversion, event: &Event::Created };
    powerspace("").verdict(&postback, answer, Timestamp::UNIX_EPOCH)
}

#[test]
fn ps_10_200_is_recorded() {
    assert_eq!(verdict(200, ""), Verdict::Accepted { remote_id: None });
}

#[test]
fn ps_10_400_and_404_are_final() {
    let invalid = Reason::new("invalid_click", "Powerspace says that the click id is missing or invalid");
    assert_eq!(verdict(400, ""), Verdict::Rejected { reason: invalid });
    let expired = Reason::new("expired_click", "Powerspace says that the click is unknown or expired");
    assert_eq!(verdict(404, ""), Verdict::Rejected { reason: expired });
}

#[test]
fn ps_10_5xx_is_for_later() {
    for status in [500, 502, 503, 504, 599] {
        let Verdict::Retry { after: None, reason } = verdict(status, "") else { panic!("{status}") };
        assert_eq!(reason.code, format!("http_{status}"));
    }
    let busy = Response::builder().status(503).header(RETRY_AFTER, "90").body(Bytes::new()).unwrap();
    assert!(matches!(judge(&busy), Verdict::Retry { after, .. } if after == Some(Duration::from_secs(90))));
}

#[test]
fn statuses_that_mean_the_same_at_every_network_do_so_here() {
    for status in [301, 302, 408, 425, 429] {
        assert!(matches!(verdict(status, ""), Verdict::Retry { .. }), "{status}");
    }
    for status in [401, 403, 407] {
        assert!(matches!(verdict(status, ""), Verdict::Misconfigured { .. }), "{status}");
    }
}

#[test]
fn a_success_other_than_200_is_not_taken_for_a_conversion() {
    for status in [201, 202, 204, 206] {
        assert!(matches!(verdict(status, ""), Verdict::Unreadable { .. }), "{status}");
    }
}

#[test]
fn a_client_error_that_is_not_documented_is_final() {
    for status in [405, 410, 414, 418, 431] {
        let Verdict::Rejected { reason } = verdict(status, "") else { panic!("{status}") };
        assert_eq!(reason.code, format!("http_{status}"));
    }
}

proptest! {
    #[test]
    fn ps_12_no_body_ever_changes_the_verdict(status in 200_u16..600, body: Vec<u8>) {
        prop_assert_eq!(verdict(status, body), verdict(status, ""));
        prop_assert_eq!(matches!(verdict(status, ""), Verdict::Accepted { .. }), status == 200);
    }
}
