//! Clicks on their way in: the deadline, the buffer, reloads, losses.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;
use postback_core::{Flags, NoClick};
use postback_hub::{Hub, Settings, Visit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::doubles::*;

/// The hub's background work, until the test ends.
fn at_work(hub: &Hub) -> CancellationToken {
    let (hub, shutdown) = (hub.clone(), CancellationToken::new());
    let token = shutdown.clone();
    tokio::spawn(async move { hub.run(token).await });
    shutdown
}

#[tokio::test(start_paused = true)]
async fn a_click_is_kept_and_its_visitor_sent_on_with_its_token() {
    let house = house();
    let landing = house.land("a%2Bb").await;
    let token = landing.token.unwrap();
    assert_eq!(landing.location, format!("https://shop.example/l?t={token}&c=a%2Bb&q="));
    assert_eq!(house.clicks.ids(), ["a+b"]);
    let click = house.hub.click(postback_hub::ClickBy::Token(token.to_string())).await.unwrap();
    assert_eq!(
        (Some(&click.click), click.ip.unwrap().network.to_string().as_str()),
        (landing.click.as_ref(), "192.0.2.0/24")
    );
}

#[tokio::test(start_paused = true)]
async fn a_campaign_names_its_own_parameter() {
    let house = house();
    let landing = house.hub.land(visit("app", "?click=wrong&sub=right")).await.unwrap();
    assert_eq!(landing.click.unwrap().id.as_str(), "right");
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_nothing_and_gets_the_same_token() {
    let house = house();
    let first = house.land("a").await;
    house.clock.pass(DAY);
    assert_eq!(house.land("a").await, first);
    assert_eq!((house.clicks.len(), house.hub.campaigns().await.unwrap()[1].clicks), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_visitor_waits_for_a_hanging_store_until_the_deadline_and_then_not_at_all() {
    let house = house();
    house.clicks.is(Mode::Hanging);
    let began = Instant::now();
    assert!(house.land("a").await.token.is_some());
    assert_eq!(began.elapsed(), Duration::from_millis(25));
    for click in ["b", "c", "d"] {
        assert!(house.land(click).await.token.is_some());
    }
    assert_eq!(began.elapsed(), Duration::from_millis(25));
    assert_eq!(house.clicks.asked.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_store_missed_is_written_when_it_is_back_and_then_it_is_asked_again() {
    for mode in [Mode::Hanging, Mode::Away] {
        let house = house();
        house.clicks.is(mode);
        for click in ["a", "b", "c"] {
            house.land(click).await;
        }
        let _end = at_work(&house.hub).drop_guard();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(house.clicks.len(), 0);
        house.clicks.is(Mode::Up);
        house.clicks.until(3).await;
        assert_eq!(house.clicks.ids(), ["a", "b", "c"]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        house.land("d").await;
        assert_eq!(house.clicks.ids(), ["a", "b", "c", "d"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_click_is_kept_and_counted_though_its_visitor_hangs_up() {
    let house = house();
    house.clicks.is(Mode::Hanging);
    let gone = tokio::time::timeout(Duration::from_millis(5), house.land("a")).await;
    assert!(gone.is_err());
    house.land("a").await;
    house.clicks.is(Mode::Up);
    let _end = at_work(&house.hub).drop_guard();
    house.clicks.until(1).await;
    assert_eq!(house.clicks.ids(), ["a"]);
    assert_eq!(house.hub.campaigns().await.unwrap()[1].clicks, 1);
    assert_eq!(house.logbook.glimpsed("spring"), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn past_its_bound_the_buffer_drops_the_oldest_whose_token_still_attributes() {
    let house = house_with(Settings { buffered_clicks: 2, ..Settings::default() });
    house.clicks.is(Mode::Away);
    let oldest = house.token("a").await;
    for click in ["b", "c"] {
        house.land(click).await;
    }
    assert!(!house.record(report(oldest, lead())).await.already);
    house.clicks.is(Mode::Up);
    let _end = at_work(&house.hub).drop_guard();
    house.clicks.until(2).await;
    assert_eq!(house.clicks.ids(), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_while_the_store_is_away_gets_the_same_token() {
    let house = house();
    house.clicks.is(Mode::Away);
    let first = house.land("a").await;
    house.clock.pass(DAY);
    assert_eq!(house.land("a").await, first);
    assert_eq!(house.hub.peek(&visit("spring", "click=a")).unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn the_first_capture_wins_though_it_is_written_last() {
    let house = house();
    house.clicks.is(Mode::Away);
    let first = house.land("a").await;
    house.clicks.is(Mode::Up);
    house.clock.pass(DAY);
    let captured = house.hub.capture(visit("spring", "click=a")).await.unwrap();
    assert!(captured.already);
    assert_eq!((Some(captured.token), Some(captured.click.click.clone())), (first.token, first.click));
}

#[tokio::test(start_paused = true)]
async fn a_buffered_click_can_bring_a_conversion_by_the_networks_id() {
    let house = house();
    house.clicks.is(Mode::Hanging);
    house.land("a").await;
    let recorded = house.record(report(near("a"), lead())).await;
    let (story, click) = house.hub.story(recorded.conversion).await.unwrap();
    assert_eq!(story.conversion.campaign.unwrap().as_str(), "spring");
    assert_eq!(click.unwrap().click.id.as_str(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_store_refuses_for_good_holds_up_nothing() {
    let house = house();
    house.clicks.is(Mode::Refusing);
    assert!(house.land("a").await.token.is_some());
    house.clicks.is(Mode::Up);
    house.land("b").await;
    assert_eq!(house.clicks.ids(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_ends_writes_what_waits_and_gives_up_on_a_store_that_hangs() {
    for (mode, kept) in [(Mode::Up, 100), (Mode::Hanging, 0)] {
        let house = house();
        house.clicks.is(Mode::Away);
        for click in 0..100 {
            house.land(&click.to_string()).await;
        }
        house.clicks.is(mode);
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let began = Instant::now();
        house.hub.run(shutdown).await;
        assert_eq!(house.clicks.len(), kept);
        assert!(began.elapsed() <= Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_visitor_without_a_click_id_is_sent_on_and_counted_by_reason() {
    let house = house();
    for (query, reason) in [
        ("", NoClick::Missing),
        ("q=1", NoClick::Missing),
        ("click=", NoClick::Empty),
        ("click={click_id}", NoClick::Macro),
        ("click=%s", NoClick::Macro),
        ("click=a%0Ab", NoClick::Malformed),
        ("click=%FF", NoClick::Malformed),
    ] {
        let landing = house.hub.land(visit("spring", query)).await.unwrap();
        assert_eq!((landing.lost, landing.token, landing.click), (Some(reason), None, None), "{query}");
        assert!(landing.location.starts_with("https://shop.example/l?t=&c=&q="));
    }
    let standing = house.hub.campaigns().await.unwrap().remove(1);
    let lost: Vec<_> = standing.lost.into_iter().collect();
    let want = [(NoClick::Missing, 2), (NoClick::Empty, 1), (NoClick::Macro, 2), (NoClick::Malformed, 2)];
    assert_eq!((lost, standing.clicks, house.clicks.len()), (want.to_vec(), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn head_answers_like_get_and_stores_and_counts_nothing() {
    let house = house();
    let peeked = house.hub.peek(&visit("spring", "click=a")).unwrap();
    assert!(house.hub.peek(&visit("spring", "")).unwrap().lost.is_some());
    assert_eq!((house.clicks.len(), house.clicks.asked.load(SeqCst)), (0, 0));
    let standing = house.hub.campaigns().await.unwrap().remove(1);
    assert_eq!((standing.clicks, standing.lost.len()), (0, 0));
    assert_eq!(house.land("a").await.location, peeked.location);
}

#[tokio::test(start_paused = true)]
async fn a_prefetch_or_a_bot_is_kept_with_its_flag() {
    let house = house();
    let flags = Flags { bot: true, prefetch: true };
    let landing = house.hub.land(Visit { flags, ..visit("spring", "click=a") }).await.unwrap();
    let by = postback_hub::ClickBy::Token(landing.token.unwrap().to_string());
    assert_eq!(house.hub.click(by).await.unwrap().flags, flags);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_campaign_is_not_found() {
    let house = house();
    for campaign in ["", "autumn", "Spring", "spring/", "../spring"] {
        let refused = house.hub.land(visit(campaign, "click=a")).await.unwrap_err();
        assert_eq!(why(&refused), ("UNKNOWN_CAMPAIGN", "campaign"), "{campaign}");
        assert!(house.hub.peek(&visit(campaign, "")).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_gets_the_stores_own_word_on_a_capture() {
    let house = house();
    let first = house.hub.capture(visit("spring", "?click=a&utm_source=x")).await.unwrap();
    assert!(!first.already);
    house.clock.pass(SignedDuration::from_secs(1));
    let second = house.hub.capture(visit("spring", "click=a")).await.unwrap();
    assert!(second.already);
    assert_eq!((second.click, second.token), (first.click, first.token));
    house.clicks.is(Mode::Away);
    let away = house.hub.capture(visit("spring", "click=b")).await.unwrap_err();
    assert_eq!(away.kind(), postback_core::ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn two_captures_within_one_instant_are_told_apart() {
    let house = house();
    assert!(!house.hub.capture(visit("spring", "click=a")).await.unwrap().already);
    assert!(house.hub.capture(visit("spring", "click=a")).await.unwrap().already);
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_a_click_id_is_told_why() {
    let house = house();
    for (query, reason) in [
        ("", "MISSING"),
        ("click=", "MISSING"),
        ("click=[CLICKID]", "UNREPLACED_MACRO"),
        ("click=%00", "MALFORMED_CLICK_ID"),
        (&*format!("click=a&b={}", "x".repeat(20_000)), "INVALID_VALUE"),
    ] {
        let refused = house.hub.capture(visit("spring", query)).await.unwrap_err();
        assert_eq!(why(&refused), (reason, "query"));
    }
}

#[tokio::test(start_paused = true)]
async fn counts_outlive_a_change_of_the_registry() {
    let house = house();
    let mut accounts = house.hub.accounts();
    house.land("a").await;
    house.hub.replace(registry(&["app"]).unwrap());
    assert!(house.hub.land(visit("spring", "click=b")).await.is_err());
    house.hub.replace(registry(&["spring"]).unwrap());
    assert!(accounts.has_changed().unwrap());
    assert_eq!(accounts.borrow_and_update().len(), 2);
    assert_eq!(house.hub.campaigns().await.unwrap()[0].clicks, 1);
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_counted_by_who_came() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let house = house();
    let mut bot = visit("spring", "");
    bot.flags.bot = true;
    house.hub.land(bot).await.unwrap();
    house.hub.land(visit("spring", "")).await.unwrap();
    house.hub.capture(visit("spring", "")).await.unwrap_err();
    let text = recorder.handle().render();
    for (visitor, lost) in [("bot", 1), ("person", 2)] {
        let line = format!(
            r#"postback_capture_lost_total{{campaign="spring",reason="missing",visitor="{visitor}"}} {lost}"#
        );
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}
