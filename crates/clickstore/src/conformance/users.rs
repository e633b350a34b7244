//! Checks of the clicks that brought a user.

use postback_core::{Click, UserId, ports::Attribution};
use tokio::task::JoinSet;

use super::{Bench, SECOND, days};

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn ids(attributions: &[Attribution]) -> Vec<&str> {
    attributions.iter().map(|attribution| attribution.click.id.as_str()).collect()
}

/// `count` clicks, one a second.
async fn clicks(bench: &Bench, count: usize) -> Vec<Click> {
    let mut clicks = Vec::new();
    for number in 0..count {
        clicks.push(bench.click(&format!("c{number}")));
        bench.clock.advance(SECOND);
    }
    clicks
}

/// PS-3: a conversion days after the click is attributed by the user alone.
pub async fn ps_3_a_user_brings_the_click_days_later(bench: &Bench) {
    let (first, second) = (bench.click("first"), bench.click("second"));
    let (first, second) = (
        bench.attribution(&first),
        Attribution {
            click: postback_core::ClickRef {
                captured_at: second.click.captured_at + days(1),
                ..second.click
            },
            ..bench.attribution(&first)
        },
    );
    // Attached in the other order: what counts is the capture.
    for attribution in [&second, &first] {
        bench.store.attach(&user("u 1 é"), attribution.clone()).await.unwrap();
    }
    bench.clock.advance(days(3));
    assert_eq!(bench.store.clicks_of(&user("u 1 é")).await.unwrap(), [first, second]);
    assert_eq!(bench.store.clicks_of(&user("u 1")).await.unwrap(), []);
}

/// The first attachment's time stays.
pub async fn attaching_again_changes_nothing(bench: &Bench) {
    let click = bench.click("c1");
    let first = bench.attribution(&click);
    bench.store.attach(&user("u"), first.clone()).await.unwrap();
    bench.clock.advance(days(1));
    bench.store.attach(&user("u"), bench.attribution(&click)).await.unwrap();
    assert_eq!(bench.store.clicks_of(&user("u")).await.unwrap(), [first]);
}

/// A user with 40 clicks keeps 32: the first, and the latest 31.
pub async fn of_many_clicks_of_a_user_the_first_and_the_latest_are_kept(bench: &Bench) {
    let clicks = clicks(bench, 40).await;
    for click in &clicks {
        bench.store.attach(&user("u"), bench.attribution(click)).await.unwrap();
    }
    bench.store.attach(&user("u"), bench.attribution(&clicks[5])).await.unwrap();
    let expected: Vec<String> = std::iter::once(0).chain(9..40).map(|number| format!("c{number}")).collect();
    assert_eq!(ids(&bench.store.clicks_of(&user("u")).await.unwrap()), expected);
}

/// Nothing is lost where several processes attach to one user at the same time.
pub async fn sixteen_clicks_attached_at_once_are_all_kept(bench: &Bench) {
    let mut attachments = JoinSet::new();
    let clicks = clicks(bench, 16).await;
    for click in &clicks {
        let (store, attribution) = (bench.store.clone(), bench.attribution(click));
        attachments.spawn(async move { store.attach(&user("u"), attribution).await.unwrap() });
    }
    attachments.join_all().await;
    let kept = bench.store.clicks_of(&user("u")).await.unwrap();
    assert_eq!(ids(&kept), clicks.iter().map(|click| click.click.id.as_str()).collect::<Vec<_>>());
}

/// An attribution is found as long as its click lives, and not a day more.
pub async fn an_attribution_ends_with_its_click(bench: &Bench) {
    let click = bench.click("c1");
    bench.clock.advance(days(10));
    bench.store.attach(&user("u"), bench.attribution(&click)).await.unwrap();
    bench.clock.advance(days(19));
    assert_eq!(ids(&bench.store.clicks_of(&user("u")).await.unwrap()), ["c1"]);
    bench.clock.advance(days(1));
    assert_eq!(bench.store.clicks_of(&user("u")).await.unwrap(), []);
    bench.store.attach(&user("late"), bench.attribution(&click)).await.unwrap();
    assert_eq!(bench.store.clicks_of(&user("late")).await.unwrap(), []);
    while bench.store.sweep().await.unwrap() > 0 {}
    assert_eq!(bench.store.clicks_of(&user("u")).await.unwrap(), []);
}

/// A clock that leapt ahead costs a user no click, and what is past its life is not found.
pub async fn a_clock_that_leaps_ahead_and_is_set_back_costs_a_user_no_click(bench: &Bench) {
    let first = bench.attribution(&bench.click("first"));
    bench.store.attach(&user("u"), first.clone()).await.unwrap();
    bench.clock.advance(days(31));
    let wrong = bench.attribution(&bench.click("wrong"));
    bench.store.attach(&user("u"), wrong.clone()).await.unwrap();
    bench.store.attach(&user("u"), wrong.clone()).await.unwrap();
    assert_eq!(ids(&bench.store.clicks_of(&user("u")).await.unwrap()), ["wrong"]);
    bench.clock.advance(-days(31));
    assert_eq!(bench.store.clicks_of(&user("u")).await.unwrap(), [first, wrong]);
}
