//! From the click to the verdict, over real sockets, on the embedded store and on a real Redis.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use postback_proto::v1::{
    AttachUserRequest, ChangeConversionStatusRequest, ConversionRef, DeliveryState, GetClickRequest, Kind,
    NetworkClick, attach_user_request, change_conversion_status_request, get_click_request,
};
use postback_sandbox::{Entry, FaultKind, Meant, Network};
use postback_tests::{Engine, House, click, lead, on_both, order, token, user};
use tonic::Code;
use tonic_types::StatusExt;

on_both! {
    a_lead_and_then_an_order_of_one_click_arrive_in_order
    a_conversion_three_days_after_the_click_is_attributed_by_user_id
    a_status_that_comes_before_its_lead_waits_for_it
    a_network_that_is_down_for_an_hour_gets_everything_once_when_it_is_back
    an_expired_click_is_refused_with_its_reason
    a_reload_of_the_landing_url_changes_nothing
    head_stores_nothing_and_a_prefetch_is_kept_with_a_flag
    a_visitor_with_an_unreplaced_macro_is_sent_on_and_counted_as_lost
    a_click_id_with_every_reserved_character_survives_the_journey
    a_value_outside_the_networks_range_is_refused_before_anything_is_sent
    a_click_whose_record_is_lost_still_brings_its_conversion
    a_wrong_key_pauses_the_account_and_loses_nothing
}

fn counted(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().filter(|entry| matches!(entry.meant, Meant::Counted(_))).collect()
}

fn reason(status: &tonic::Status) -> (String, String) {
    let details = status.get_error_details();
    let field = details.bad_request().map(|bad| bad.field_violations[0].field.clone()).unwrap_or_default();
    (details.error_info().map(|info| info.reason.clone()).unwrap_or_default(), field)
}

async fn a_lead_and_then_an_order_of_one_click_arrive_in_order(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.land("powerspace", &format!("clickId={id}&utm_source=powerspace")).await;
    let first = house.caller.record(token(&landed), lead()).await.unwrap();
    house.caller.record(token(&landed), order("89.99")).await.unwrap();
    assert_eq!(house.quiet("powerspace").await.delivered, 2);

    let paths: Vec<String> =
        house.sandbox.received(Network::Powerspace).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["/ld", "/ord"]);
    let story = house.caller.story(&first.conversion_id).await;
    assert_eq!(story.deliveries[0].state(), DeliveryState::Delivered);
    assert_eq!(story.deliveries[0].attempts.len(), 1);
    assert_eq!(story.deliveries[0].attempts[0].http_status, 200);
    assert_eq!(story.click.unwrap().click_id, id);
    house.end().await;
}

async fn a_conversion_three_days_after_the_click_is_attributed_by_user_id(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Trafficstars);
    let landed = house.land("trafficstars", &format!("tracking_param={id}")).await;
    let attach = AttachUserRequest {
        user_id: "user-1".into(),
        click: Some(attach_user_request::Click::ClickToken(landed)),
    };
    house.caller.clicks.clone().attach_user(attach).await.unwrap();
    house.clock.advance(SignedDuration::from_hours(72));
    house.caller.record(user("user-1"), order("12.50")).await.unwrap();
    house.quiet("trafficstars").await;

    let entries = house.sandbox.received(Network::Trafficstars);
    assert_eq!(counted(&entries).len(), 1);
    assert!(entries[0].path.ends_with(&id), "{}", entries[0].path);
    let nobody = house.caller.record(user("user-2"), lead()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    house.end().await;
}

async fn a_status_that_comes_before_its_lead_waits_for_it(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Altercpa);
    let landed = house.land("altercpa", &format!("click={id}")).await;
    let key = ConversionRef {
        source: Some(token(&landed)),
        kind: Kind::Lead.into(),
        transaction_id: "T-1".into(),
        ..ConversionRef::default()
    };
    let approve = ChangeConversionStatusRequest {
        conversion: Some(change_conversion_status_request::Conversion::Key(key)),
        status: "approved".into(),
        ..ChangeConversionStatusRequest::default()
    };
    let early = house.caller.change(approve).await.unwrap();
    assert!(early.waiting);
    assert_eq!(house.stats("altercpa").await.waiting, 1);
    assert!(house.sandbox.received(Network::Altercpa).is_empty());

    let mut details = lead();
    details.transaction_id = "T-1".into();
    let recorded = house.caller.record(token(&landed), details).await.unwrap();
    assert_eq!(recorded.conversion_id, early.conversion_id);
    let stats = house.until("altercpa", |stats| stats.delivered == 2).await;
    assert_eq!((stats.waiting, stats.dead), (0, 0));
    let paths: Vec<String> =
        house.sandbox.received(Network::Altercpa).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["/api/site/click.json", "/api/site/status.json"]);
    house.end().await;
}

async fn a_network_that_is_down_for_an_hour_gets_everything_once_when_it_is_back(engine: Engine) {
    let house = House::on(engine).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 503, retry_after: None }, None);
    let mut recorded = Vec::new();
    for _ in 0..5 {
        let id = house.issue(Network::Powerspace);
        let landed = house.land("powerspace", &format!("clickId={id}")).await;
        recorded.push(house.caller.record(token(&landed), lead()).await.unwrap().conversion_id);
    }
    // An hour passes, and for as long as it does every attempt fails: at least two for each lead.
    let calls = house.sandbox.calls();
    house.pass_until(SignedDuration::from_hours(1), || *calls.borrow() >= 10).await;
    assert_eq!(house.stats("powerspace").await.pending, 5);
    house.sandbox.clear_faults(None);
    // The next attempts of all are due within two hours.
    house.pass_until(SignedDuration::from_hours(2), || house.sandbox.stats().powerspace.counted == 5).await;
    let stats = house.quiet("powerspace").await;
    assert_eq!((stats.delivered, stats.dead, stats.in_doubt), (5, 0, 0));
    assert_eq!(counted(&house.sandbox.received(Network::Powerspace)).len(), 5);
    let story = house.caller.story(&recorded[0]).await;
    assert!(story.deliveries[0].attempts.len() > 1, "an hour of 503 leaves more than one attempt");
    house.end().await;
}

async fn an_expired_click_is_refused_with_its_reason(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.land("powerspace", &format!("clickId={id}")).await;
    house.clock.advance(SignedDuration::from_hours(30 * 24 + 1));
    let refused = house.caller.record(token(&landed), lead()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).0.as_str()), (Code::FailedPrecondition, "CLICK_EXPIRED"));
    let unknown = house.caller.record(click("powerspace", &id), lead()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(house.sandbox.received(Network::Powerspace).is_empty());
    house.end().await;
}

async fn a_reload_of_the_landing_url_changes_nothing(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Powerspace);
    let first = house.land("powerspace", &format!("clickId={id}&utm_source=first")).await;
    house.clock.advance(SignedDuration::from_mins(5));
    let again = house.land("powerspace", &format!("clickId={id}&utm_source=second")).await;
    assert_eq!(first, again);
    let kept = GetClickRequest { click: Some(get_click_request::Click::ClickToken(first)) };
    let kept = house.caller.clicks.clone().get_click(kept).await.unwrap().into_inner();
    assert_eq!(kept.utm.unwrap().source, "first");
    house.end().await;
}

async fn head_stores_nothing_and_a_prefetch_is_kept_with_a_flag(engine: Engine) {
    let house = House::on(engine).await;
    let by = |id: &str| GetClickRequest {
        click: Some(get_click_request::Click::NetworkClick(NetworkClick {
            account: "powerspace".into(),
            click_id: id.into(),
        })),
    };
    let head = house.visitor.ask(Method::HEAD, "/c/powerspace?clickId=abc123xyz789", &[], "").await;
    assert_eq!(head.status, StatusCode::FOUND);
    let missing = house.caller.clicks.clone().get_click(by("abc123xyz789")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    let ahead = [("sec-purpose", "prefetch;prerender")];
    let answer = house.visitor.ask(Method::GET, "/c/powerspace?clickId=abc123xyz789", &ahead, "").await;
    assert_eq!(answer.status, StatusCode::FOUND);
    let kept = house.caller.clicks.clone().get_click(by("abc123xyz789")).await.unwrap().into_inner();
    assert!(kept.prefetch);
    house.end().await;
}

async fn a_visitor_with_an_unreplaced_macro_is_sent_on_and_counted_as_lost(engine: Engine) {
    let house = House::on(engine).await;
    let answer = house.visitor.get("/c/trafficstars?tracking_param=%7Bclick_id%7D").await;
    assert_eq!((answer.status, answer.token(), answer.header("set-cookie")), (StatusCode::FOUND, None, None));
    assert!(answer.header("location").unwrap().starts_with("https://shop.example/"));
    let campaigns = house.hub.campaigns().await.unwrap();
    let campaign = campaigns.iter().find(|campaign| campaign.id.as_str() == "trafficstars").unwrap();
    assert_eq!(campaign.lost.values().sum::<u64>(), 1);
    assert!(campaign.lost.keys().all(|why| why.as_str() == "macro"));
    house.end().await;
}

async fn a_click_id_with_every_reserved_character_survives_the_journey(engine: Engine) {
    let house = House::on(engine).await;
    let id = "a+b&c=d%e/f?g#h é\u{1F600}";
    house.issue_as(Network::Powerspace, id);
    let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let encoded = encoded.replace('+', "%20");
    let landed = house.land("powerspace", &format!("clickId={encoded}")).await;
    house.caller.record(token(&landed), lead()).await.unwrap();
    assert_eq!(house.quiet("powerspace").await.delivered, 1);
    let entries = house.sandbox.received(Network::Powerspace);
    assert_eq!(counted(&entries).len(), 1);
    assert!(
        entries[0].query.iter().any(|(name, value)| name == "qci" && value == id),
        "{:?}",
        entries[0].query
    );
    house.end().await;
}

async fn a_value_outside_the_networks_range_is_refused_before_anything_is_sent(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Trafficstars);
    let landed = house.land("trafficstars", &format!("tracking_param={id}")).await;
    for value in ["0.009", "200.01"] {
        let refused = house.caller.record(token(&landed), order(value)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().contains(value) && refused.message().contains("0.01"),
            "{}",
            refused.message()
        );
        assert!(reason(&refused).1.starts_with("details.value"), "{:?}", reason(&refused));
    }
    for value in ["0.01", "200"] {
        house.caller.record(token(&landed), order(value)).await.unwrap();
    }
    assert_eq!(house.quiet("trafficstars").await.delivered, 2);
    assert_eq!(counted(&house.sandbox.received(Network::Trafficstars)).len(), 2);
    house.end().await;
}

async fn a_click_whose_record_is_lost_still_brings_its_conversion(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.visitor.ask(Method::HEAD, &format!("/c/powerspace?clickId={id}"), &[], "").await;
    let landed = landed.token().expect("HEAD answers like GET, and keeps nothing");
    house.caller.record(token(&landed), lead()).await.unwrap();
    assert_eq!(house.quiet("powerspace").await.delivered, 1);
    house.end().await;
}

async fn a_wrong_key_pauses_the_account_and_loses_nothing(engine: Engine) {
    let house = House::on(engine).await;
    let wrong = r#"{"error":{"msg":"invalid key"}}"#;
    house.inject(Network::Trafficstars, FaultKind::Answer(wrong.into()), None);
    let id = house.issue(Network::Trafficstars);
    let landed = house.land("trafficstars", &format!("tracking_param={id}")).await;
    for value in ["1", "2", "3"] {
        house.caller.record(token(&landed), order(value)).await.unwrap();
    }
    let account = "trafficstars".parse().unwrap();
    house.stands("trafficstars", |standing| standing.paused.is_some()).await;
    house.sandbox.clear_faults(None);
    let stats = house.stats("trafficstars").await;
    assert_eq!((stats.pending, stats.dead), (3, 0));
    house.hub.resume(&account, &postback_core::Actor::local()).await.unwrap();
    assert_eq!(house.quiet("trafficstars").await.delivered, 3);
    house.end().await;
}
