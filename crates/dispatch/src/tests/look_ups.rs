//! Look-ups: bounded as deliveries are, and apart from them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use metrics_exporter_prometheus::PrometheusBuilder;
use postback_core::{AccountId, Call, ErrorKind, ports::Caller};
use tokio::{sync::watch, time::Instant};

use super::{
    adapter::{CANARY, keyed},
    clock::TestClock,
    leaf::{Answer, TestNetwork, WELL},
    log::Log,
    rig::{MAIN, account, accounts, limited},
};
use crate::NetworkCaller;

const TIMEOUT: Duration = Duration::from_secs(5);

fn caller(network: &TestNetwork) -> NetworkCaller {
    let only = limited(account(MAIN, "https://a.example", keyed()), 1, None);
    NetworkCaller::over(
        watch::Sender::new(accounts([only])).subscribe(),
        Arc::new(TestClock::new()),
        TIMEOUT,
        network.leaf(),
    )
}

fn ask() -> Call {
    let request =
        Request::get(format!("https://a.example/?click=c&key={CANARY}")).body(Bytes::new()).unwrap();
    let shown = "GET https://a.example/?click=c&key=***".to_owned();
    Call { request, shown, repeat: keyed(), warnings: Vec::new() }
}

fn main_account() -> AccountId {
    AccountId::parse(MAIN).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_look_up_brings_the_answer_and_is_logged_without_its_key() {
    let (log, _guard) = Log::catch();
    let answer = caller(&TestNetwork::always(WELL)).call(&main_account(), ask()).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"ok");
    assert!(log.saying("look-up")[0].contains("status=200"));
    assert!(!log.text().contains(CANARY), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_without_an_answer_is_unavailable_after_five_seconds() {
    let began = Instant::now();
    let error = caller(&TestNetwork::always(Answer::Hangs)).call(&main_account(), ask()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Unavailable, "NETWORK_UNAVAILABLE"));
    assert_eq!(error.to_string(), "testnet gave no answer: no answer within 5s");
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_waits_for_the_accounts_limits_and_not_for_ever() {
    let caller = caller(&TestNetwork::always(Answer::Hangs));
    let account = main_account();
    let (first, second) = tokio::join!(caller.call(&account, ask()), caller.call(&account, ask()));
    assert_eq!(first.unwrap_err().reason(), "NETWORK_UNAVAILABLE");
    let refused = second.unwrap_err();
    assert!(["ACCOUNT_LIMIT", "NETWORK_UNAVAILABLE"].contains(&refused.reason()), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn look_ups_at_a_network_that_fails_again_and_again_are_refused_at_once() {
    let network = TestNetwork::always(Answer::Says(500, "", Duration::ZERO));
    let caller = caller(&network);
    for _ in 0..7 {
        assert_eq!(caller.call(&main_account(), ask()).await.unwrap().status().as_u16(), 500);
    }
    let refused = caller.call(&main_account(), ask()).await.unwrap_err();
    assert!(refused.to_string().contains("given a rest"), "{refused}");
    assert!(refused.wait().is_some());
    assert_eq!(network.calls().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_removed_leaves_no_breaker_of_look_ups_open() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let open = r#"postback_breaker_open{account="main",calls="look-ups"} "#;
    let known = watch::Sender::new(accounts([account(MAIN, "https://a.example", keyed())]));
    let network = TestNetwork::always(Answer::Says(500, "", Duration::ZERO));
    let caller = NetworkCaller::over(known.subscribe(), Arc::new(TestClock::new()), TIMEOUT, network.leaf());
    for _ in 0..7 {
        caller.call(&main_account(), ask()).await.unwrap();
    }
    assert!(recorder.handle().render().contains(&format!("{open}1")));
    known.send_replace(accounts([]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(recorder.handle().render().contains(&format!("{open}0")));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_is_named() {
    let missing = AccountId::parse("nobody").unwrap();
    let error = caller(&TestNetwork::always(WELL)).call(&missing, ask()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::NotFound, "account: no account `nobody`".to_owned())
    );
}
