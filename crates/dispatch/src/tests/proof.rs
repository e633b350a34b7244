//! What is left of a call for those who ask: log, metrics, and no secret in either.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use postback_core::{ANSWER_KEPT, Customer, DeliveryState, LatencyBin, Outcome, Series};

use super::{
    adapter::{CANARY, HOLD, keyed},
    leaf::{Answer, TestNetwork, WELL},
    log::Log,
    rig::{MAIN, Rig, account, accounts, lead},
};

#[tokio::test(start_paused = true)]
async fn ps_13_every_call_is_logged_with_its_time_and_what_came_of_it() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::new(|_, number| match number {
        1 => Answer::Says(500, "later", Duration::from_millis(20)),
        _ => WELL,
    });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]).leads(MAIN, ["c"]).run(network.leaf());
    rig.settled().await;
    let lines = log.saying(" postback ");
    let [first, second] = lines.as_slice() else { panic!("{lines:#?}") };
    let delivery = rig.outbox.delivery("c");
    for (line, (attempt, status)) in [first, second].iter().zip(delivery.attempts.iter().zip([500, 200])) {
        assert!(line.contains(" INFO "), "{line}");
        for field in [
            format!("account={MAIN}"),
            "network=\"testnet\"".to_owned(),
            format!("delivery={}", delivery.id),
            format!("conversion={}", delivery.conversion),
            format!("started_at={}", attempt.started_at),
            format!("duration_ms={}", attempt.duration.as_millis()),
            format!("outcome=\"{}\"", attempt.outcome.as_str()),
            format!("status={status}"),
            "call=\"GET https://a.example/convert?click=c&key=***\"".to_owned(),
        ] {
            assert!(line.contains(&field), "{field} in {line}");
        }
    }
    assert!(first.contains("reason=http_500: the network answered 500"), "{first}");
}

#[tokio::test(start_paused = true)]
async fn what_attempts_came_to_is_counted_for_the_history() {
    let network = TestNetwork::new(|click, _| match click {
        "hangs" => Answer::Hangs,
        "bad" => Answer::Says(400, "", Duration::ZERO),
        _ => WELL,
    });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]);
    let mut rig = rig.leads(MAIN, ["one", "two", "bad", "hangs"]).run(network.leaf());
    rig.settled().await;
    rig.stop().await;
    let mut counted: Vec<_> = rig.tally.take().into_iter().flat_map(|bucket| bucket.counts).collect();
    counted.sort();
    let main = || MAIN.parse().unwrap();
    let soon = LatencyBin::of(Duration::ZERO);
    let mut wanted = [
        (Series::Attempts(main(), Outcome::Accepted), 2),
        (Series::Attempts(main(), Outcome::Rejected), 1),
        (Series::Attempts(main(), Outcome::Ambiguous), 1),
        (Series::Delivered(main()), 2),
        (Series::Latency(main(), soon), 2),
        (Series::Dead(main()), 1),
        (Series::InDoubt(main()), 1),
    ];
    wanted.sort();
    assert_eq!(counted, wanted);
}

#[tokio::test(start_paused = true)]
async fn the_numbers_say_what_was_delivered_and_how_long_it_took() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let network = TestNetwork::new(|click, _| match click {
        "hangs" => Answer::Hangs,
        "bad" => Answer::Says(400, "", Duration::ZERO),
        _ => WELL,
    });
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]);
    let rig = rig.leads(MAIN, ["one", "two", "bad", "hangs"]).run(network.leaf());
    rig.settled().await;
    let text = recorder.handle().render();
    for line in [
        r#"postback_deliveries_total{account="main",outcome="delivered"} 2"#,
        r#"postback_deliveries_total{account="main",outcome="dead"} 1"#,
        r#"postback_deliveries_total{account="main",outcome="in_doubt"} 1"#,
        r#"postback_attempts_total{account="main",outcome="accepted"} 2"#,
        r#"postback_attempts_total{account="main",outcome="ambiguous"} 1"#,
        r#"postback_delivery_seconds_count{account="main",outcome="ambiguous"} 1"#,
        r#"postback_breaker_open{account="main",calls="deliveries"} 0"#,
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains(CANARY));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_removed_leaves_no_breaker_open() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let open = r#"postback_breaker_open{account="main",calls="deliveries"} "#;
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]);
    let rig = rig.leads(MAIN, (0..8).map(|n| format!("c{n}")));
    let rig = rig.run(TestNetwork::always(Answer::Says(500, "", Duration::ZERO)).leaf());
    rig.outbox.until(|state| state.lanes.iter().all(|lane| !lane.delivery.attempts.is_empty())).await;
    assert!(recorder.handle().render().contains(&format!("{open}1")));
    rig.accounts.send_replace(accounts([]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(recorder.handle().render().contains(&format!("{open}0")));
}

#[tokio::test(start_paused = true)]
async fn an_accounts_ends_are_counted_from_0_so_that_the_first_one_shows() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]);
    let rig = rig.leads(MAIN, ["one"]).run(TestNetwork::always(WELL).leaf());
    rig.settled().await;
    let text = recorder.handle().render();
    for (outcome, count) in [("delivered", 1), ("in_doubt", 0), ("dead", 0)] {
        let line = format!("postback_deliveries_total{{account=\"main\",outcome=\"{outcome}\"}} {count}");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_network_repeats_of_secrets_and_customer_is_masked_in_its_answer_and_in_the_reason() {
    let (log, _guard) = Log::catch();
    let body = r#"no canary-5f3a, \u041e\u043b\u044c\u0433\u0430 of olga@mail.example at +33\/12; "#;
    let body: &'static str = format!("{body}{}canary-5f3a", " ".repeat(500 - body.len())).leak();
    let network = TestNetwork::always(Answer::Says(422, body, Duration::ZERO));
    let rig = Rig::new([account(MAIN, "https://a.example", HOLD)]);
    let (mut conversion, delivery) = lead(MAIN, "c");
    conversion.details.customer = Customer {
        name: Some("Ольга".to_owned()),
        phone: Some("+33/12".to_owned()),
        email: Some("olga@mail.example".to_owned()),
        country: None,
    };
    rig.outbox.add(conversion, delivery, DeliveryState::Pending);
    let rig = rig.run(network.leaf());
    rig.settled().await;
    let attempt = rig.outbox.delivery("c").attempts.remove(0);
    let reason = attempt.reason.unwrap();
    for text in [&attempt.answer, &reason.message] {
        assert!(text.starts_with("no ***, *** of *** at ***; ") && text.len() <= ANSWER_KEPT, "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert!(!log.text().contains("canary-5f3a") && !log.text().contains("olga"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_logged_or_kept_whatever_comes_of_a_call() {
    let (log, _guard) = Log::catch();
    let network = TestNetwork::new(|click, _| match click {
        "hangs" => Answer::Hangs,
        "breaks" => Answer::Breaks,
        "refuses" => Answer::Refuses,
        "bad" => Answer::Says(400, "", Duration::ZERO),
        "forbidden" => Answer::Says(401, "", Duration::from_secs(1)),
        _ => Answer::Says(503, "", Duration::ZERO),
    });
    let rig = Rig::new([account(MAIN, "https://a.example", keyed())]);
    let clicks = ["hangs", "breaks", "refuses", "bad", "forbidden", "down"];
    let rig = rig.leads(MAIN, clicks).run(network.leaf());
    rig.outbox.until(|state| state.lanes.iter().all(|lane| !lane.delivery.attempts.is_empty())).await;
    assert!(log.text().contains("key=***"));
    assert!(!log.text().contains(CANARY), "{}", log.text());
    for click in clicks {
        assert!(!format!("{:?}", rig.outbox.delivery(click)).contains(CANARY), "{click}");
    }
}
