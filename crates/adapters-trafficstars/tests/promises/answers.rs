//! TS-8 to TS-10: the answers.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, header::RETRY_AFTER};
use jiff::Timestamp;
use postback_adapters_trafficstars::Complaint;
use postback_core::{Adapter, Event, Postback, Reason, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{CLICK, KEY, click, conversion, keyed, lead};

/// Every HTTP status under which an answer may come.
const STATUSES: [u16; 12] = [200, 201, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503];

fn verdict(status: u16, body: impl Into<Bytes>) -> Verdict {
    judge(&Response::builder().status(status).body(body.into()).unwrap())
}

fn judge(answer: &Response<Bytes>) -> Verdict {
    let conversion = conversion(click(CLICK), lead());
    let postback = Postback { conversion: &conversion, event: &Event::Created };
    keyed("").verdict(&postback, answer, Timestamp::UNIX_EPOCH)
}

fn complaint(message: &str) -> String {
    json!({ "error": { "msg": message } }).to_string()
}

fn rejected(code: &str, message: &str) -> Verdict {
    Verdict::Rejected { reason: Reason::new(code, message) }
}

fn misconfigured(code: &str, message: &str) -> Verdict {
    Verdict::Misconfigured { reason: Reason::new(code, message) }
}

#[test]
fn ts_4_the_key_is_private() {
    let conversion = conversion(click(CLICK), lead());
    let postback = Postback { conversion: &conversion, event: &Event::Created };
    assert_eq!(keyed("").private(&postback), [KEY]);
}

#[test]
fn ts_8_ok_is_success() {
    for body in [
        "{\"ok\": true}",
        "{\n\"ok\": true\n}\n",
        "{\"ok\":true,\"id\":7}",
        "{\"ok\":true,\"error\":null}",
        "\u{feff}{\"ok\":true}",
    ] {
        assert_eq!(verdict(200, body), Verdict::Accepted { remote_id: None }, "{body}");
    }
}

#[test]
fn ts_9_each_documented_complaint_is_its_own_reason_whatever_the_http_status() {
    let table = [
        ("invalid code", "invalid_code"),
        ("invalid price value: 'strconv.ParseFloat'", "invalid_price"),
        ("the price should be between 0.010 and 200.000", "price_out_of_range"),
        ("clickid is empty", "click_id_empty"),
        ("clickid is short", "click_id_short"),
        ("getting click error: invalid clickid", "unknown_click"),
    ];
    for status in STATUSES {
        for (message, code) in table {
            assert_eq!(verdict(status, complaint(message)), rejected(code, message), "{status}");
        }
    }
}

#[test]
fn ts_9_a_complaint_of_the_account_stops_the_account() {
    let https = "The transfer of the lead_code is possible only with the https protocol";
    for status in STATUSES {
        let key = verdict(status, complaint("invalid key"));
        assert_eq!(key, misconfigured("invalid_key", "invalid key"), "{status}");
        assert_eq!(verdict(status, complaint(https)), misconfigured("https_required", https), "{status}");
    }
}

#[test]
fn ts_9_an_unknown_complaint_is_for_later_and_kept_in_its_own_words() {
    for (status, body, words) in [
        (200, complaint("Too Blue"), "Too Blue"),
        (400, complaint("Too Blue"), "Too Blue"),
        (404, complaint("getting click error: i/o timeout"), "getting click error: i/o timeout"),
        (200, r#"{"error":"Too Blue"}"#.to_owned(), "Too Blue"),
        (200, r#"{"error":{"code":7}}"#.to_owned(), r#"{"code":7}"#),
        (200, complaint(""), "\"\""),
    ] {
        let want = Verdict::Retry { after: None, reason: Reason::new("other", words) };
        assert_eq!(verdict(status, body), want, "{status} {words}");
    }
}

#[test]
fn ts_9_an_unknown_complaint_yields_to_what_the_http_status_says() {
    let answer =
        Response::builder().status(429).header(RETRY_AFTER, "60").body(complaint("slow down").into());
    let Verdict::Retry { after, reason } = judge(&answer.unwrap()) else { panic!() };
    assert_eq!((after, reason), (Some(Duration::from_secs(60)), Reason::new("other", "slow down")));
    assert_eq!(verdict(403, complaint("go away")), misconfigured("other", "go away"));
}

#[test]
fn ts_9_a_complaint_is_typed_and_an_unknown_one_keeps_its_words() {
    assert_eq!(Complaint::parse(" Invalid Code\n"), Complaint::InvalidCode);
    assert_eq!(Complaint::parse("Invalid codex"), Complaint::Other("Invalid codex".to_owned()));
}

#[test]
fn ts_10_a_200_whose_body_carries_an_error_is_a_failure() {
    let both = r#"{"ok": true, "error": {"msg": "invalid code"}}"#;
    assert_eq!(verdict(200, both), rejected("invalid_code", "invalid code"));
}

#[test]
fn ts_10_a_body_that_is_not_the_networks_is_neither_success_nor_a_final_failure() {
    let bodies = [
        "", "OK", "<html>", "{\"ok\": tr", "null", "true", "[true,null]", "{}", "{\"ok\":\"true\"}",
        "{\"ok\":1}",
    ];
    for body in bodies {
        for status in [200, 202, 204, 502, 504, 520, 524] {
            let Verdict::Unreadable { reason } = verdict(status, body) else { panic!("{status} {body}") };
            assert_eq!(reason.code, "unreadable");
        }
        for status in [302, 400, 404, 409, 418, 429, 500, 503] {
            let Verdict::Retry { reason, .. } = verdict(status, body) else { panic!("{status} {body}") };
            assert_eq!(reason.code, format!("http_{status}"));
        }
        for status in [401, 403, 407] {
            assert!(matches!(verdict(status, body), Verdict::Misconfigured { .. }), "{status} {body}");
        }
    }
}

#[test]
fn ts_10_from_a_gateway_a_documented_complaint_alone_is_believed() {
    let bodies = [
        r#"{"ok":false}"#.to_owned(),
        r#"{"error":"Gateway Timeout"}"#.to_owned(),
        r#"{"error":{"code":504}}"#.to_owned(),
        complaint("upstream timed out"),
        "<html><title>520: Web server is returning an unknown error</title></html>".to_owned(),
    ];
    for status in [502, 504, 520, 524] {
        for body in &bodies {
            let Verdict::Unreadable { reason } = verdict(status, body.clone()) else {
                panic!("{status} {body}")
            };
            assert_eq!(reason.code, "unreadable");
        }
        assert_eq!(verdict(status, complaint("invalid code")), rejected("invalid_code", "invalid code"));
        assert_eq!(verdict(status, complaint("invalid key")), misconfigured("invalid_key", "invalid key"));
    }
}

#[test]
fn ts_10_a_no_without_a_why_is_for_later() {
    let body = r#"{"ok": false}"#;
    let Verdict::Retry { after: None, reason } = verdict(200, body) else { panic!() };
    assert_eq!(reason.code, "not_ok");
    assert!(matches!(verdict(403, body), Verdict::Misconfigured { .. }));
}

#[test]
fn ts_10_an_ok_under_a_status_that_is_no_success_is_not_believed() {
    for status in [302, 400, 403, 404, 500, 503] {
        let Verdict::Unreadable { reason } = verdict(status, r#"{"ok": true}"#) else { panic!("{status}") };
        assert_eq!(reason.code, "contradiction");
    }
}

#[test]
fn ts_10_an_ok_beside_a_complaint_that_is_not_documented_may_have_counted() {
    let body = r#"{"ok":true,"error":{"msg":"Too Blue"}}"#;
    for status in [200, 400, 403, 429, 503] {
        let Verdict::Unreadable { reason } = verdict(status, body) else { panic!("{status}") };
        assert_eq!(reason, Reason::new("contradiction", "Traffic Stars says ok, and complains: Too Blue"));
    }
}

/// What success is, said once more and otherwise.
fn is_success(status: u16, body: &[u8]) -> bool {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return false };
    let error = body.get("error").unwrap_or(&Value::Null);
    (200..300).contains(&status) && body.get("ok") == Some(&json!(true)) && error.is_null()
}

proptest! {
    #[test]
    fn ts_10_no_bytes_are_taken_for_success(status in 200_u16..600, body: Vec<u8>) {
        let accepted = matches!(verdict(status, body.clone()), Verdict::Accepted { .. });
        prop_assert_eq!(accepted, is_success(status, &body));
    }

    #[test]
    fn ts_10_what_nearly_looks_like_success_is_judged_alike(
        status in prop::sample::select(STATUSES.to_vec()),
        body in "[\\[{]\"(ok|OK|error|er)\" ?: ?(true|false|null|1|\"true\"|\\{\\})(,\"(ok|error)\":(true|null|\\{\"msg\":\"x\"\\}))?[}\\]]?",
    ) {
        let accepted = matches!(verdict(status, body.clone()), Verdict::Accepted { .. });
        prop_assert_eq!(accepted, is_success(status, body.as_bytes()));
    }
}
