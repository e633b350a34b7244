//! What an operator asks at night: how it went, who did what, which clicks came; and decisions on many deliveries.

use std::collections::BTreeMap;

use postback_proto::v1::{
    CaptureClickRequest, Deed, DeliverySelection, GetHistoryRequest, GetLinkRequest, GetStatsRequest,
    History, ListActionsRequest, ListClicksRequest, PauseAccountRequest, RecordConversionRequest,
    ReplayDeliveriesRequest, ReplayDeliveriesResponse, Resolution, ResolveDeliveriesRequest,
    ResumeAccountRequest, logbook_service_client::LogbookServiceClient,
};
use postback_sandbox::{FaultKind, Network};
use postback_tests::{Engine, House, lead, on_both, order, token, user};
use tonic::{Code, Response, transport::Channel};

on_both! {
    the_history_accounts_for_every_click_and_conversion
    a_refused_report_is_counted_whoever_refused_it_and_one_that_was_only_tried_is_not
    dead_letters_are_replayed_in_bulk_and_the_trail_says_who_did_it
    doubts_are_resolved_in_bulk
    the_latest_clicks_of_a_campaign_are_listed_page_by_page
    a_landing_is_tried_out_without_a_trace
}

async fn logbook(house: &House) -> LogbookServiceClient<Channel> {
    LogbookServiceClient::connect(house.api.clone()).await.unwrap()
}

async fn history(house: &House, account: &str) -> History {
    let request = GetHistoryRequest { account: account.into(), ..GetHistoryRequest::default() };
    logbook(house).await.get_history(request).await.unwrap().into_inner()
}

/// So many leads of Powerspace, each of a click of its own.
async fn leads(house: &House, many: usize) {
    for _ in 0..many {
        let landed = house.landed(Network::Powerspace).await;
        house.caller.record(token(&landed), lead()).await.unwrap();
    }
}

fn of(reason: &str) -> DeliverySelection {
    DeliverySelection { account: "powerspace".into(), reason: reason.into(), ..DeliverySelection::default() }
}

async fn the_history_accounts_for_every_click_and_conversion(engine: Engine) {
    let house = House::on(engine).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, 1);
    leads(&house, 3).await;
    house.visitor.get("/c/powerspace").await;
    house.until("powerspace", |stats| stats.delivered == 2 && stats.dead == 1).await;
    let told = history(&house, "powerspace").await;
    let accounts = || told.buckets.iter().flat_map(|bucket| &bucket.accounts);
    let campaigns = || told.buckets.iter().flat_map(|bucket| &bucket.campaigns);
    let sum = |of: fn(&postback_proto::v1::AccountCounts) -> i64| accounts().map(of).sum::<i64>();
    assert_eq!((sum(|it| it.conversions), sum(|it| it.delivered), sum(|it| it.dead)), (3, 2, 1));
    assert_eq!(sum(|it| it.attempts.values().sum()), 3);
    assert_eq!(sum(|it| it.latency.iter().map(|bin| bin.count).sum()), 2);
    assert_eq!(campaigns().map(|it| it.clicks).sum::<i64>(), 3);
    assert_eq!(campaigns().map(|it| it.lost["missing"]).sum::<i64>(), 1);
    assert!(history(&house, "altercpa").await.buckets.is_empty());
    let all = GetStatsRequest { account: "powerspace".into() };
    let stats = house.caller.deliveries.clone().get_stats(all).await.unwrap().into_inner();
    assert_eq!((stats.campaigns[0].clicks, stats.campaigns[0].lost["missing"]), (3, 1));
    house.end().await;
}

async fn a_refused_report_is_counted_whoever_refused_it_and_one_that_was_only_tried_is_not(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.land("powerspace", &format!("clickId={id}")).await;
    let unreadable = RecordConversionRequest {
        source: Some(token(&landed)),
        details: Some(order("12,50")),
        ..RecordConversionRequest::default()
    };
    let tried = RecordConversionRequest { validate_only: true, ..unreadable.clone() };
    for refused in [tried, unreadable, RecordConversionRequest::default()] {
        house.caller.send(refused).await.unwrap_err();
    }
    house.caller.record(user("nobody"), lead()).await.unwrap_err();
    let told = history(&house, "powerspace").await;
    let (mut own, mut nobodys) = (BTreeMap::new(), BTreeMap::new());
    for bucket in told.buckets {
        bucket.accounts.into_iter().for_each(|account| own.extend(account.refused));
        nobodys.extend(bucket.refused);
    }
    let one = |reason: &str| (reason.to_owned(), 1);
    assert_eq!(own, BTreeMap::from([one("invalid_value")]));
    assert_eq!(nobodys, BTreeMap::from([one("invalid_value"), one("unknown_user")]));
    house.end().await;
}

async fn dead_letters_are_replayed_in_bulk_and_the_trail_says_who_did_it(engine: Engine) {
    let house = House::on(engine).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, 3);
    leads(&house, 3).await;
    house.until("powerspace", |stats| stats.dead == 3).await;
    let mut deliveries = house.caller.deliveries.clone();
    let mut replay = async |selection: DeliverySelection, validate_only| {
        let request = ReplayDeliveriesRequest { selection: Some(selection), validate_only };
        deliveries.replay_deliveries(request).await.map(Response::into_inner)
    };
    assert_eq!(replay(of("expired_click"), false).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(replay(of("other"), true).await.unwrap(), ReplayDeliveriesResponse::default());
    let preview = replay(of("expired_click"), true).await.unwrap();
    assert_eq!((preview.count, preview.refused, preview.left), (3, 0, 0));
    let selection = DeliverySelection { preview_time: preview.preview_time, ..of("expired_click") };
    let done = ReplayDeliveriesResponse { count: 3, ..ReplayDeliveriesResponse::default() };
    assert_eq!(replay(selection, false).await.unwrap(), done);
    assert_eq!(replay(of("expired_click"), true).await.unwrap(), ReplayDeliveriesResponse::default());
    house.until("powerspace", |stats| stats.delivered == 3).await;
    let pause = PauseAccountRequest { account: "powerspace".into(), reason: "a new contract".into() };
    deliveries.pause_account(pause).await.unwrap();
    deliveries.resume_account(ResumeAccountRequest { account: "powerspace".into() }).await.unwrap();
    let mut logbook = logbook(&house).await;
    let page = ListActionsRequest { page_size: 2, page_token: String::new() };
    let first = logbook.list_actions(page).await.unwrap().into_inner();
    let rest = ListActionsRequest { page_size: 2, page_token: first.next_page_token };
    let rest = logbook.list_actions(rest).await.unwrap().into_inner();
    let all: Vec<_> = first.actions.iter().chain(&rest.actions).collect();
    let deeds: Vec<Deed> = all.iter().map(|action| action.deed()).collect();
    assert_eq!((deeds, rest.next_page_token), (vec![Deed::Resume, Deed::Pause, Deed::Replay], String::new()));
    assert!(all.iter().all(|action| action.actor == "local" && action.account == "powerspace"));
    assert_eq!((all[1].reason.as_str(), all[2].count), ("a new contract", 3));
    assert_eq!(all[2].target, "all with reason expired_click");
    house.end().await;
}

async fn doubts_are_resolved_in_bulk(engine: Engine) {
    let house = House::on(engine).await;
    house.inject(Network::Powerspace, FaultKind::DropAfter, 3);
    leads(&house, 3).await;
    house.until("powerspace", |stats| stats.in_doubt == 3).await;
    let mut deliveries = house.caller.deliveries.clone();
    let mut resolve = async |selection: DeliverySelection, resolution: Resolution, validate_only| {
        let (selection, resolution) = (Some(selection), resolution.into());
        let request = ResolveDeliveriesRequest { selection, resolution, validate_only };
        deliveries.resolve_deliveries(request).await.map(Response::into_inner)
    };
    let unsaid = resolve(of(""), Resolution::Unspecified, true).await.unwrap_err();
    assert_eq!(unsaid.code(), Code::InvalidArgument);
    let preview = resolve(of(""), Resolution::Delivered, true).await.unwrap();
    assert_eq!(preview.count, 3);
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    leads(&house, 1).await;
    house.until("powerspace", |stats| stats.in_doubt == 4).await;
    let selection = DeliverySelection { preview_time: preview.preview_time, ..of("") };
    assert_eq!(resolve(selection, Resolution::Delivered, false).await.unwrap().count, 3);
    let stats = house.stats("powerspace").await;
    assert_eq!((stats.delivered, stats.in_doubt), (3, 1), "what came after the preview stands as it was");
    assert_eq!(house.sandbox.received(Network::Powerspace).len(), 4, "nothing was sent again");
    house.end().await;
}

async fn the_latest_clicks_of_a_campaign_are_listed_page_by_page(engine: Engine) {
    let house = House::on(engine).await;
    leads(&house, 5).await;
    history(&house, "").await;
    let mut clicks = house.caller.clicks.clone();
    let (mut times, mut page_token) = (Vec::new(), String::new());
    loop {
        let campaign = "powerspace".to_owned();
        let request =
            ListClicksRequest { campaign, page_size: 2, page_token, ..ListClicksRequest::default() };
        let page = clicks.list_clicks(request).await.unwrap().into_inner();
        assert!(page.clicks.len() <= 2 && page.clicks.iter().all(|click| !click.click_token.is_empty()));
        times.extend(page.clicks.into_iter().map(|click| click.create_time.unwrap()));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(
        times.len() == 5
            && times.is_sorted_by(|one, next| (one.seconds, one.nanos) > (next.seconds, next.nanos))
    );
    let by_ip = ListClicksRequest { ip: "127.0.0.1".into(), ..ListClicksRequest::default() };
    assert_eq!(clicks.list_clicks(by_ip).await.unwrap().into_inner().clicks.len(), 5);
    let nothing = clicks.list_clicks(ListClicksRequest::default()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    house.end().await;
}

async fn a_landing_is_tried_out_without_a_trace(engine: Engine) {
    let house = House::on(engine).await;
    let mut clicks = house.caller.clicks.clone();
    let capture = |query: &str| CaptureClickRequest {
        campaign: "powerspace".into(),
        query: query.into(),
        validate_only: true,
        ..CaptureClickRequest::default()
    };
    let tried = clicks.capture_click(capture("clickId=abc123xyz789")).await.unwrap().into_inner();
    assert_eq!((tried.already_captured, tried.click.unwrap().click_id.as_str()), (false, "abc123xyz789"));
    assert!(tried.landing_url.starts_with("https://shop.example/?token="));
    assert_eq!(clicks.capture_click(capture("")).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(history(&house, "").await.buckets.is_empty());
    let link = |campaign: &str| GetLinkRequest { campaign: campaign.into() };
    let url = clicks.get_link(link("powerspace")).await.unwrap().into_inner().url;
    assert!(url.starts_with("https://click.example/c/powerspace"), "{url}");
    assert_eq!(clicks.get_link(link("nothing")).await.unwrap_err().code(), Code::NotFound);
    house.end().await;
}
