//! Checks of finding clicks by address and campaign.

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    CampaignId, Click, IpHash, IpNetwork, VisitorIp,
    ports::{Clock, FindClicks},
};

use super::{Bench, SECOND, days};

fn ip(byte: u8) -> VisitorIp {
    VisitorIp { network: IpNetwork::V4([192, 0, byte]), hash: IpHash::from_bytes([byte; 8]) }
}

fn campaign(name: &str) -> CampaignId {
    name.parse().unwrap()
}

fn at(ip: &VisitorIp) -> FindClicks {
    FindClicks { ip: vec![ip.hash], campaign: campaign("spring"), since: Timestamp::MIN, limit: 10 }
}

async fn find(bench: &Bench, find: FindClicks) -> Vec<String> {
    let found = bench.store.find(&find).await.unwrap();
    found.into_iter().map(|click| click.click.id.to_string()).collect()
}

async fn findable(bench: &Bench, click: Click) -> Click {
    bench.capture(click, true).await.unwrap()
}

/// Only the asked place's clicks, the latest first, since a time and up to a limit.
pub async fn clicks_are_found_by_address_and_campaign_the_latest_first(bench: &Bench) {
    let mut times = Vec::new();
    for id in ["c1", "c2", "c3"] {
        times.push(bench.clock.now());
        findable(bench, bench.click_from(id, &ip(1))).await;
        bench.clock.advance(SECOND);
    }
    findable(bench, bench.click_from("elsewhere", &ip(2))).await;
    findable(bench, Click { campaign: campaign("spring-2"), ..bench.click_from("other", &ip(1)) }).await;
    findable(bench, bench.click("without-address")).await;
    assert_eq!(find(bench, at(&ip(1))).await, ["c3", "c2", "c1"]);
    assert_eq!(find(bench, FindClicks { limit: 2, ..at(&ip(1)) }).await, ["c3", "c2"]);
    assert_eq!(find(bench, FindClicks { limit: 0, ..at(&ip(1)) }).await, [""; 0]);
    assert_eq!(find(bench, FindClicks { since: times[1], ..at(&ip(1)) }).await, ["c3", "c2"]);
    assert_eq!(find(bench, at(&ip(3))).await, [""; 0]);
}

/// Without the campaign's consent there is no index.
pub async fn a_click_that_is_not_findable_is_not_found(bench: &Bench) {
    let click = bench.captured(bench.click_from("c1", &ip(1))).await;
    assert_eq!(find(bench, at(&ip(1))).await, [""; 0]);
    assert_eq!(bench.found(&click).await, Some(click));
}

/// 24 hours, also where more is asked for.
pub async fn a_click_is_found_for_a_day_and_no_longer(bench: &Bench) {
    let click = findable(bench, bench.click_from("c1", &ip(1))).await;
    bench.clock.advance(days(1) - 10 * SECOND);
    assert_eq!(find(bench, at(&ip(1))).await, ["c1"]);
    bench.clock.advance(10 * SECOND);
    assert_eq!(find(bench, at(&ip(1))).await, [""; 0]);
    bench.clock.advance(SECOND);
    while bench.store.sweep().await.unwrap() > 0 {}
    assert_eq!(bench.found(&click).await, Some(click));
}

/// After a rotation of the deployment's key a look-up brings the hashes under both.
pub async fn a_click_is_found_under_a_hash_of_an_older_key(bench: &Bench) {
    let (new, old) = (ip(1), ip(2));
    findable(bench, bench.click_from("before", &old)).await;
    bench.clock.advance(SECOND);
    findable(bench, bench.click_from("after", &new)).await;
    let both = FindClicks { ip: vec![new.hash, old.hash], ..at(&new) };
    assert_eq!(find(bench, both.clone()).await, ["after", "before"]);
    assert_eq!(find(bench, FindClicks { limit: 1, ..both }).await, ["after"]);
}

/// An address behind which thousands live is no list without an end.
pub async fn at_most_a_hundred_clicks_of_a_place_are_found(bench: &Bench) {
    let start = bench.clock.now();
    for number in 0..120 {
        let mut click = bench.click_from(&format!("c{number}"), &ip(1));
        click.click.captured_at = start + SignedDuration::from_millis(number);
        findable(bench, click).await;
    }
    let found = find(bench, FindClicks { limit: 1000, ..at(&ip(1)) }).await;
    assert_eq!(found.len(), 100);
    assert_eq!((found[0].as_str(), found[99].as_str()), ("c119", "c20"));
}

/// A click that a campaign without the index brought stays out of it, whatever a later landing says.
pub async fn a_reload_does_not_make_anothers_click_findable(bench: &Bench) {
    bench.captured(bench.click_from("c1", &ip(1))).await;
    let elsewhere = Click { campaign: campaign("autumn"), ..bench.click_from("c1", &ip(1)) };
    findable(bench, elsewhere).await;
    assert_eq!(find(bench, at(&ip(1))).await, [""; 0]);
    assert_eq!(find(bench, FindClicks { campaign: campaign("autumn"), ..at(&ip(1)) }).await, [""; 0]);
}
