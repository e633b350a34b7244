//! What operators and services do beside reporting: decide, replay, watch, list, find, look up, forget.

use postback_proto::v1::{
    CaptureClickRequest, ConversionDetails, Customer, DeliveryState, EraseRequest, FetchNetworkClickRequest,
    FindClicksRequest, GetDeliveryRequest, GetFlowRequest, GetOfferRequest, GetStatsRequest, Kind,
    ListConversionsRequest, ListDeliveriesRequest, NetworkClick, PauseAccountRequest,
    RecordConversionRequest, ReplayDeliveryRequest, Resolution, ResolveDeliveryRequest, ResumeAccountRequest,
    WatchDeliveriesRequest, erase_request, get_flow_request, get_offer_request, record_conversions_response,
};
use postback_sandbox::{FaultKind, Meant, Network};
use postback_tests::{Engine, House, details, lead, on_both, order, token, within};
use tonic::Code;

on_both! {
    a_lead_in_doubt_holds_its_order_until_a_person_decides
    a_delivery_in_doubt_is_sent_again_where_a_person_says_so
    a_dead_letter_is_replayed
    changes_are_watched_as_they_happen
    a_stream_of_conversions_is_answered_in_order_and_a_refused_one_stops_none
    conversions_and_deliveries_are_listed_page_by_page
    a_paused_account_keeps_its_conversions_until_it_is_resumed
    a_click_that_was_captured_by_grpc_is_found_by_its_address
    who_is_forgotten_leaves_no_trace_in_conversions
    validating_renders_the_call_and_records_nothing
}

fn counted(house: &House, network: Network) -> usize {
    house.sandbox.received(network).iter().filter(|entry| matches!(entry.meant, Meant::Counted(_))).count()
}

/// A Powerspace lead that was counted, and whose answer was lost.
async fn doubtful(house: &House) -> (String, String) {
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    let landed = house.landed(Network::Powerspace).await;
    let recorded = house.caller.record(token(&landed), lead()).await.unwrap();
    house.until("powerspace", |stats| stats.in_doubt == 1).await;
    (landed, recorded.delivery_id)
}

async fn a_lead_in_doubt_holds_its_order_until_a_person_decides(engine: Engine) {
    let house = House::on(engine).await;
    let (landed, in_doubt) = doubtful(&house).await;
    house.caller.record(token(&landed), order("5")).await.unwrap();
    let other = house.landed(Network::Powerspace).await;
    house.caller.record(token(&other), order("6")).await.unwrap();
    let stats = house.until("powerspace", |stats| stats.delivered == 1).await;
    assert_eq!((stats.in_doubt, stats.pending), (1, 1), "another click's order is not held");

    let decision = |resolution: Resolution| ResolveDeliveryRequest {
        delivery_id: in_doubt.clone(),
        resolution: resolution.into(),
        update_time: None,
    };
    let mut deliveries = house.caller.deliveries.clone();
    let resolved = deliveries.resolve_delivery(decision(Resolution::Delivered)).await.unwrap().into_inner();
    assert_eq!(resolved.state(), DeliveryState::Delivered);
    house.until("powerspace", |stats| stats.delivered == 3).await;
    assert_eq!(counted(&house, Network::Powerspace), 3, "the lead was counted once");
    let again = deliveries.resolve_delivery(decision(Resolution::Resend)).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    house.end().await;
}

async fn a_delivery_in_doubt_is_sent_again_where_a_person_says_so(engine: Engine) {
    let house = House::on(engine).await;
    let (_, in_doubt) = doubtful(&house).await;
    let mut deliveries = house.caller.deliveries.clone();
    let by_id = GetDeliveryRequest { delivery_id: in_doubt.clone() };
    let update_time = deliveries.get_delivery(by_id).await.unwrap().into_inner().update_time;
    let decision = |update_time| ResolveDeliveryRequest {
        delivery_id: in_doubt.clone(),
        resolution: Resolution::Resend.into(),
        update_time,
    };
    let long_ago = decision(Some(prost_types::Timestamp::default()));
    let changed = deliveries.resolve_delivery(long_ago).await.unwrap_err();
    assert_eq!(changed.code(), Code::FailedPrecondition);
    assert!(changed.message().contains("look again"), "{changed}");
    deliveries.resolve_delivery(decision(update_time)).await.unwrap();
    house.until("powerspace", |stats| stats.delivered == 1).await;
    assert_eq!(house.sandbox.received(Network::Powerspace).len(), 2);
    house.end().await;
}

async fn a_dead_letter_is_replayed(engine: Engine) {
    let house = House::on(engine).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, 1);
    let landed = house.landed(Network::Powerspace).await;
    let recorded = house.caller.record(token(&landed), lead()).await.unwrap();
    house.until("powerspace", |stats| stats.dead == 1).await;
    let mut deliveries = house.caller.deliveries.clone();
    let by_id = GetDeliveryRequest { delivery_id: recorded.delivery_id.clone() };
    let dead = deliveries.get_delivery(by_id).await.unwrap().into_inner();
    assert_eq!((dead.reason.unwrap().code.as_str(), dead.attempts.len()), ("expired_click", 1));

    let replay = ReplayDeliveryRequest { delivery_id: recorded.delivery_id, update_time: None };
    deliveries.replay_delivery(replay.clone()).await.unwrap();
    house.until("powerspace", |stats| stats.delivered == 1).await;
    assert_eq!(deliveries.replay_delivery(replay).await.unwrap_err().code(), Code::FailedPrecondition);
    house.end().await;
}

async fn changes_are_watched_as_they_happen(engine: Engine) {
    let house = House::on(engine).await;
    let watch = WatchDeliveriesRequest { account: "altercpa".into(), start_time: None };
    let mut changes = house.caller.deliveries.clone().watch_deliveries(watch).await.unwrap().into_inner();
    let (mine, other) = (house.landed(Network::Altercpa).await, house.landed(Network::Powerspace).await);
    house.caller.record(token(&other), lead()).await.unwrap();
    let recorded = house.caller.record(token(&mine), lead()).await.unwrap();
    loop {
        let delivery = within("a change", changes.message()).await.unwrap().expect("the stream goes on");
        assert_eq!(delivery.delivery_id, recorded.delivery_id);
        if delivery.state() == DeliveryState::Delivered {
            break;
        }
    }
    house.end().await;
}

async fn a_stream_of_conversions_is_answered_in_order_and_a_refused_one_stops_none(engine: Engine) {
    let house = House::on(engine).await;
    let landed = house.landed(Network::Trafficstars).await;
    let request = |value: String| RecordConversionRequest {
        source: Some(token(&landed)),
        details: Some(order(&value)),
        ..RecordConversionRequest::default()
    };
    let values: Vec<String> =
        (0..50).map(|n| if n == 7 { "200.01".into() } else { format!("{}", n + 1) }).collect();
    let requests = tokio_stream::iter(values.into_iter().map(request).collect::<Vec<_>>());
    let mut answers =
        house.caller.conversions.clone().record_conversions(requests).await.unwrap().into_inner();
    for index in 0..50 {
        let answer = within("an answer", answers.message()).await.unwrap().expect("an answer for each");
        assert_eq!(answer.index, index);
        match answer.result.unwrap() {
            record_conversions_response::Result::Recorded(_) => assert_ne!(index, 7),
            record_conversions_response::Result::Refusal(refusal) => {
                assert_eq!((index, refusal.field.as_str()), (7, "details.value"));
            }
        }
    }
    assert_eq!(house.quiet("trafficstars").await.delivered, 49);
    let sent = house.sandbox.received(Network::Trafficstars);
    let values: Vec<u32> = sent
        .iter()
        .map(|entry| entry.query.iter().find(|(name, _)| name == "value").unwrap().1.parse().unwrap())
        .collect();
    assert!(values.is_sorted(), "one click's orders arrive as they were reported: {values:?}");
    house.end().await;
}

async fn conversions_and_deliveries_are_listed_page_by_page(engine: Engine) {
    let house = House::on(engine).await;
    let mut recorded = Vec::new();
    for _ in 0..7 {
        let landed = house.landed(Network::Altercpa).await;
        recorded.push(house.caller.record(token(&landed), lead()).await.unwrap().conversion_id);
    }
    house.quiet("altercpa").await;
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListConversionsRequest {
            account: "altercpa".into(),
            kind: Kind::Lead.into(),
            page_size: 3,
            page_token,
            ..ListConversionsRequest::default()
        };
        let page = house.caller.conversions.clone().list_conversions(request).await.unwrap().into_inner();
        assert!(page.conversions.len() <= 3);
        found.extend(page.conversions.into_iter().map(|conversion| conversion.conversion_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    recorded.reverse();
    assert_eq!(found, recorded, "the latest first, each once");
    let request = ListDeliveriesRequest {
        account: "altercpa".into(),
        state: DeliveryState::Delivered.into(),
        ..ListDeliveriesRequest::default()
    };
    let listed = house.caller.deliveries.clone().list_deliveries(request).await.unwrap().into_inner();
    assert_eq!(listed.deliveries.len(), 7);
    house.end().await;
}

async fn a_paused_account_keeps_its_conversions_until_it_is_resumed(engine: Engine) {
    let house = House::on(engine).await;
    let mut deliveries = house.caller.deliveries.clone();
    let pause = PauseAccountRequest { account: "powerspace".into(), reason: "a new contract".into() };
    let paused = deliveries.pause_account(pause).await.unwrap().into_inner();
    assert_eq!(paused.pause_reason.unwrap().message, "a new contract");
    let landed = house.landed(Network::Powerspace).await;
    house.caller.record(token(&landed), lead()).await.unwrap();
    let other = house.landed(Network::Altercpa).await;
    house.caller.record(token(&other), lead()).await.unwrap();
    house.quiet("altercpa").await;
    let stats =
        deliveries.get_stats(GetStatsRequest { account: "powerspace".into() }).await.unwrap().into_inner();
    assert_eq!((stats.accounts[0].pending, stats.campaigns[0].clicks), (1, 1));
    assert!(house.sandbox.received(Network::Powerspace).is_empty());
    deliveries.resume_account(ResumeAccountRequest { account: "powerspace".into() }).await.unwrap();
    assert_eq!(house.quiet("powerspace").await.delivered, 1);
    house.end().await;
}

async fn a_click_that_was_captured_by_grpc_is_found_by_its_address(engine: Engine) {
    let house = House::on(engine).await;
    let mut clicks = house.caller.clicks.clone();
    let capture = |query: &str, ip: &str| CaptureClickRequest {
        campaign: "powerspace".into(),
        query: query.into(),
        ip: ip.into(),
        user_agent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".into(),
        ..CaptureClickRequest::default()
    };
    let first =
        clicks.capture_click(capture("?clickId=abc123xyz789", "192.0.2.7")).await.unwrap().into_inner();
    assert!(!first.already_captured && first.landing_url.contains("token="));
    let click = first.click.as_ref().unwrap();
    assert_eq!((click.ip.as_str(), click.bot, click.prefetch), ("192.0.2.0/24", true, false));
    let again =
        clicks.capture_click(capture("clickId=abc123xyz789", "192.0.2.8")).await.unwrap().into_inner();
    assert!(again.already_captured);
    assert_eq!(again.click, first.click);
    let find = |ip: &str| FindClicksRequest {
        ip: ip.into(),
        campaign: "powerspace".into(),
        ..FindClicksRequest::default()
    };
    let found = clicks.find_clicks(find("192.0.2.7")).await.unwrap().into_inner().clicks;
    assert_eq!(found, [first.click.unwrap()]);
    assert!(clicks.find_clicks(find("192.0.2.8")).await.unwrap().into_inner().clicks.is_empty());
    house.end().await;
}

async fn who_is_forgotten_leaves_no_trace_in_conversions(engine: Engine) {
    let house = House::on(engine).await;
    let pause = PauseAccountRequest { account: "altercpa".into(), reason: String::new() };
    house.caller.deliveries.clone().pause_account(pause).await.unwrap();
    let id = house.issue(Network::Altercpa);
    let landed = house.land("altercpa", &format!("click={id}")).await;
    let customer = Customer { name: "Ada".into(), phone: "+331".into(), ..Customer::default() };
    let details = ConversionDetails { customer: Some(customer), ..lead() };
    let recorded = house.caller.record(token(&landed), details).await.unwrap();
    let click = NetworkClick { account: "altercpa".into(), click_id: id };
    let erase = EraseRequest { subject: Some(erase_request::Subject::NetworkClick(click)) };
    let erased = house.caller.clicks.clone().erase(erase).await.unwrap().into_inner();
    assert!(erased.found && erased.conversions == 1);
    let story = house.caller.story(&recorded.conversion_id).await;
    assert_eq!((story.click, story.conversion.unwrap().details.unwrap().customer), (None, None));
    house.end().await;
}

async fn validating_renders_the_call_and_records_nothing(engine: Engine) {
    let house = House::on(engine).await;
    let landed = house.landed(Network::Trafficstars).await;
    let request = RecordConversionRequest {
        source: Some(token(&landed)),
        details: Some(order("2.5")),
        validate_only: true,
        ..RecordConversionRequest::default()
    };
    let shown = house.caller.send(request).await.unwrap();
    assert!(shown.conversion_id.is_empty());
    assert!(shown.call.contains("value=2.5") && shown.call.contains("key=***"), "{}", shown.call);
    let landed = house.landed(Network::Powerspace).await;
    let recorded = house.caller.record(token(&landed), details(Kind::Order)).await.unwrap();
    assert_eq!(recorded.warnings.len(), 1, "an order without a value is worth a warning");
    assert_eq!(house.stats("trafficstars").await.conversions, 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn altercpa_is_asked_about_clicks_flows_and_offers() {
    let house = House::on(Engine::Embedded).await;
    let mut networks = house.caller.networks.clone();
    let account = "altercpa".to_owned();
    let fetch =
        FetchNetworkClickRequest { account: account.clone(), ip: "203.0.113.7".into(), ..Default::default() };
    let click = networks.fetch_network_click(fetch).await.unwrap().into_inner();
    assert_eq!(
        (click.click_id.as_str(), click.flow, click.country.to_lowercase().as_str()),
        ("1234", 1234, "us")
    );
    assert_eq!(click.utm.unwrap().source, "newsletter");
    let by = Some(get_flow_request::By::FlowCode("5FAC-D4E8".into()));
    let flow = networks.get_flow(GetFlowRequest { account: account.clone(), by }).await.unwrap().into_inner();
    assert_eq!((flow.id, flow.offer, flow.pixels["fb"].as_str()), (1234, 7, "1000000000001"));
    let by = Some(get_offer_request::By::OfferId(7));
    let offer = networks.get_offer(GetOfferRequest { account, by }).await.unwrap().into_inner();
    assert_eq!((offer.id, offer.name.as_str(), offer.countries.len()), (7, "Sandbox offer", 3));
    house.end().await;
}
