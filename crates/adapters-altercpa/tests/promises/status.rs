//! AC-4, AC-5, AC-12, AC-18 to AC-21: a lead's state.

use postback_adapters_altercpa::{AlterCpa, Lists, Recognized, recognize};
use postback_core::{Call, Change, Result, Status};

use crate::support::*;

const LISTS: [&str; 6] = ["sta", "stc", "stt", "sth", "stw", "stn"];

fn created_as(altercpa: &AlterCpa, status: &str) -> Call {
    created(altercpa, &lead_with(|details| details.status = Some(status.parse().unwrap()))).unwrap()
}

fn changed_to(altercpa: &AlterCpa, status: &str, fields: &[(&str, &str)]) -> Result<Call> {
    changed(
        altercpa,
        Change { status: Some(status.parse().unwrap()), fields: map(fields), ..Change::default() },
    )
}

/// What the network will take the call's status for, by the lists that go with it.
fn understood(call: &Call) -> Recognized {
    let lists = LISTS.map(|name| {
        value(call, name).map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
    });
    recognize(&value(call, "status").unwrap(), &Lists(lists))
}

fn lists(lines: &str) -> AlterCpa {
    account(lines)
}

#[test]
fn ac_4_a_lead_is_new_unless_it_says_otherwise() {
    let call = created(&plain(), &lead()).unwrap();
    assert_eq!(values(&call, ["status", "accept", "stid", "reason"]), ["-"; 4]);
}

#[test]
fn ac_4_a_status_goes_as_a_word_as_accept_or_as_an_id() {
    assert_eq!(value(&created_as(&plain(), "approved"), "status").unwrap(), "approve");
    let sent = |fields: &[(&str, &str)]| {
        values(&with_fields(&plain(), fields).unwrap(), ["status", "accept", "stid", "reason"])
    };
    assert_eq!(sent(&[("accept", "1")]), ["-", "1", "-", "-"]);
    assert_eq!(sent(&[("accept", "0")]), ["-"; 4]);
    assert_eq!(sent(&[("stid", "5"), ("reason", "2")]), ["-", "-", "5", "2"]);
}

#[test]
fn ac_4_a_status_is_said_once() {
    let both = |fields| changed_to(&plain(), "approved", fields);
    assert_eq!(fault(both(&[("accept", "1")])), "fields.accept");
    assert_eq!(fault(both(&[("stid", "10")])), "fields.stid");
    assert_eq!(fault(with_fields(&plain(), &[("accept", "1"), ("stid", "10")])), "fields.accept");
    assert_eq!(fault(with_fields(&plain(), &[("accept", "yes")])), "fields.accept");
}

#[test]
fn ac_4_a_reason_is_for_a_lead_that_fell_through() {
    let reason = [("reason", "3")];
    for status in ["cancelled", "trash", "their-word"] {
        assert_eq!(
            value(&changed_to(&plain(), status, &reason).unwrap(), "reason").unwrap(),
            "3",
            "{status}"
        );
    }
    for status in ["new", "processing", "hold", "approved", "confirmed"] {
        assert_eq!(fault(changed_to(&plain(), status, &reason)), "fields.reason", "{status}");
    }
    for said in [&[][..], &[("accept", "1")], &[("stid", "1")], &[("stid", "hold")]] {
        assert_eq!(fault(with_fields(&plain(), &[said, &reason[..]].concat())), "fields.reason", "{said:?}");
    }
    let change = Change { fields: map(&reason), ..Change::default() };
    assert_eq!(value(&changed(&plain(), change).unwrap(), "reason").unwrap(), "3");
}

#[test]
fn ac_5_the_first_list_that_holds_a_word_wins_over_automatic_recognition() {
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let (sta, stc) = (own(&["x", "lead_ok"]), own(&["x", "approve"]));
    let lists = Lists([sta, stc, vec![], vec![], own(&["hold", "y"]), own(&["y"])]);
    assert_eq!(recognize("lead_ok", &lists), Recognized::Listed(Status::Approved));
    assert_eq!(recognize("x", &lists), Recognized::Listed(Status::Approved));
    assert_eq!(recognize("y", &lists), Recognized::Listed(Status::Processing));
    assert_eq!(recognize("approve", &lists), Recognized::Listed(Status::Cancelled));
    assert_eq!(recognize("hold", &lists), Recognized::Listed(Status::Processing));
    assert_eq!(recognize("confirm", &lists), Recognized::Automatic(Status::Approved));
    assert_eq!(recognize("lead", &lists), Recognized::Unknown);
}

#[test]
fn ac_5_the_accounts_lists_go_with_every_status() {
    let altercpa = lists(
        "sta = ['lead_ok', 'paid']\nstc = ['no']\nstt = ['spam']\nsth = ['agreed']\nstw = ['wait']\nstn = ['fresh']",
    );
    let all = ["lead_ok,paid", "no", "spam", "agreed", "wait", "fresh"];
    let call = created_as(&altercpa, "lead_ok");
    assert_eq!(values(&call, LISTS), all);
    assert_eq!(value(&call, "status").unwrap(), "lead_ok");
    assert_eq!(values(&changed_to(&altercpa, "spam", &[]).unwrap(), LISTS), all);
    assert_eq!(values(&created(&altercpa, &lead()).unwrap(), LISTS), ["-"; 6]);
}

#[test]
fn ac_5_a_network_that_says_hold_for_waiting_does_not_bend_our_own_hold() {
    let altercpa = lists("stw = ['hold', 'wait']");
    let call = created_as(&altercpa, "hold");
    assert_eq!(values(&call, ["status", "sth", "stw"]), ["hold", "hold", "wait"]);
    assert_eq!(understood(&call), Recognized::Listed(Status::Hold));
}

#[test]
fn ac_5_a_listed_word_is_the_same_in_any_case() {
    let altercpa = lists("stw = ['Hold', 'Wait']");
    let call = created_as(&altercpa, "hold");
    assert_eq!(values(&call, ["status", "sth", "stw"]), ["hold", "hold", "Wait"]);
    let call = created_as(&altercpa, "WAIT");
    assert_eq!(understood(&call), Recognized::Listed(Status::Processing));
    assert!(call.warnings.is_empty());
    assert_eq!(fault(changed_to(&altercpa, "done", &[("sta", "wait")])), "fields.stw");
}

#[test]
fn ac_5_each_of_our_statuses_is_understood_whatever_the_accounts_words_are() {
    let accounts = [
        "",
        "sta = ['processing', 'cancel']\nstc = ['hold']\nstw = ['approve', 'new']",
        "words = { new = 'approve', approved = 'bad', cancelled = 'odd', trash = 'hold', hold = 'n' }",
    ];
    for lines in accounts {
        for status in ["new", "processing", "hold", "approved", "cancelled", "trash"] {
            let call = created_as(&lists(lines), status);
            assert_eq!(understood(&call).status(), Some(&status.parse().unwrap()), "{status} {lines}");
            assert!(call.warnings.is_empty());
        }
    }
}

#[test]
fn ac_5_a_conversion_can_bring_lists_of_its_own() {
    let altercpa = lists("sta = ['ok']\nstc = ['no']");
    let call = changed_to(&altercpa, "done", &[("sta", "done, shipped")]).unwrap();
    assert_eq!(values(&call, ["status", "sta", "stc"]), ["done", "done,shipped", "no"]);
    assert_eq!(fault(changed_to(&altercpa, "done", &[("sta", "done,,x")])), "fields.sta");
    assert_eq!(fault(changed_to(&altercpa, "done", &[("stw", "no")])), "fields.stw");
    assert_eq!(fault(with_fields(&altercpa, &[("sta", "done")])), "status");
}

#[test]
fn ac_12_a_lost_creation_is_mended_only_where_the_account_or_the_change_says_so() {
    let auto = |lines: &str, fields: &[(&str, &str)]| {
        value(&changed_to(&lists(lines), "approved", fields).unwrap(), "auto")
    };
    assert_eq!(auto("", &[]), None);
    assert_eq!(auto("", &[("auto", "1")]).as_deref(), Some("1"));
    assert_eq!(auto("auto = true", &[]).as_deref(), Some("1"));
    assert_eq!(auto("auto = true", &[("auto", "0")]), None);
    assert_eq!(value(&created(&lists("auto = true"), &lead()).unwrap(), "auto"), None);
    assert_eq!(fault(with_fields(&plain(), &[("auto", "1")])), "fields.auto");
}

#[test]
fn ac_12_one_postback_creates_and_changes_where_stn_names_the_word() {
    let call = changed_to(&plain(), "pending", &[("stn", "pending")]).unwrap();
    assert_eq!(path(&call), "/api/site/status.json");
    assert_eq!(values(&call, ["status", "stn", "auto"]), ["pending", "pending", "-"]);
    assert_eq!(understood(&call), Recognized::Listed(Status::New));
    let by_account = changed_to(&lists("stn = ['pending']"), "pending", &[]).unwrap();
    assert_eq!(value(&by_account, "stn").unwrap(), "pending");
}

#[test]
fn ac_12_a_change_to_new_changes_the_lead_that_is_there() {
    let sent = |lines: &str, fields: &[(&str, &str)]| {
        let call = changed_to(&lists(lines), "new", fields).unwrap();
        values(&call, ["status", "stid", "stn", "stw"])
    };
    assert_eq!(sent("", &[]), ["new", "-", "-", "-"]);
    assert_eq!(sent("stn = ['new', 'fresh']", &[]), ["new", "-", "fresh", "-"]);
    assert_eq!(sent("", &[("stn", "new")]), ["new", "-", "-", "-"]);
    assert_eq!(sent("stw = ['new', 'wait']", &[]), ["new", "-", "-", "wait"]);
    assert_eq!(sent("words = { new = 'fresh' }", &[]), ["-", "1", "-", "-"]);
    let renamed = lists("words = { new = 'fresh' }\nstatus_ids = { 1 = 'neu' }");
    assert_eq!(fault(changed_to(&renamed, "new", &[])), "status");
}

#[test]
fn ac_18_the_words_that_the_network_recognizes_by_itself() {
    let table = [
        (Status::New, "n new create created make"),
        (Status::Approved, "a accept accepted approve approved confirm confirmed"),
        (Status::Cancelled, "c d decline declined cancel cancelled canceled"),
        (Status::Trash, "t trash error wrong reject bad"),
        (Status::Hold, "hold"),
    ];
    for (status, words) in table {
        for word in words.split(' ') {
            assert_eq!(recognize(word, &Lists::default()), Recognized::Automatic(status.clone()), "{word}");
        }
    }
    for word in ["processing", "pending", "rejected", "Approve", ""] {
        assert_eq!(recognize(word, &Lists::default()), Recognized::Unknown, "{word}");
    }
}

#[test]
fn ac_18_the_safe_words_are_sent_unless_the_account_says_others() {
    let sent = |lines: &str| {
        ["new", "hold", "approved", "cancelled", "trash"]
            .map(|status| value(&created_as(&lists(lines), status), "status").unwrap())
    };
    assert_eq!(sent(""), ["new", "hold", "approve", "cancel", "trash"]);
    assert_eq!(sent("words = { approved = 'confirm' }"), ["new", "hold", "confirm", "cancel", "trash"]);
    assert_eq!(values(&created_as(&plain(), "approved"), LISTS), ["-"; 6]);
}

#[test]
fn ac_18_a_word_that_nobody_knows_is_sent_with_a_warning() {
    let warnings = |lines: &str, word: &str| created_as(&lists(lines), word).warnings;
    assert!(warnings("", "shipped")[0].contains("`shipped` is in none of the account's lists"));
    assert_eq!(warnings("", "reject"), ["status `reject` is taken as trash, not as cancelled"]);
    assert!(warnings("sta = ['shipped']", "shipped").is_empty());
    assert!(warnings("stc = ['reject']", "reject").is_empty());
    assert!(warnings("", "confirmed").is_empty());
    assert_eq!(value(&created_as(&plain(), "shipped"), "status").unwrap(), "shipped");
}

#[test]
fn ac_19_pending_is_sent_as_processing_and_never_as_hold() {
    let call = created_as(&plain(), "processing");
    assert_eq!(values(&call, ["status", "sth", "stw"]), ["processing", "-", "processing"]);
    assert_eq!(understood(&call), Recognized::Listed(Status::Processing));
    let call = created_as(&lists("stw = ['wait']\nwords = { processing = 'queued' }"), "processing");
    assert_eq!(values(&call, ["status", "stw"]), ["queued", "wait,queued"]);
}

#[test]
fn ac_20_status_ids_are_known_by_number_and_by_name() {
    let names =
        "new processing callback hold cancelled packing sending transfer arrived completed return deleted";
    for (number, name) in (1..).zip(names.split(' ')) {
        for said in [number.to_string(), name.to_owned(), name.to_uppercase()] {
            let call = with_fields(&plain(), &[("stid", &said)]).unwrap();
            assert_eq!(value(&call, "stid").unwrap(), number.to_string());
        }
    }
    for unknown in ["0", "13", "-1", "", "shipped", "99999999999"] {
        assert_eq!(fault(with_fields(&plain(), &[("stid", unknown)])), "fields.stid", "{unknown}");
    }
}

#[test]
fn ac_20_an_account_replaces_and_adds_status_ids() {
    let altercpa = lists("status_ids = { 4 = 'no answer', 20 = 'paid' }");
    let sent = |said: &str| value(&with_fields(&altercpa, &[("stid", said)]).unwrap(), "stid").unwrap();
    assert_eq!([sent("no answer"), sent("paid"), sent("20"), sent("new")], ["4", "20", "20", "1"]);
    assert_eq!(fault(with_fields(&altercpa, &[("stid", "hold")])), "fields.stid");
}

#[test]
fn ac_21_cancel_reasons_are_known_by_number_and_by_words() {
    let reasons = [
        "incorrect phone",
        "changed mind",
        "did not order",
        "needs certificate",
        "wrong geo",
        "errors or fakes",
        "duplicate",
        "ordered elsewhere",
        "expensive",
        "unhappy with delivery",
        "could not reach",
        "possible fraud",
        "other language",
        "product did not fit",
        "offer disabled",
    ];
    for (number, words) in (1..).zip(reasons) {
        for said in [number.to_string(), words.to_owned()] {
            let call = changed_to(&plain(), "cancelled", &[("reason", &said)]).unwrap();
            assert_eq!(value(&call, "reason").unwrap(), number.to_string());
        }
    }
}

#[test]
fn ac_21_reasons_from_16_up_are_the_accounts_own() {
    let cancel = |lines: &str, reason: &str| changed_to(&lists(lines), "cancelled", &[("reason", reason)]);
    let refusal = refused(cancel("", "16")).to_string();
    assert_eq!(
        refusal,
        "fields.reason: `16` is not known here; want one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, \
         or name it in the account's `reasons`"
    );
    let own = "reasons = { 16 = 'out of stock', 3 = 'no order' }";
    for (said, number) in [("16", "16"), ("out of stock", "16"), ("no order", "3"), ("expensive", "9")] {
        assert_eq!(value(&cancel(own, said).unwrap(), "reason").unwrap(), number, "{said}");
    }
    assert_eq!(fault(cancel(own, "did not order")), "fields.reason");
}
