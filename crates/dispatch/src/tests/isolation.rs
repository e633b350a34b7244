//! Accounts apart from each other, and accounts that come, change and go.

use std::time::Duration;

use postback_core::DeliveryState;

use super::{
    adapter::{HOLD, keyed},
    leaf::{Answer, TestNetwork, WELL},
    log::Log,
    outbox::Lane,
    rig::{MAIN, Rig, account, accounts, limited},
};

const DEAD: &str = "dead";

#[tokio::test(start_paused = true)]
async fn a_dead_network_slows_no_other() {
    let network = TestNetwork::new(|click, _| match click {
        click if click.starts_with("dead") => Answer::Hangs,
        _ => WELL,
    });
    let rig =
        Rig::new([account(MAIN, "https://a.example", HOLD), account(DEAD, "https://b.example", keyed())])
            .leads(DEAD, (0..100).map(|n| format!("dead{n}")))
            .leads(MAIN, (0..100).map(|n| format!("well{n}")))
            .run(network.leaf());
    let well = |lane: &Lane| lane.delivery.account.as_str() == MAIN;
    rig.outbox
        .until(|state| {
            state.lanes.iter().filter(|lane| well(lane)).all(|l| l.delivery.state == DeliveryState::Delivered)
        })
        .await;
    let calls = network.calls();
    let last = calls.iter().filter(|(click, _)| click.starts_with("well")).map(|(_, at)| *at).max();
    assert_eq!(last, Some(Duration::ZERO), "all were sent before a single call of the dead one ended");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_added_is_worked_on_at_once() {
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([]).leads(MAIN, ["c"]).run(network.leaf());
    rig.accounts.send_replace(accounts([account(MAIN, "https://a.example", HOLD)]));
    rig.settled().await;
    assert_eq!(network.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_removed_ends_what_it_has_under_way_and_begins_no_more() {
    let network = TestNetwork::always(Answer::Says(200, "ok", Duration::from_secs(2)));
    let rig = Rig::new([limited(account(MAIN, "https://a.example", HOLD), 1, None)])
        .leads(MAIN, ["one", "two"])
        .run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("start")).await;
    rig.accounts.send_replace(accounts([]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.outbox.delivery("one").state, DeliveryState::Delivered);
    assert_eq!(rig.outbox.delivery("two").state, DeliveryState::Pending);
    assert_eq!(network.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_changed_goes_on_under_its_new_settings_and_drops_nothing() {
    let network = TestNetwork::always(Answer::Says(200, "ok", Duration::from_secs(2)));
    let rig = Rig::new([limited(account(MAIN, "https://old.example", HOLD), 1, None)])
        .leads(MAIN, ["one", "two", "three", "four"])
        .run(network.leaf());
    rig.outbox.until(|state| state.asked.contains_key("start")).await;
    rig.accounts.send_replace(accounts([limited(account(MAIN, "https://new.example", HOLD), 3, None)]));
    rig.settled().await;
    assert_eq!(network.seconds(), [0, 0, 0, 2], "three at once, the one under way among them");
    let old = rig.outbox.delivery("one");
    assert_eq!(old.state, DeliveryState::Delivered);
    assert!(old.attempts[0].call.contains("old.example"));
    assert!(rig.outbox.delivery("four").attempts[0].call.contains("new.example"));
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_lifted_binds_no_more() {
    let network = TestNetwork::always(WELL);
    let slow = limited(account(MAIN, "https://a.example", HOLD), 8, Some(1));
    let rig = Rig::new([slow.clone()]).leads(MAIN, ["first"]).run(network.leaf());
    rig.settled().await;
    rig.accounts.send_replace(accounts([limited(slow, 8, None)]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    (0..8).for_each(|n| rig.add(MAIN, &format!("c{n}")));
    rig.settled().await;
    assert_eq!(rig.outbox.state().claimed.last().map(|(_, count)| *count), Some(8));
    assert_eq!(network.seconds(), [0, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_changes_nothing_changes_nothing() {
    let (log, _guard) = Log::catch();
    let same = || account(MAIN, "https://a.example", HOLD);
    let network = TestNetwork::always(WELL);
    let rig = Rig::new([same()]).leads(MAIN, ["one"]).run(network.leaf());
    rig.settled().await;
    rig.accounts.send_replace(accounts([same()]));
    rig.add(MAIN, "two");
    rig.settled().await;
    assert!(log.saying("settings changed").is_empty());
}
