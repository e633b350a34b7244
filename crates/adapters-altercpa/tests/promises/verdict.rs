//! AC-9, AC-13, AC-17: what an answer means.

use std::time::Duration;

use http::Response;
use postback_core::{Event, Reason, Verdict};

use crate::support::*;

fn error(code: &str) -> String {
    format!(r#"{{"status":"error","error":"{code}"}}"#)
}

/// The verdict in a word, with the reason's code or the remote id.
fn word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accepted { remote_id } => format!("accepted {}", remote_id.unwrap_or_default()),
        Verdict::AlreadyDone { remote_id } => format!("already_done {}", remote_id.unwrap_or_default()),
        Verdict::Retry { reason, .. } => format!("retry {}", reason.code),
        Verdict::Rejected { reason } => format!("rejected {}", reason.code),
        Verdict::Misconfigured { reason } => format!("misconfigured {}", reason.code),
        Verdict::Unreadable { reason } => format!("unreadable {}", reason.code),
    }
}

#[test]
fn ac_9_ok_is_accepted_with_the_leads_id() {
    assert_eq!(word(on_creation(200, r#"{ "status": "ok", "id": 1234 }"#)), "accepted 1234");
    assert_eq!(word(on_creation(200, r#"{"status":"ok"}"#)), "accepted ");
    assert_eq!(word(on_creation(200, "\u{feff} {\"status\":\"ok\",\"id\":1}\n")), "accepted 1");
}

#[test]
fn ac_9_a_duplicate_is_already_done_and_keeps_the_originals_id() {
    let body = r#"{ "status": "error", "error": "duplicate", "id": 1234 }"#;
    assert_eq!(word(on_creation(200, body)), "already_done 1234");
    assert_eq!(word(on_creation(200, &error("duplicate"))), "already_done ");
}

#[test]
fn ac_9_each_error_of_a_creation_has_its_meaning() {
    for (code, want) in [
        ("auth", "misconfigured auth"),
        ("no-id", "rejected no-id"),
        ("bad-id", "rejected bad-id"),
        ("traffic", "rejected traffic"),
        ("db", "retry db"),
    ] {
        assert_eq!(word(on_creation(200, &error(code))), want);
    }
}

#[test]
fn ac_9_the_status_decides_and_never_the_presence_of_an_id() {
    assert_eq!(word(on_creation(200, r#"{"status":"error","error":"auth","id":1}"#)), "misconfigured auth");
    for body in
        [r#"{"id":1}"#, r#"{"id":1,"error":""}"#, r#"{"status":"","id":1}"#, r#"{"status":true,"id":1}"#]
    {
        assert_eq!(word(on_creation(200, body)), "unreadable unreadable", "{body}");
    }
}

#[test]
fn ac_9_a_success_of_http_alone_is_no_success() {
    for body in [
        "",
        "ok",
        "\"ok\"",
        "null",
        "[]",
        r#"["ok"]"#,
        r#"["ok",{}]"#,
        r#"{"status":"OK"}"#,
        r#"{"status":"ok""#,
        r#"{"status":"ok","id":12"#,
        r#"{"status":"ok"} trailing"#,
        r#"{"status":"error","status":"ok"}"#,
        "<html>ok</html>",
        r#"<b>Warning</b>{"status":"ok"}"#,
    ] {
        assert_eq!(word(on_creation(200, body)), "unreadable unreadable", "{body}");
    }
}

#[test]
fn ac_9_an_ok_under_an_http_error_is_not_the_networks() {
    let ok = r#"{"status":"ok","id":1}"#;
    assert_eq!(word(on_creation(500, ok)), "retry http_500");
    assert_eq!(word(on_creation(403, ok)), "misconfigured http_403");
    assert_eq!(word(on_creation(302, ok)), "retry http_302");
    assert_eq!(word(on_creation(404, ok)), "misconfigured http_404");
    assert_eq!(word(on_creation(400, ok)), "unreadable unreadable");
}

#[test]
fn ac_9_a_documented_error_counts_under_any_http_status_but_ends_nothing_that_may_come_again() {
    assert_eq!(word(on_creation(400, &error("auth"))), "misconfigured auth");
    assert_eq!(word(on_creation(404, &error("bad-id"))), "rejected bad-id");
    assert_eq!(word(on_creation(409, &error("duplicate"))), "already_done ");
    assert_eq!(word(on_creation(503, &error("bad-id"))), "retry http_503");
    assert_eq!(word(on_creation(500, &error("db"))), "retry db");
}

#[test]
fn an_undocumented_error_is_tried_again_and_keeps_its_words() {
    for (verdict, words) in [
        (on_creation(200, &error("too-many")), "too-many"),
        (on_change(200, &error("duplicate")), "duplicate"),
        (on_creation(200, &error("edit")), "edit"),
        (on_creation(200, r#"{"status":"error"}"#), "error"),
        (on_creation(200, r#"{"status":"error","error":null}"#), "error"),
        (on_creation(200, r#"{"status":"error","error":42}"#), "42"),
        (on_creation(200, r#"{"status":"error","error":{"a":1}}"#), r#"{"a":1}"#),
    ] {
        let Verdict::Retry { reason, .. } = verdict else { panic!("{words}: {verdict:?}") };
        let message = format!("the network answered an error that it does not document: {words}");
        assert_eq!(reason, Reason::new("other", message));
    }
    assert_eq!(word(on_creation(404, &error("Not Found"))), "misconfigured http_404");
    assert_eq!(word(on_creation(401, &error("Unauthorized"))), "misconfigured http_401");
}

#[test]
fn a_wait_that_the_network_asks_for_is_kept() {
    let answer = |body: String| {
        Response::builder().header("retry-after", "90").body(bytes::Bytes::from(body)).unwrap()
    };
    let Verdict::Retry { after, .. } = verdict(&Event::Created, &answer(error("db"))) else {
        panic!("db is for later");
    };
    assert_eq!(after, Some(Duration::from_secs(90)));
}

#[test]
fn ac_13_each_error_of_a_change_has_its_meaning() {
    for (code, want) in [
        ("auth", "misconfigured auth"),
        ("no-id", "rejected no-id"),
        ("bad-id", "rejected bad-id"),
        ("db", "retry db"),
        ("edit", "already_done "),
    ] {
        assert_eq!(word(on_change(200, &error(code))), want);
    }
    assert_eq!(word(on_change(200, r#"{"status":"ok","id":"77"}"#)), "accepted 77");
}

#[test]
fn ac_13_a_lost_lead_says_what_is_lost() {
    let Verdict::Rejected { reason } = on_change(200, &error("bad-id")) else {
        panic!("no attempt will find it");
    };
    assert_eq!(
        reason.to_string(),
        "bad-id: the network knows no such lead: never created, or by another combination of ids"
    );
}

#[test]
fn ac_17_an_id_is_read_as_a_number_and_as_a_numeric_string() {
    for (id, want) in [
        ("1234", "1234"),
        (r#""1234""#, "1234"),
        ("18446744073709551615", "18446744073709551615"),
        ("null", ""),
        ("12.5", ""),
        ("-1", ""),
        (r#""x""#, ""),
        (r#""""#, ""),
        ("[1]", ""),
        ("{}", ""),
    ] {
        let body = format!(r#"{{"status":"ok","id":{id},"extra":{{"a":[1]}}}}"#);
        assert_eq!(word(on_creation(200, &body)), format!("accepted {want}"), "{id}");
    }
}
