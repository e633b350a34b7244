//! What is counted over time, who did what, and the latest clicks.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use postback_core::{
    CampaignId, Delivery, DeliveryState, ErrorKind, NoClick, Reason, Result, Series,
    ports::{BUCKET, Clock as _, Deed, Resolution},
};
use postback_hub::{ClickBy, ClicksOf, Decided, EraseSubject, Selection};
use tokio_util::sync::CancellationToken;

use crate::doubles::*;

fn clicks() -> Series {
    Series::Clicks("spring".parse().unwrap())
}

fn dead(code: &str) -> DeliveryState {
    DeliveryState::Dead(Reason::new(code, "no"))
}

fn campaign(name: &str) -> ClicksOf {
    ClicksOf::Campaign(name.into())
}

async fn listed(house: &House, of: ClicksOf) -> Vec<String> {
    let page = house.hub.latest_clicks(&of, 10, None).await.unwrap();
    page.items.iter().map(|click| click.click.id.to_string()).collect()
}

fn doubt() -> DeliveryState {
    DeliveryState::InDoubt(Reason::new("timeout", "?"))
}

/// The selection as a preview leaves it.
fn as_in(preview: Decided, selection: &Selection) -> Selection {
    Selection { previewed_at: preview.previewed_at, ..selection.clone() }
}

/// So many leads of clicks of their own, each a second after the one before it, all standing so.
async fn standing(house: &House, many: usize, state: DeliveryState) -> Vec<Delivery> {
    for number in 0..many {
        let lead = report(house.token(&format!("c{number}")).await, lead());
        let delivery = house.record(lead).await.delivery;
        house.outbox.set(delivery, state.clone(), house.clock.now());
        house.clock.pass(SignedDuration::from_secs(1));
    }
    house.outbox.deliveries()
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_every_few_seconds_and_at_the_end() {
    let house = house();
    let shutdown = CancellationToken::new();
    let work = async {
        house.land("a").await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(house.logbook.counted(&clicks()), 1);
        house.land("b").await;
        house.record(report(house.token("c").await, lead())).await;
        shutdown.cancel();
    };
    tokio::join!(house.hub.run(shutdown.clone()), work);
    assert_eq!(house.logbook.counted(&clicks()), 3);
    assert_eq!(house.logbook.counted(&Series::Conversions(id("near"))), 1);
    assert_eq!(house.logbook.glimpsed("spring"), ["c", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_logbook_that_is_away_or_full_costs_neither_clicks_nor_conversions_and_gets_its_counts_later() {
    for refusal in [ErrorKind::Unavailable, ErrorKind::ResourceExhausted] {
        let house = house();
        house.logbook.refuse(Some(refusal));
        let shutdown = CancellationToken::new();
        let work = async {
            house.record(report(house.token("a").await, lead())).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(house.hub.campaigns().await.unwrap_err().kind(), refusal);
            house.land("b").await;
            house.record(report(house.token("c").await, lead())).await;
            house.logbook.away(false);
            shutdown.cancel();
        };
        tokio::join!(house.hub.run(shutdown.clone()), work);
        assert_eq!(house.logbook.counted(&clicks()), 3);
        assert_eq!(house.logbook.counted(&Series::Conversions(id("near"))), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sample_of_clicks_that_the_logbook_does_not_take_or_whose_caller_goes_away_is_written_later() {
    let house = house();
    house.land("a").await;
    house.hub.capture(visit("app", "sub=z")).await.unwrap();
    house.logbook.blind(true);
    house.hub.campaigns().await.unwrap();
    assert!(house.logbook.glimpsed("spring").is_empty());
    house.logbook.hang(true);
    leave(house.hub.campaigns()).await;
    house.logbook.hang(false);
    house.land("b").await;
    house.logbook.blind(false);
    house.hub.campaigns().await.unwrap();
    assert_eq!(house.logbook.glimpsed("spring"), ["b", "a"]);
    assert_eq!(house.logbook.glimpsed("app"), ["z"]);
}

#[tokio::test(start_paused = true)]
async fn counts_that_no_logbook_takes_within_an_hour_are_dropped() {
    let house = house();
    house.logbook.away(true);
    house.land("a").await;
    house.hub.campaigns().await.unwrap_err();
    house.clock.pass(SignedDuration::from_hours(2));
    house.land("b").await;
    house.logbook.away(false);
    house.hub.campaigns().await.unwrap();
    assert_eq!(house.logbook.counted(&clicks()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_shows_what_was_counted_in_steps_and_for_one_account() {
    let house = house();
    let start = house.clock.now();
    house.land("a").await;
    house.hub.land(visit("app", "")).await.unwrap();
    house.record(report(house.token("b").await, lead())).await;
    house.hub.campaigns().await.unwrap();
    house.clock.pass(BUCKET * 2);
    house.land("c").await;
    let until = house.clock.now() + BUCKET;
    let fine = house.hub.history(None, start, until, BUCKET).await.unwrap();
    let (spring, app): (CampaignId, CampaignId) = ("spring".parse().unwrap(), "app".parse().unwrap());
    assert_eq!(fine.len(), 2);
    assert_eq!((fine[0].campaigns[&spring].clicks, fine[1].campaigns[&spring].clicks), (2, 1));
    assert_eq!(fine[0].campaigns[&app].lost[&NoClick::Missing], 1);
    assert_eq!(fine[0].accounts[&id("near")].conversions, 1);
    let hourly = house.hub.history(None, start, until, BUCKET * 12).await.unwrap();
    assert_eq!((hourly.len(), hourly[0].campaigns[&spring].clicks), (1, 3));
    let near = house.hub.history(Some(&id("near")), start, until, BUCKET).await.unwrap();
    assert!(near.iter().all(|period| !period.campaigns.contains_key(&app)) && near.len() == 2);
    assert!(house.hub.history(Some(&id("nobody")), start, until, BUCKET).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_step_is_a_multiple_of_five_minutes_and_makes_a_bounded_history() {
    let house = house();
    let now = house.clock.now();
    let refused = async |step| house.hub.history(None, now - DAY * 8, now, step).await.unwrap_err();
    for step in [SignedDuration::ZERO, -BUCKET, SignedDuration::from_secs(1), BUCKET] {
        assert_eq!(refused(step).await.field(), Some("step"), "{step}");
    }
    assert!(house.hub.history(None, now - DAY * 8, now, BUCKET * 12).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_is_noted_with_who_and_on_what() {
    let house = house();
    let near = id("near");
    let delivery = house.record(report(house.token("a").await, lead())).await.delivery;
    house.outbox.set(delivery, dead("rejected"), house.clock.now());
    house.hub.replay(delivery, None, &operator()).await.unwrap();
    house.outbox.set(delivery, doubt(), house.clock.now());
    house.hub.resolve(delivery, Resolution::Delivered, None, &operator()).await.unwrap();
    house.hub.pause(&near, "new key", &operator()).await.unwrap();
    house.hub.pause(&near, "again", &operator()).await.unwrap();
    house.hub.resume(&near, &operator()).await.unwrap();
    house.hub.resume(&near, &operator()).await.unwrap();
    house.hub.replay(delivery, None, &operator()).await.unwrap_err();
    let noted = house.logbook.noted();
    let deeds: Vec<Deed> = noted.iter().map(|action| action.deed).collect();
    assert_eq!(deeds, [Deed::Replay, Deed::Resolve(Resolution::Delivered), Deed::Pause, Deed::Resume]);
    assert!(noted.iter().all(|action| action.actor == operator() && action.account == Some(near.clone())));
    assert_eq!((noted[0].target.as_str(), noted[0].count), (delivery.to_string().as_str(), 1));
    assert_eq!(noted[2].reason, "new key");
    let listed = house.hub.actions(2, None).await.unwrap().items;
    assert_eq!(listed.iter().map(|action| action.deed).collect::<Vec<_>>(), [Deed::Resume, Deed::Pause]);
    assert!(noted.is_sorted_by_key(|action| action.id));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_noted_though_the_stores_answer_was_lost() {
    let house = house();
    let (near, token) = (id("near"), house.token("a").await);
    let delivery = house.record(report(token, lead())).await.delivery;
    house.outbox.set(delivery, dead("rejected"), house.clock.now());
    house.outbox.unheard(true);
    house.hub.replay(delivery, None, &operator()).await.unwrap_err();
    house.outbox.unheard(false);
    let repeat = house.hub.replay(delivery, None, &operator()).await.unwrap_err();
    assert_eq!(repeat.reason(), "NOT_DEAD");
    house.outbox.set(delivery, doubt(), house.clock.now());
    house.outbox.unheard(true);
    house.hub.resolve(delivery, Resolution::Delivered, None, &operator()).await.unwrap_err();
    house.hub.pause(&near, "new key", &operator()).await.unwrap_err();
    house.hub.resume(&near, &operator()).await.unwrap_err();
    house.outbox.set(delivery, dead("rejected"), house.clock.now());
    let all = Selection::default();
    let all = as_in(house.hub.replay_all(&all, true, &operator()).await.unwrap(), &all);
    house.hub.replay_all(&all, false, &operator()).await.unwrap_err();
    let noted = house.logbook.noted();
    let said = |reason: &str| format!("{reason}may have been done: the store's answer was lost");
    let want = [
        (Deed::Replay, delivery.to_string(), said("")),
        (Deed::Resolve(Resolution::Delivered), delivery.to_string(), said("")),
        (Deed::Pause, "the account".to_owned(), said("new key; ")),
        (Deed::Resume, "the account".to_owned(), said("")),
        (Deed::Replay, "all".to_owned(), said("")),
    ];
    let noted: Vec<_> = noted.into_iter().map(|action| (action.deed, action.target, action.reason)).collect();
    assert_eq!(noted, want);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_cannot_be_noted_is_done_all_the_same() {
    let house = house();
    house.logbook.away(true);
    assert!(house.hub.pause(&id("near"), "", &operator()).await.unwrap().paused.is_some());
    assert!(house.logbook.noted().is_empty());
}

/// Makes a call of a caller that goes away before it is answered.
async fn leave(call: impl Future) {
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_counted_and_noted_though_its_caller_goes_away() {
    let house = house();
    let (hub, near, night) = (&house.hub, id("near"), operator());
    let token = house.token("a").await;
    let dead_one = house.record(report(token.clone(), lead())).await.delivery;
    let doubted = house.record(report(token.clone(), lead())).await.delivery;
    let one_of_many = house.record(report(token.clone(), lead())).await.delivery;
    house.outbox.set(dead_one, dead("rejected"), house.clock.now());
    for doubted in [doubted, one_of_many] {
        house.outbox.set(doubted, DeliveryState::InDoubt(Reason::new("timeout", "?")), house.clock.now());
    }
    let all = Selection::default();
    let many = as_in(hub.resolve_all(&all, Resolution::Resend, true, &night).await.unwrap(), &all);
    house.outbox.silent(true);
    leave(hub.record(&report(token, lead()))).await;
    leave(hub.replay(dead_one, None, &night)).await;
    leave(hub.resolve(doubted, Resolution::Delivered, None, &night)).await;
    leave(hub.resolve_all(&many, Resolution::Resend, false, &night)).await;
    leave(hub.pause(&near, "new key", &night)).await;
    leave(hub.resume(&near, &night)).await;
    leave(hub.erase(EraseSubject::User("somebody".into()), &night)).await;
    house.outbox.silent(false);
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    hub.run(shutdown).await;
    assert_eq!(house.logbook.counted(&Series::Conversions(near.clone())), 4);
    assert_eq!(house.logbook.counted(&Series::Delivered(near)), 1);
    let deeds: BTreeSet<_> =
        house.logbook.noted().iter().map(|action| format!("{:?}", action.deed)).collect();
    let deeds: Vec<_> = deeds.iter().map(String::as_str).collect();
    assert_eq!(deeds, ["Erase", "Pause", "Replay", "Resolve(Delivered)", "Resolve(Resend)", "Resume"]);
}

#[tokio::test(start_paused = true)]
async fn an_erasure_is_noted_and_names_nobody() {
    let house = house();
    house.attach("somebody", "a").await;
    house.hub.campaigns().await.unwrap();
    assert_eq!(listed(&house, campaign("spring")).await, ["a"]);
    house.hub.erase(EraseSubject::User("somebody".into()), &operator()).await.unwrap();
    let by = ClickBy::Network { account: "near".into(), click_id: "a".into() };
    house.hub.erase(EraseSubject::Click(by), &operator()).await.unwrap();
    let noted = house.logbook.noted();
    let targets: Vec<_> = noted.iter().map(|action| (action.deed, action.target.as_str())).collect();
    assert_eq!(targets, [(Deed::Erase, "a user"), (Deed::Erase, "a click")]);
    assert!(house.logbook.glimpsed("spring").is_empty());
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_replayed_in_bulk_after_a_preview() {
    let house = house();
    let deliveries = standing(&house, 5, dead("rejected")).await;
    house.outbox.set(deliveries[4].id, dead("other"), house.clock.now());
    let before = house.outbox.deliveries();
    let selection = Selection { reason: Some("rejected".into()), ..Selection::default() };
    let preview = house.hub.replay_all(&selection, true, &operator()).await.unwrap();
    assert_eq!((preview.count, preview.previewed_at), (4, Some(before[3].updated_at)));
    assert!(house.logbook.noted().is_empty() && house.outbox.deliveries() == before);
    let selection = as_in(preview, &selection);
    let decided = Decided { count: 4, ..Decided::default() };
    assert_eq!(house.hub.replay_all(&selection, false, &operator()).await.unwrap(), decided);
    let pending = |it: &&Delivery| it.state == DeliveryState::Pending;
    assert_eq!(house.outbox.deliveries().iter().filter(pending).count(), 4);
    let noted = &house.logbook.noted()[0];
    assert_eq!((noted.target.as_str(), noted.count), ("all with reason rejected", 4));
    assert_eq!(house.hub.replay_all(&selection, false, &operator()).await.unwrap(), Decided::default());
    assert_eq!(house.logbook.noted().len(), 1, "what changed nothing is not noted");
}

#[tokio::test(start_paused = true)]
async fn a_bulk_takes_the_oldest_thousand_and_says_how_many_are_left() {
    let house = house();
    let deliveries = standing(&house, 1_100, dead("rejected")).await;
    let account = Selection { account: Some(id("near")), ..Selection::default() };
    let preview = house.hub.replay_all(&account, true, &operator()).await.unwrap();
    assert_eq!(preview.count, 1_100);
    let account = as_in(preview, &account);
    let decided = house.hub.replay_all(&account, false, &operator()).await.unwrap();
    assert_eq!(decided, Decided { count: 1_000, left: 100, ..Decided::default() });
    let still = house.outbox.deliveries().into_iter().find(|it| it.state != DeliveryState::Pending).unwrap();
    assert_eq!(still.id, deliveries[1_000].id, "the oldest came first");
    let decided = house.hub.replay_all(&account, false, &operator()).await.unwrap();
    assert_eq!(decided, Decided { count: 100, ..Decided::default() });
    let nobody = Selection { account: Some(id("nobody")), ..Selection::default() };
    let refused = house.hub.replay_all(&nobody, true, &operator()).await.unwrap_err();
    assert_eq!(why(&refused), ("UNKNOWN_ACCOUNT", "account"));
}

#[tokio::test(start_paused = true)]
async fn what_falls_in_doubt_after_the_preview_is_left_to_another_preview() {
    let house = house();
    standing(&house, 1_500, doubt()).await;
    let all = Selection::default();
    let resolve = async |selection: &Selection, preview| {
        let hub = &house.hub;
        hub.resolve_all(selection, Resolution::Delivered, preview, &operator()).await.unwrap()
    };
    let preview = resolve(&all, true).await;
    let of_preview = as_in(preview, &all);
    assert_eq!(resolve(&of_preview, false).await.left, 500);
    let late = house.record(report(house.token("late").await, lead())).await.delivery;
    house.outbox.set(late, doubt(), house.clock.now());
    assert_eq!(resolve(&of_preview, false).await, Decided { count: 500, ..Decided::default() });
    let left = house.outbox.deliveries().into_iter().filter(|it| it.state == doubt());
    assert_eq!(left.map(|it| it.id).collect::<Vec<_>>(), [late]);
    assert_eq!((resolve(&of_preview, true).await.count, resolve(&all, true).await.count), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_again_and_falls_in_doubt_anew_is_not_sent_a_third_time_by_one_word() {
    let house = house();
    standing(&house, 1_010, doubt()).await;
    let all = Selection::default();
    let resend = async |selection: &Selection, preview| {
        house.hub.resolve_all(selection, Resolution::Resend, preview, &operator()).await.unwrap()
    };
    let of_preview = as_in(resend(&all, true).await, &all);
    assert_eq!(resend(&of_preview, false).await, Decided { count: 1_000, left: 10, ..Decided::default() });
    for sent in house.outbox.deliveries().into_iter().filter(|it| it.state == DeliveryState::Pending) {
        house.outbox.set(sent.id, doubt(), house.clock.now());
    }
    assert_eq!(resend(&of_preview, false).await, Decided { count: 10, ..Decided::default() });
    assert_eq!(resend(&of_preview, false).await, Decided::default());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decided_in_bulk_that_was_not_previewed() {
    let house = house();
    standing(&house, 1, doubt()).await;
    let all = Selection::default();
    let refused = house.hub.resolve_all(&all, Resolution::Delivered, false, &operator()).await.unwrap_err();
    assert_eq!(why(&refused), ("MISSING", "preview_time"));
    assert_eq!(house.hub.replay_all(&all, true, &operator()).await.unwrap(), Decided::default());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_clicks_life_is_over_is_not_chosen() {
    let house = house();
    standing(&house, 3, dead("rejected")).await;
    house.clock.pass(DAY * 31);
    let preview = house.hub.replay_all(&Selection::default(), true, &operator()).await.unwrap();
    assert_eq!(preview.count, 0);
}

#[tokio::test(start_paused = true)]
async fn deliveries_in_doubt_are_decided_in_bulk_and_counted() {
    let house = house();
    standing(&house, 3, doubt()).await;
    let all = Selection { previewed_at: Some(house.clock.now()), ..Selection::default() };
    let decided = house.hub.resolve_all(&all, Resolution::Delivered, false, &operator()).await.unwrap();
    assert_eq!(decided, Decided { count: 3, ..Decided::default() });
    house.hub.campaigns().await.unwrap();
    assert_eq!(house.logbook.counted(&Series::Delivered(id("near"))), 3);
    assert_eq!(house.logbook.noted()[0].deed, Deed::Resolve(Resolution::Delivered));
}

#[tokio::test(start_paused = true)]
async fn clicks_are_listed_by_campaign_by_user_and_by_address() {
    let house = house();
    house.attach("somebody", "a").await;
    house.attach("somebody", "b").await;
    house.hub.capture(visit("app", "sub=z")).await.unwrap();
    house.hub.campaigns().await.unwrap();
    assert_eq!(listed(&house, campaign("spring")).await, ["b", "a"]);
    assert_eq!(listed(&house, ClicksOf::User("somebody".into())).await, ["b", "a"]);
    let from = |campaign: Option<&str>| ClicksOf::Ip {
        ip: "192.0.2.77".into(),
        campaign: campaign.map(str::to_owned),
    };
    assert_eq!(listed(&house, from(Some("app"))).await, ["z"]);
    assert_eq!(listed(&house, from(None)).await, ["z"]);
    let refused = async |of| -> Result<_> { house.hub.latest_clicks(&of, 10, None).await };
    assert_eq!(refused(from(Some("spring"))).await.unwrap_err().reason(), "NO_IP_INDEX");
    assert_eq!(refused(campaign("autumn")).await.unwrap_err().reason(), "UNKNOWN_CAMPAIGN");
    assert!(refused(ClicksOf::User(String::new())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_preview_of_a_landing_stores_and_counts_nothing() {
    let house = house();
    let preview = house.hub.preview(visit("spring", "click=a&utm_source=x")).await.unwrap();
    assert_eq!((preview.already, preview.click.utm.source.as_deref()), (false, Some("x")));
    assert!(preview.location.contains("c=a"));
    assert_eq!(house.hub.preview(visit("spring", "")).await.unwrap_err().field(), Some("query"));
    assert_eq!((house.clicks.len(), house.hub.campaigns().await.unwrap()[1].clicks), (0, 0));
    let landed = house.land("a").await;
    let again = house.hub.preview(visit("spring", "click=a")).await.unwrap();
    assert_eq!(
        (again.already, Some(again.click.click.clone()), Some(again.token)),
        (true, landed.click, landed.token)
    );
}

#[tokio::test(start_paused = true)]
async fn a_campaigns_link_leads_to_the_public_address() {
    let house = house();
    assert_eq!(house.hub.link("spring").unwrap(), "https://go.example/c/spring?click={click_id}");
    assert_eq!(house.hub.link("autumn").unwrap_err().reason(), "UNKNOWN_CAMPAIGN");
}
