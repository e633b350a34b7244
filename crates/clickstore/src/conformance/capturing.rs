//! Checks of captures and of a click's life.

use std::{collections::BTreeSet, sync::Arc};

use postback_core::{CLICK_LIFE, Click, Flags, IpHash, IpNetwork, Utm, VisitorIp, ports::Clock};
use tokio::task::JoinSet;

use super::{Bench, SECOND, days};

/// A ping and a sweep of an empty store.
pub async fn the_store_answers(bench: &Bench) {
    bench.store.ping().await.unwrap();
    assert_eq!(bench.store.sweep().await.unwrap(), 0);
}

/// The second capture of an id returns the first one's click, which stays as it was.
pub async fn the_first_capture_wins_and_a_reload_changes_nothing(bench: &Bench) {
    let first = bench.click("c1");
    assert_eq!(bench.captured(first.clone()).await, first);
    bench.clock.advance(SECOND);
    let reload = Click { user_agent: Some("another browser".into()), ..bench.click("c1") };
    assert_eq!(bench.captured(reload).await, first);
    assert_eq!(bench.found(&first).await, Some(first));
}

/// A click with every field set comes back equal.
pub async fn every_field_of_a_click_is_kept(bench: &Bench) {
    let some = |text: &str| Some(text.to_owned());
    let click = Click {
        utm: Utm {
            source: some("powerspace"),
            medium: some("cpc"),
            campaign: some("été"),
            term: some("a b"),
            content: some("+&="),
        },
        parameters: vec![("a".into(), "1".into()), ("a".into(), String::new())],
        country: some("FR"),
        device: some("mobile"),
        ip: Some(VisitorIp {
            network: IpNetwork::V6([0x20, 1, 0xd, 0xb8, 0, 0]),
            hash: IpHash::from_bytes([7; 8]),
        }),
        user_agent: some("Mozilla/5.0 (X11; Linux x86_64)"),
        flags: Flags { bot: true, prefetch: true },
        ..bench.click("full")
    };
    bench.capture(click.clone(), true).await.unwrap();
    assert_eq!(bench.found(&click).await, Some(click));
}

/// Ids with separators, braces, emoji and 512 bytes, also under accounts that continue each other.
pub async fn click_ids_hold_any_bytes_and_no_two_are_mixed_up(bench: &Bench) {
    let long = "x".repeat(512);
    let ids = ["+&=%/ é", "{a}", "a}", ":", "'; drop", "\u{1F600}\u{202E}", "A", "a", " a", "b-a", &long];
    let mut clicks = Vec::new();
    for account in ["a", "a-b", "a_b"] {
        for id in ids {
            let mut click = Click { device: Some(format!("{account} {id}")), ..bench.click(id) };
            click.click.account = account.parse().unwrap();
            clicks.push(bench.captured(click).await);
        }
    }
    for click in clicks {
        assert_eq!(bench.found(&click).await, Some(click));
    }
}

/// Of 64 different captures of one id at the same time all return the same click.
pub async fn sixty_four_captures_at_once_keep_one_click(bench: &Bench) {
    let mut captures = JoinSet::new();
    for visitor in 0..64 {
        let click = Click { device: Some(visitor.to_string()), ..bench.click("same") };
        let store = bench.store.clone();
        captures.spawn(async move { store.capture(Arc::new(click), true).await.unwrap().device.clone() });
    }
    let kept: BTreeSet<_> = captures.join_all().await.into_iter().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let found = bench.found(&bench.click("same")).await;
    assert!(kept.contains(&found.unwrap().device));
}

/// PS-2: a click id lives 30 days; then it is as if it had never been.
pub async fn ps_2_a_click_past_its_thirty_days_is_not_found_and_is_swept(bench: &Bench) {
    let click = bench.captured(bench.click("old")).await;
    bench.clock.advance(CLICK_LIFE);
    assert_eq!(bench.found(&click).await, None);
    bench.clock.advance(SECOND);
    let swept = bench.store.sweep().await.unwrap();
    assert!(swept <= 1, "{swept} removed of one click");
    assert_eq!(bench.store.sweep().await.unwrap(), 0);
    assert_eq!(bench.found(&click).await, None);
}

/// PS-2: nothing is lost before its time.
pub async fn ps_2_a_click_is_found_to_the_last_second_of_its_life(bench: &Bench) {
    let click = bench.captured(bench.click("late")).await;
    bench.clock.advance(CLICK_LIFE - 10 * SECOND);
    bench.store.sweep().await.unwrap();
    assert_eq!(bench.found(&click).await, Some(click));
}

/// A network that gives out an id again after its life gets a new click.
pub async fn a_click_id_can_be_captured_anew_after_its_life(bench: &Bench) {
    let old = bench.captured(bench.click("again")).await;
    bench.clock.advance(days(31));
    let new = bench.click("again");
    assert_eq!(bench.captured(new.clone()).await, new);
    bench.store.sweep().await.unwrap();
    assert_eq!(bench.found(&old).await, Some(new));
}

/// A capture that waited somewhere for 30 days is taken without an error, and forgotten.
pub async fn a_click_that_comes_after_its_life_is_not_kept(bench: &Bench) {
    let late = bench.click("waited");
    bench.clock.advance(CLICK_LIFE);
    assert_eq!(bench.capture(late.clone(), true).await.unwrap(), late);
    assert_eq!(bench.found(&late).await, None);
}

/// A sweep takes what has ended and nothing else.
pub async fn a_sweep_leaves_the_living(bench: &Bench) {
    let old = bench.captured(bench.click("old")).await;
    bench.clock.advance(days(20));
    let young = bench.captured(bench.click("young")).await;
    let user = "user".parse().unwrap();
    for click in [&old, &young] {
        bench.store.attach(&user, bench.attribution(click)).await.unwrap();
    }
    bench.clock.advance(days(11));
    while bench.store.sweep().await.unwrap() > 0 {}
    assert_eq!(bench.found(&old).await, None);
    assert_eq!(bench.found(&young).await, Some(young.clone()));
    let brought = bench.store.clicks_of(&user).await.unwrap();
    assert_eq!(brought.len(), 1);
    assert_eq!(brought[0].click, young.click);
    assert!(brought[0].attached_at < bench.clock.now());
}
