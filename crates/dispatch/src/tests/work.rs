//! The work of one account: claimed, sent, settled, tried again.

use std::{num::NonZeroUsize, time::Duration};

use jiff::SignedDuration;
use postback_core::{DeliveryState, Event, Outcome};

use super::{
    adapter::{HOLD, RESEND, keyed},
    leaf::{Answer, TestNetwork, WELL},
    rig::{MAIN, Rig, account, at, lead},
};

#[tokio::test(start_paused = true)]
async fn a_delivery_is_sent_once_and_settled_with_its_proof() {
    let network = TestNetwork::always(WELL);
    let mut rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    rig.stop().await;
    let delivery = rig.outbox.delivery("c");
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(delivery.remote_id.as_deref(), Some("2 bytes"));
    let [attempt] = delivery.attempts.as_slice() else { panic!("{:?}", delivery.attempts) };
    assert_eq!(attempt.call, "GET https://a.example/convert?click=c&key=***");
    assert_eq!((attempt.status, attempt.answer.as_str()), (Some(200), "ok"));
    assert_eq!((attempt.outcome, attempt.started_at), (Outcome::Accepted, at(0)));
    assert_eq!(network.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn ps_11_an_attempt_is_given_up_after_five_seconds() {
    let network = TestNetwork::always(Answer::Hangs);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    assert_eq!(rig.outbox.delivery("c").attempts[0].duration, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn ps_12_a_request_that_timed_out_after_it_was_sent_is_held_in_doubt() {
    let network = TestNetwork::always(Answer::Hangs);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    let DeliveryState::InDoubt(reason) = delivery.state else { panic!("{:?}", delivery.state) };
    assert_eq!(reason.to_string(), "no_answer: no answer within 5s");
    assert_eq!(delivery.attempts[0].outcome, Outcome::Ambiguous);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(network.calls().len(), 1, "it is never sent again by itself");
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_sent_again_where_it_has_a_key_or_the_account_says_so() {
    for repeat in [keyed(), RESEND] {
        let network = TestNetwork::new(|_, number| if number == 1 { Answer::Breaks } else { WELL });
        let rig =
            Rig::new([account(MAIN, "https://a.example", repeat)]).leads(MAIN, ["c"]).run(network.leaf());
        rig.settled().await;
        let delivery = rig.outbox.delivery("c");
        let outcomes: Vec<Outcome> = delivery.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::Ambiguous, Outcome::Accepted]);
        assert_eq!(delivery.state, DeliveryState::Delivered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_is_tried_at_the_times_of_the_schedule() {
    let network =
        TestNetwork::new(|_, number| if number < 5 { Answer::Says(500, "", Duration::ZERO) } else { WELL });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    let times: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.started_at).collect();
    for (pair, wait) in times.windows(2).zip([5_i64, 30, 120, 600]) {
        let waited = pair[1].duration_since(pair[0]).as_millis();
        let (least, most) = (i128::from(wait) * 800, i128::from(wait) * 1_200 + 5);
        assert!((least..=most).contains(&waited), "{waited} ms instead of {wait} s");
    }
    assert_eq!(delivery.attempts.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_blip_before_anything_is_sent_is_tried_again_at_once_and_is_one_attempt() {
    let network = TestNetwork::new(|_, number| if number < 3 { Answer::Refuses } else { WELL });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert_eq!((delivery.attempts.len(), network.calls().len()), (1, 3));
    assert_eq!(delivery.attempts[0].duration, Duration::from_millis(500));
    assert_eq!(rig.outbox.state().asked["start"], 1, "it is marked once, on the connection that stood");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_sent_later_on_every_network() {
    for repeat in [keyed(), HOLD, RESEND] {
        let network = TestNetwork::new(|_, number| if number <= 3 { Answer::Refuses } else { WELL });
        let rig =
            Rig::new([account(MAIN, "https://a.example", repeat)]).leads(MAIN, ["c"]).run(network.leaf());
        rig.settled().await;
        let delivery = rig.outbox.delivery("c");
        let outcomes: Vec<Outcome> = delivery.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::NotSent, Outcome::Accepted]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_must_not_be_repeated_is_marked_before_it_is_sent() {
    for (repeat, marks) in [(keyed(), None), (HOLD, Some(1)), (RESEND, Some(1))] {
        let network = TestNetwork::always(WELL);
        let rig =
            Rig::new([account(MAIN, "https://a.example", repeat)]).leads(MAIN, ["c"]).run(network.leaf());
        rig.settled().await;
        assert_eq!(rig.outbox.state().asked.get("start").copied(), marks);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_a_crash_cut_off_is_held_or_sent_again_and_a_key_since_does_not_help() {
    let held = (HOLD, 0, vec![Outcome::Ambiguous]);
    let resent = (RESEND, 1, vec![Outcome::Ambiguous, Outcome::Accepted]);
    let keyed_since = (keyed(), 0, vec![Outcome::Ambiguous]);
    for (repeat, calls, outcomes) in [held, resent, keyed_since] {
        let network = TestNetwork::always(WELL);
        let rig = Rig::new([account(MAIN, "https://a.example", repeat.clone())]);
        let (conversion, mut delivery) = lead(MAIN, "c");
        delivery.started_at = Some(at(-60));
        rig.outbox.add(conversion, delivery, DeliveryState::Pending);
        let rig = rig.run(network.leaf());
        rig.settled().await;
        let delivery = rig.outbox.delivery("c");
        assert_eq!(network.calls().len(), calls, "{repeat:?}");
        let found: Vec<Outcome> = delivery.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(found, outcomes, "{repeat:?}");
        assert_eq!(calls == 0, matches!(delivery.state, DeliveryState::InDoubt(_)), "{repeat:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_dead_without_a_call() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", keyed())]).leads(MAIN, ["refused"]);
    let (conversion, mut delivery) = lead(MAIN, "late");
    delivery.expires_at = at(0);
    rig.outbox.add(conversion, delivery, DeliveryState::Pending);
    let (conversion, mut delivery) = lead(MAIN, "orphan");
    delivery.event = Event::Changed(postback_core::Change::default());
    let dead = DeliveryState::Dead(postback_core::Reason::new("bad_click", "unknown click"));
    rig.outbox.add(conversion, delivery, dead);
    let rig = rig.run(network.leaf());
    rig.settled().await;
    for (click, code) in
        [("refused", "price_too_high"), ("late", "expired"), ("orphan", "lead_not_delivered")]
    {
        let DeliveryState::Dead(reason) = rig.outbox.delivery(click).state else { panic!("{click}") };
        assert_eq!(reason.code, code);
    }
    assert!(network.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_network_refuses_is_dead_at_once_with_its_reason() {
    let network = TestNetwork::always(Answer::Says(400, "no such click", Duration::ZERO));
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert!(matches!(&delivery.state, DeliveryState::Dead(reason) if reason.code == "bad_click"));
    assert_eq!(
        (delivery.attempts[0].status, delivery.attempts[0].answer.as_str()),
        (Some(400), "no such click")
    );
    assert_eq!(network.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_delivery_is_sent_when_its_worker_is_woken_and_not_at_the_next_poll() {
    let network = TestNetwork::always(WELL);
    let rig =
        Rig::new([account(MAIN, "https://a.example", HOLD), account("other", "https://b.example", HOLD)])
            .with_poll(Duration::from_secs(3_600))
            .run(network.leaf());
    rig.outbox.until(|state| state.asked.get("claim") == Some(&2)).await;
    for (click, all) in [("one", false), ("two", true), ("three", false)] {
        rig.add(MAIN, click);
        if all {
            rig.wake.notify_waiters()
        } else {
            rig.wake.notify_one()
        }
        rig.settled().await;
    }
    assert_eq!(network.seconds(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn no_wake_up_is_lost_while_a_worker_is_busy() {
    let network = TestNetwork::always(Answer::Says(200, "ok", Duration::from_secs(1)));
    let mut only = account(MAIN, "https://a.example", HOLD);
    only.concurrency = NonZeroUsize::MIN;
    let rig = Rig::new([only]).with_poll(Duration::from_secs(3_600)).leads(MAIN, ["one"]).run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("start")).await;
    rig.add(MAIN, "two");
    rig.wake.notify_one();
    rig.settled().await;
    assert_eq!(network.seconds(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_looks_again_after_its_poll_where_nobody_wakes_it() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("claim")).await;
    rig.add(MAIN, "c");
    rig.settled().await;
    assert_eq!(network.calls()[0].1, Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_asks_four_times_a_second_and_no_more() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).run(network.leaf());
    tokio::time::sleep(Duration::from_millis(60_100)).await;
    assert_eq!(rig.outbox.state().asked["claim"], 241);
    let soon = at(60) + SignedDuration::from_secs(3_600);
    let (conversion, mut delivery) = lead(MAIN, "later");
    delivery.due_at = Some(soon);
    rig.outbox.add(conversion, delivery, DeliveryState::Pending);
    rig.settled().await;
    let sent = rig.outbox.delivery("later").attempts[0].started_at;
    assert!(sent >= soon && sent < soon + SignedDuration::from_millis(2), "{sent}");
}
