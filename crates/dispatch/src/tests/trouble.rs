//! Trouble at home: the outbox away, leases lost, an account refused, a stop in the middle, a defect.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use postback_core::{
    AccountId, DeliveryState, Outcome, Reason,
    ports::{Clock, Outbox},
};
use tokio::{task::yield_now, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    adapter::{HOLD, keyed},
    leaf::{Answer, TestNetwork, WELL},
    log::Log,
    rig::{MAIN, Rig, account, accounts, at, limited},
};
use crate::{
    Settings,
    breakers::Breakers,
    guard::Switch,
    sending::{LastAccepted, Sending, Shared},
    stack::Stack,
};

fn main_account() -> AccountId {
    AccountId::parse(MAIN).unwrap()
}

fn fails(rig: &Rig, step: &'static str, times: usize) {
    rig.outbox.state().failing.insert(step, times);
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_is_away_is_asked_seldom_and_spoken_of_once() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "claim", 20);
    let rig = rig.run(network.leaf());
    let waker = rig.wake.clone();
    let wakes = tokio::spawn(async move {
        loop {
            waker.notify_one();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    rig.settled().await;
    wakes.abort();
    let took = network.calls()[0].1;
    assert!(took >= Duration::from_secs(35), "{took:?}: 20 tries with growing waits, whoever wakes it");
    assert_eq!(log.saying("the outbox is away").len(), 1, "{}", log.text());
    assert_eq!(log.saying("the outbox answers again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_is_tried_until_it_succeeds_and_the_call_is_not_repeated() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "settle", 5);
    let rig = rig.run(network.leaf());
    rig.settled().await;
    assert_eq!(rig.outbox.delivery("c").state, DeliveryState::Delivered);
    assert_eq!((rig.outbox.state().asked["settle"], network.calls().len()), (6, 1));
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_cannot_be_made_leaves_its_lease_to_end_and_the_mark_speaks() {
    let network = TestNetwork::always(Answer::Breaks);
    let (log, _guard) = Log::catch();
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "settle", usize::MAX);
    let rig = rig.run(network.leaf());
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(rig.outbox.state().claimed.len(), 2, "the lease ended, and it was claimed again");
    assert!(log.saying("held in doubt").is_empty(), "nothing was settled: {}", log.text());
    fails(&rig, "settle", 0);
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert_eq!(network.calls().len(), 1, "what may have been counted is not sent again");
    assert!(matches!(&delivery.state, DeliveryState::InDoubt(reason) if reason.code == "interrupted"));
    assert!(!log.saying("left to its lease").is_empty());
    assert_eq!(log.saying("held in doubt").len(), 1, "{}", log.text());
}

/// One claim of a lead that may be sent again, with so much left of its lease, and the stack that it goes down.
async fn claimed(rig: &Rig, network: &TestNetwork, left: Duration) -> (Sending, Stack) {
    let (outbox, clock, settings) = (rig.outbox.clone(), rig.clock.clone(), Settings::default());
    let shared = Arc::new(Shared {
        outbox,
        clock: clock.clone(),
        tally: Arc::default(),
        settings,
        network: network.leaf(),
        breakers: Breakers::default(),
    });
    let account = account(MAIN, "https://a.example", keyed());
    let switch = Switch::new(account.id.clone(), "deliveries", clock, Breakers::default());
    let stack = Stack::new(&account, switch, shared.settings.timeout, network.leaf());
    let claim = rig.outbox.claim(&account.id, 1, shared.settings.lease).await.unwrap().claims.remove(0);
    let (claimed_at, ends) = (Clock::now(rig.clock.as_ref()), Instant::now() + left);
    let (meter, accepted, stop) = (Arc::default(), LastAccepted::default(), CancellationToken::new());
    (Sending { shared, account, meter, accepted, claim, claimed_at, ends, stop }, stack)
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_lease_would_end_within_an_attempt_is_given_back_unsent() {
    for (left, calls) in [(5, 0), (6, 1)] {
        let network = TestNetwork::always(WELL);
        let rig = Rig::new([]).leads(MAIN, ["c"]);
        let (sending, stack) = claimed(&rig, &network, Duration::from_secs(left)).await;
        sending.run(stack, None).await;
        assert_eq!((network.calls().len(), rig.outbox.state().released.len()), (calls, 1 - calls));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_frozen_for_two_leases_sends_nothing_that_it_had_not_sent() {
    let network = TestNetwork::always(Answer::Connects(Duration::from_secs(3)));
    let rig = Rig::new([]).leads(MAIN, ["c"]);
    let lease = Settings::default().lease;
    let (sending, stack) = claimed(&rig, &network, lease).await;
    let sending = tokio::spawn(async move { sending.run(stack, None).await });
    yield_now().await;
    assert_eq!(network.calls().len(), 1, "it is connecting");
    tokio::time::advance(2 * lease).await;
    sending.await.unwrap();
    assert_eq!(network.most_at_once(), 0, "the connection that stands by now is not used");
    assert_eq!(rig.outbox.delivery("c").attempts, []);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_for_a_lease_sends_nothing_under_it() {
    for is_connecting in [false, true] {
        let network = TestNetwork::always(Answer::Connects(Duration::from_secs(3)));
        let rig = Rig::new([]).leads(MAIN, ["c"]);
        let lease = Settings::default().lease;
        let (sending, stack) = claimed(&rig, &network, lease).await;
        if !is_connecting {
            rig.clock.suspend(lease);
        }
        let sending = tokio::spawn(async move { sending.run(stack, None).await });
        yield_now().await;
        assert_eq!(network.calls().len(), usize::from(is_connecting));
        rig.clock.suspend(lease);
        sending.await.unwrap();
        assert_eq!(network.most_at_once(), 0, "connecting: {is_connecting}");
        assert_eq!(rig.outbox.delivery("c").attempts, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_whose_lease_ended_early_waits_for_its_older_call() {
    for (repeat, calls) in [(keyed(), 2), (HOLD, 1)] {
        let network = TestNetwork::new(move |_, number| match number {
            1 if calls == 2 => Answer::Connects(Duration::from_secs(4)),
            1 => Answer::Says(200, "ok", Duration::from_secs(4)),
            _ => WELL,
        });
        let rig =
            Rig::new([account(MAIN, "https://a.example", repeat)]).leads(MAIN, ["c"]).run(network.leaf());
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.outbox.end_leases();
        rig.settled().await;
        let sent = network.calls();
        assert_eq!(sent.len(), calls);
        assert!(sent[1..].iter().all(|(_, at)| *at >= Duration::from_secs(4)), "{sent:?}");
        let held = matches!(rig.outbox.delivery("c").state, DeliveryState::InDoubt(_));
        assert_eq!(held, calls == 1, "what began and was not settled is for a person");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_under_a_lost_lease() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    rig.outbox.state().leases_lost = true;
    let rig = rig.run(network.leaf());
    rig.outbox.until(|state| state.asked.get("start") == Some(&1)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let state = rig.outbox.state();
    assert_eq!((state.asked.get("settle"), state.asked.get("release")), (None, None));
    assert_eq!(network.most_at_once(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_marked_is_not_sent_and_no_attempt_is_burnt() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "start", 2);
    let rig = rig.run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 1));
    assert_eq!(network.most_at_once(), 1);
    assert_eq!(rig.outbox.state().released.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_outlasts_its_attempt_says_nothing_of_the_network_and_burns_no_attempt() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    rig.outbox.state().start_waits = Some(Arc::default());
    let rig = rig.run(network.leaf());
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    let outcomes: Vec<Outcome> = delivery.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!((outcomes, rig.outbox.state().released.len()), (vec![Outcome::Accepted], 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_account_is_paused_with_one_alert_and_nothing_is_burnt() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::new(|_, number| match number {
        ..=4 => Answer::Says(403, "wrong key", Duration::from_millis(100)),
        _ => WELL,
    });
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 4, None)]);
    let rig = rig.leads(MAIN, (0..10).map(|n| format!("c{n}"))).run(network.leaf());
    rig.outbox.until(|state| state.asked.get("settle") == Some(&4)).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(network.calls().len(), 4, "nothing is sent while it is paused");
    assert_eq!(log.saying("account paused").len(), 1, "{}", log.text());
    let paused = rig.outbox.paused(&main_account()).await.unwrap().unwrap();
    assert_eq!(paused.reason.code, "http_403");
    let state =
        |rig: &Rig| rig.outbox.state().lanes.iter().map(|l| l.delivery.state.clone()).collect::<Vec<_>>();
    assert_eq!(state(&rig), vec![DeliveryState::Pending; 10]);

    rig.outbox.resume(&main_account()).await.unwrap();
    rig.settled().await;
    assert_eq!(state(&rig), vec![DeliveryState::Delivered; 10]);
    let proof: Vec<Outcome> =
        rig.outbox.delivery("c0").attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(proof, [Outcome::Misconfigured, Outcome::Accepted]);
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_pause_was_not_heard_is_paused_with_an_alert_all_the_same() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::always(Answer::Says(403, "wrong key", Duration::ZERO));
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "pause", 1);
    let rig = rig.run(network.leaf());
    rig.attempted("c", 1).await;
    assert_eq!(rig.outbox.state().asked["pause"], 2);
    assert_eq!(log.saying("account paused").len(), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_after_others_were_taken_is_dead_and_its_account_goes_on() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::new(|click, _| match click {
        "odd" => Answer::Says(403, "blocked", Duration::from_millis(100)),
        _ => WELL,
    });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["odd"]).run(network.leaf());
    rig.outbox.until(|state| !state.paused.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    rig.add(MAIN, "well");
    rig.outbox.resume(&main_account()).await.unwrap();
    let odd = rig.attempted("odd", 2).await;
    assert_eq!(rig.outbox.delivery("well").state, DeliveryState::Delivered);
    assert_eq!(odd.state, DeliveryState::Pending, "what is taken beside it may be luck");
    rig.outbox.until(|state| !state.paused.is_empty()).await;
    rig.outbox.resume(&main_account()).await.unwrap();
    let odd = rig.attempted("odd", 3).await;

    let proof: Vec<Outcome> = odd.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(proof, [Outcome::Misconfigured, Outcome::Misconfigured, Outcome::Rejected]);
    let DeliveryState::Dead(reason) = &odd.state else { panic!("{:?}", odd.state) };
    assert_eq!(reason.code, "http_403");
    assert!(reason.message.contains("takes the account's other calls"), "{reason}");
    assert!(rig.outbox.state().paused.is_empty(), "the account goes on");
    assert_eq!(log.saying("account paused").len(), 2, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_under_other_settings_says_nothing_of_the_account() {
    let network = TestNetwork::new(|click, _| match click {
        "well" => WELL,
        _ => Answer::Says(403, "wrong key", Duration::ZERO),
    });
    let settings = || limited(account(MAIN, "https://a.example", HOLD), 1, None);
    let rig = Rig::new([settings()]).leads(MAIN, ["c"]).run(network.leaf());
    rig.outbox.until(|state| !state.paused.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    rig.outbox.state().lanes[0].delivery.due_at = Some(at(120));
    rig.add(MAIN, "well");
    rig.outbox.resume(&main_account()).await.unwrap();
    rig.outbox.until(|state| state.lanes[1].delivery.state == DeliveryState::Delivered).await;

    rig.accounts.send_replace(accounts([limited(settings(), 2, None)]));
    assert_eq!(rig.attempted("c", 2).await.state, DeliveryState::Pending, "the new key is wrong");
    assert!(rig.outbox.state().paused.contains_key(&main_account()));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_a_person_paused_and_resumed_goes_on_within_a_poll() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    rig.outbox.pause(&main_account(), Reason::new("operator", "a holiday")).await.unwrap();
    let rig = rig.run(network.leaf());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(network.calls().is_empty());
    assert!(rig.outbox.state().asked["claim"] <= 242, "it does not spin over what is due");
    rig.outbox.resume(&main_account()).await.unwrap();
    rig.settled().await;
    assert_eq!(network.seconds(), [60]);
}

#[tokio::test(start_paused = true)]
async fn on_a_stop_what_is_under_way_is_settled_and_what_waits_is_given_back() {
    let network = TestNetwork::always(Answer::Says(200, "ok", Duration::from_secs(4)));
    let mut rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 8, Some(2))])
        .leads(MAIN, (0..20).map(|n| format!("c{n}")))
        .run(network.leaf());
    rig.outbox.until(|state| state.claimed.iter().map(|(_, count)| count).sum::<usize>() == 4).await;
    rig.stop().await;
    let state = rig.outbox.state();
    let count = |wanted: DeliveryState| state.lanes.iter().filter(|l| l.delivery.state == wanted).count();
    assert_eq!((count(DeliveryState::Delivered), count(DeliveryState::Pending)), (2, 18));
    assert_eq!(state.released.len(), 2);
    assert_eq!(network.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_no_longer_than_an_attempt() {
    let network = TestNetwork::always(Answer::Hangs);
    let mut rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("start")).await;
    rig.stop().await;
    assert!(matches!(rig.outbox.delivery("c").state, DeliveryState::InDoubt(_)));
    assert_eq!(rig.outbox.delivery("c").attempts[0].duration, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_the_outbox_away_ends_all_the_same() {
    let network = TestNetwork::always(WELL);
    let mut rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    fails(&rig, "settle", usize::MAX);
    rig = rig.run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("settle")).await;
    rig.stop().await;
    let ended = postback_core::ports::Clock::now(rig.clock.as_ref());
    assert!(ended <= at(0) + SignedDuration::from_secs(11), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_defect_in_one_delivery_stops_no_other() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([limited(account(MAIN, "https://a.example", keyed()), 1, None)])
        .leads(MAIN, ["defect", "well"])
        .run(network.leaf());
    rig.outbox
        .until(|state| state.lanes.iter().any(|lane| lane.delivery.state == DeliveryState::Delivered))
        .await;
    assert_eq!(network.calls()[0].0, "well");
    assert_eq!(log.saying("by a defect").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_falls_by_a_defect_is_followed_by_another() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]);
    rig.outbox.state().defects = 2;
    let rig = rig.run(network.leaf());
    rig.settled().await;
    assert_eq!(network.seconds(), [2]);
    assert_eq!(log.saying("another follows").len(), 2);
}
