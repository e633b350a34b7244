//! Users and their clicks: attached, asked for days later, found by address, forgotten.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use jiff::SignedDuration;
use postback_core::{Customer, Details, ErrorKind};
use postback_hub::{ClickBy, ClicksOf, EraseSubject, Erased, Pick, Report, SourceBy, Visit};

use crate::doubles::*;

fn network(click: &str) -> ClickBy {
    ClickBy::Network { account: "near".into(), click_id: click.into() }
}

fn picked(pick: Pick, account: Option<&str>) -> SourceBy {
    SourceBy::User { user: "u".parse().unwrap(), account: account.map(id), pick }
}

/// The click to which a report is attributed.
async fn attributed(house: &House, report: Report) -> String {
    let call = house.hub.validate(&report).await.unwrap().call;
    call.split(' ').nth(2).unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn ps_3_a_conversion_comes_three_days_after_its_click_by_user_alone() {
    let house = house();
    house.attach("u", "a").await;
    house.clock.pass(3 * DAY);
    let recorded = house.record(report(user("u"), lead())).await;
    let conversion = house.outbox.conversions().remove(0);
    assert_eq!((recorded.conversion, conversion.user.unwrap().as_str()), (conversion.id, "u"));
    assert_eq!((conversion.account.as_str(), conversion.campaign.unwrap().as_str()), ("near", "spring"));
}

#[tokio::test(start_paused = true)]
async fn the_last_click_before_a_conversion_takes_it_or_the_first() {
    let house = house();
    for click in ["a", "b", "c"] {
        house.attach("u", click).await;
        house.clock.pass(DAY);
    }
    let after_b = house.hub.clock().now() - DAY - SignedDuration::from_secs(3);
    let at = |pick, occurred_at| Report { occurred_at, ..report(picked(pick, None), lead()) };
    assert_eq!(attributed(&house, at(Pick::Last, None)).await, "c");
    assert_eq!(attributed(&house, at(Pick::First, None)).await, "a");
    assert_eq!(attributed(&house, at(Pick::Last, Some(after_b))).await, "b");
    let before = house.hub.clock().now() - 9 * DAY;
    let refused = house.refuse(at(Pick::Last, Some(before))).await;
    assert_eq!(why(&refused), ("UNKNOWN_USER", "source.user"));
}

#[tokio::test(start_paused = true)]
async fn a_conversion_that_its_callers_clock_puts_just_before_the_users_first_click_is_taken() {
    let house = house();
    for click in ["a", "b"] {
        house.attach("u", click).await;
    }
    let first = house.hub.clock().now() - SignedDuration::from_secs(2);
    let at = |pick, minutes| Report {
        occurred_at: Some(first - SignedDuration::from_mins(minutes)),
        ..report(picked(pick, None), lead())
    };
    for pick in [Pick::Last, Pick::First] {
        assert_eq!(attributed(&house, at(pick, 5)).await, "a");
        assert_eq!(why(&house.refuse(at(pick, 6)).await), ("UNKNOWN_USER", "source.user"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_ask_for_one_accounts_clicks_alone() {
    let house = house();
    house.attach("u", "a").await;
    house.attach_far("u", "z").await;
    assert_eq!(attributed(&house, report(picked(Pick::Last, None), lead())).await, "z");
    assert_eq!(attributed(&house, report(picked(Pick::Last, Some("near")), lead())).await, "a");
    let refused = house.refuse(report(picked(Pick::Last, Some("nobody")), lead())).await;
    assert_eq!(why(&refused), ("UNKNOWN_ACCOUNT", "source.user.account"));
}

#[tokio::test(start_paused = true)]
async fn an_attachment_ends_with_its_click_and_needs_no_record_of_it() {
    let house = house();
    house.clicks.is(Mode::Away);
    let landing = house.land("a").await;
    house.clicks.is(Mode::Up);
    let by = ClickBy::Token(landing.token.unwrap().to_string());
    house.clock.pass(29 * DAY);
    let ends = house.hub.attach_user("u", by.clone()).await.unwrap();
    assert_eq!(ends.as_second(), landing.click.unwrap().expires_at().as_second());
    house.clock.pass(2 * DAY);
    let refused = house.hub.attach_user("u", by).await.unwrap_err();
    assert_eq!(
        (refused.kind(), why(&refused)),
        (ErrorKind::FailedPrecondition, ("CLICK_EXPIRED", "click_token"))
    );
    assert_eq!(house.refuse(report(user("u"), lead())).await.reason(), "UNKNOWN_USER");
}

#[tokio::test(start_paused = true)]
async fn what_names_no_click_is_refused_with_its_field() {
    let house = house();
    house.land("a").await;
    let wrong =
        |account: &str, click: &str| ClickBy::Network { account: account.into(), click_id: click.into() };
    for (by, reason, field) in [
        (ClickBy::Token(String::new()), "MISSING", "click_token"),
        (ClickBy::Token("made-up".into()), "INVALID_CLICK_TOKEN", "click_token"),
        (wrong("near", "b"), "UNKNOWN_CLICK", "network_click"),
        (wrong("far", "a"), "UNKNOWN_CLICK", "network_click"),
        (wrong("near", ""), "MISSING", "network_click.click_id"),
        (wrong("Near", "a"), "INVALID_VALUE", "network_click.account"),
    ] {
        let refused = house.hub.click(by.clone()).await.unwrap_err();
        assert_eq!(why(&refused), (reason, field));
        let refused = house.hub.attach_user("u", by).await.unwrap_err();
        assert_eq!(why(&refused), (reason, field));
    }
    assert_eq!(why(&house.hub.attach_user("", network("a")).await.unwrap_err()), ("MISSING", "user_id"));
}

#[tokio::test(start_paused = true)]
async fn recent_clicks_are_found_by_address_in_campaigns_that_keep_the_index() {
    let house = house();
    for click in ["a", "b"] {
        house.hub.capture(visit("app", &format!("sub={click}"))).await.unwrap();
        house.clock.pass(SignedDuration::from_secs(1));
    }
    let other = Visit { ip: Some("192.0.2.78".parse().unwrap()), ..visit("app", "sub=c") };
    house.hub.capture(other).await.unwrap();
    let ids = async |ip: &str, limit| -> Vec<String> {
        let found = house.hub.find_clicks(ip, "app", None, limit).await.unwrap();
        found.iter().map(|click| click.click.id.to_string()).collect()
    };
    assert_eq!(ids("192.0.2.77", 10).await, ["b", "a"]);
    assert_eq!(ids("::ffff:192.0.2.77", 1).await, ["b"]);
    house.clock.pass(DAY);
    assert!(ids("192.0.2.77", 10).await.is_empty());
    for (ip, campaign, reason, field) in [
        ("localhost", "app", "INVALID_VALUE", "ip"),
        ("192.0.2.77", "nobody", "UNKNOWN_CAMPAIGN", "campaign"),
        ("192.0.2.77", "spring", "NO_IP_INDEX", "campaign"),
    ] {
        let refused = house.hub.find_clicks(ip, campaign, None, 10).await.unwrap_err();
        assert_eq!(why(&refused), (reason, field));
    }
}

#[tokio::test(start_paused = true)]
async fn clicks_of_a_user_and_of_an_address_are_listed_to_the_last_page_by_page() {
    let house = house();
    for number in 0..5 {
        let captured = house.hub.capture(visit("app", &format!("sub=c{number}"))).await.unwrap();
        house.hub.attach_user("u", ClickBy::Token(captured.token.to_string())).await.unwrap();
        // Two of one instant, and then a later one.
        house.clock.pass(SignedDuration::from_secs(number % 2));
    }
    let ip = ClicksOf::Ip { ip: "192.0.2.77".into(), campaign: None };
    for of in [ClicksOf::User("u".into()), ip] {
        let (mut listed, mut after) = (Vec::new(), None);
        for left in [2, 1, 0] {
            let page = house.hub.latest_clicks(&of, 2, after).await.unwrap();
            listed.extend(page.items.iter().map(|click| click.click.id.to_string()));
            after = page.next;
            assert_eq!(after.is_some(), left > 0, "{of:?}: {listed:?}");
        }
        assert_eq!(listed[0], "c4");
        listed.sort();
        assert_eq!(listed, ["c0", "c1", "c2", "c3", "c4"], "{of:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_click_is_forgotten_with_the_customers_of_its_conversions() {
    let house = house();
    house.land("a").await;
    let customer = Customer { phone: Some("555".into()), ..Customer::default() };
    house.record(report(near("a"), Details { customer, ..lead() })).await;
    let erased = house.hub.erase(EraseSubject::Click(network("a")), &operator()).await.unwrap();
    assert_eq!(erased, Erased { found: true, conversions: 1 });
    assert!(house.outbox.conversions()[0].details.customer.is_anonymous());
    assert_eq!(house.hub.click(network("a")).await.unwrap_err().reason(), "UNKNOWN_CLICK");
    let again = house.hub.erase(EraseSubject::Click(network("b")), &operator()).await.unwrap();
    assert_eq!(again, Erased { found: false, conversions: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_click_that_waits_for_its_store_is_forgotten_too() {
    let house = house();
    house.clicks.is(Mode::Away);
    house.land("a").await;
    house.clicks.is(Mode::Up);
    assert!(house.hub.erase(EraseSubject::Click(network("a")), &operator()).await.unwrap().found);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let run = house.hub.run(shutdown.clone());
    let later = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        shutdown.cancel();
    };
    tokio::join!(run, later);
    assert_eq!(house.clicks.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_click_on_its_way_to_its_store_is_forgotten_too() {
    let house = house();
    house.clicks.is(Mode::Clogged);
    house.land("a").await;
    let shutdown = tokio_util::sync::CancellationToken::new();
    let run = house.hub.run(shutdown.clone());
    let erase = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(house.clicks.asked.load(SeqCst), 2, "it is under way");
        let (by, actor) = (EraseSubject::Click(network("a")), operator());
        let unclog = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            house.clicks.is(Mode::Up);
            tokio::time::sleep(Duration::from_secs(30)).await;
            shutdown.cancel();
        };
        tokio::join!(house.hub.erase(by, &actor), unclog).0
    };
    let (erased, ()) = tokio::join!(erase, run);
    assert!(erased.unwrap().found);
    assert_eq!(house.clicks.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_is_forgotten_with_the_attribution() {
    let house = house();
    house.attach("u", "a").await;
    house.record(report(user("u"), lead())).await;
    let erased = house.hub.erase(EraseSubject::User("u".into()), &operator()).await.unwrap();
    assert_eq!(erased, Erased { found: true, conversions: 1 });
    assert_eq!(house.refuse(report(user("u"), lead())).await.reason(), "UNKNOWN_USER");
}
