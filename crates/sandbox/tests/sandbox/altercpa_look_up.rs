//! AlterCPA: clicks by address, flows, offers.

use jiff::{SignedDuration, Timestamp};
use postback_sandbox::{IssueClicks, Meant, Network};
use serde_json::json;

use crate::client::{START, Site, error};

#[tokio::test]
async fn ac_14_a_click_is_found_by_the_visitors_address() {
    let site = Site::open().await;
    let start = START.parse::<Timestamp>().unwrap().as_second();
    let want = json!({
        "status": "ok", "click": 1234, "offer": 7, "site": 12, "flow": 1234, "geo": "us", "ip": "203.0.113.7",
        "time": start, "utms": "newsletter", "utmc": "november", "utmn": "", "utmt": "", "utmm": "",
    });
    assert_eq!(site.get("/api/site/fetch.json?token=123-abcd&offer=7&ip=203.0.113.7").await.json(), want);
    assert_eq!(site.meant(Network::Altercpa), Meant::LookedUp { what: "click", id: 1234 });
    let by_form =
        site.post_form("/api/site/fetch.json", "token=123-abcd&ip=203.0.113.7&code=5FAC-D4E8").await;
    assert_eq!(by_form.json(), want);
    // Without an address, the caller's own counts.
    assert_eq!(site.get("/api/site/fetch.json?token=12-abc").await.json()["click"], 1240);
}

#[tokio::test]
async fn ac_14_the_search_goes_back_24_hours_or_to_the_given_time() {
    let site = Site::open().await;
    assert_eq!(site.site("fetch", "ip=203.0.113.8").await, error("no-click"));
    let start = START.parse::<Timestamp>().unwrap().as_second();
    let found =
        site.get(&format!("/api/site/fetch.json?token=12-abc&ip=203.0.113.8&to={}", start - 172_800)).await;
    assert_eq!(found.json()["click"], 1230);
    assert_eq!(
        site.site("fetch", &format!("ip=203.0.113.8&to={}", start - 172_799)).await,
        error("no-click")
    );

    site.sandbox.set_shift(SignedDuration::from_hours(23));
    assert_eq!(site.get("/api/site/fetch.json?token=12-abc&ip=203.0.113.7").await.json()["click"], 1234);
    site.sandbox.set_shift(SignedDuration::from_hours(25));
    assert_eq!(site.site("fetch", "ip=203.0.113.7").await, error("no-click"));
}

#[tokio::test]
async fn ac_14_each_error_of_a_fetch_is_documented() {
    let site = Site::open().await;
    let global = "/api/site/fetch.json?token=sandbox-global-api-key&ip=203.0.113.7";
    for (target, want) in [
        (global.to_owned(), error("no-offer")),
        (format!("{global}&offer=8"), error("no-click")),
        ("/api/site/fetch.json?token=12-abc&ip=203.0.113.200".to_owned(), error("no-click")),
        ("/api/site/fetch.json?token=12-abc&ip=not-an-address".to_owned(), error("no-click")),
        ("/api/site/fetch.json?token=12-abc&ip=203.0.113.7&flow=1235".to_owned(), error("no-click")),
        ("/api/site/fetch.json?token=12-abc&ip=203.0.113.7&code=nothing".to_owned(), error("no-click")),
        ("/api/site/fetch.json?token=12-abc&ip=203.0.113.7&offer=8".to_owned(), error("auth")),
        ("/api/site/fetch.json?ip=203.0.113.7".to_owned(), error("auth")),
    ] {
        assert_eq!(site.get(&target).await.text(), want, "{target}");
    }
    assert_eq!(site.get(&format!("{global}&offer=7")).await.json()["click"], 1234);
}

#[tokio::test]
async fn ac_14_the_latest_of_several_clicks_is_found() {
    let site = Site::open().await;
    let order = IssueClicks {
        ip: Some("203.0.113.7".parse().unwrap()),
        geo: Some("fr".to_owned()),
        flow: Some(1234),
        ..IssueClicks::new(Network::Altercpa)
    };
    let newest = site.sandbox.issue(&order).unwrap().remove(0);
    let found = site.get("/api/site/fetch.json?token=12-abc&ip=203.0.113.7").await.json();
    assert_eq!((found["click"].to_string(), &found["geo"]), (newest.clone(), &"fr".into()));
    let lead = site.lead(&format!("click={newest}&exto=1")).await;
    assert_eq!(site.sandbox.lead(lead).unwrap().offer, 7);
}

#[tokio::test]
async fn ac_15_a_flow_is_found_by_click_number_or_code() {
    let site = Site::open().await;
    let want = json!({
        "status": "ok", "id": 1234, "code": "5FAC-D4E8", "link": "https://r.domain.com/go1234", "offer": 7,
        "site": 12, "space": 5, "fb": "1000000000001", "fbe": "Lead", "ga": "G-SANDBOX", "gad": "", "tt": "",
        "lki": "", "vk": "", "mt": "", "mtrk": "", "utms": "sandbox", "utmc": "spring", "utmn": "", "utmt": "",
        "utmm": "",
    });
    for by in ["click=1234", "flow=1234", "code=5FAC-D4E8"] {
        assert_eq!(site.get(&format!("/api/site/flow.json?token=12-abc&{by}")).await.json(), want, "{by}");
    }
    for (by, code) in [
        ("", "no-id"),
        ("flow=9", "bad-id"),
        ("code=x", "bad-id"),
        ("click=9", "bad-id"),
        ("click=1100", "bad-id"),
        ("flow=1235", "auth"),
    ] {
        assert_eq!(site.site("flow", by).await, error(code), "{by}");
    }
}

#[tokio::test]
async fn ac_16_an_offer_is_found_by_id_click_flow_or_code() {
    let site = Site::open().await;
    let want = json!({
        "status": "ok", "id": 7, "name": "Sandbox offer", "geo": ["us", "de", "fr"],
        "param": [{"name": "colour", "value": "green"}],
        "price": [{"currency": "USD", "geo": "us", "price": "49.00"}],
        "site": [{"id": 12, "url": "https://landing.example"}, {"id": 123, "url": "https://second.example"}],
    });
    for by in ["id=7", "offer=7", "click=1234", "flow=1234", "code=5FAC-D4E8"] {
        assert_eq!(site.get(&format!("/api/site/offer.json?token=12-abc&{by}")).await.json(), want, "{by}");
    }
    for (by, code) in
        [("", "no-id"), ("id=99", "bad-id"), ("id=x", "bad-id"), ("id=8", "auth"), ("click=9", "bad-id")]
    {
        assert_eq!(site.site("offer", by).await, error(code), "{by}");
    }
}

#[tokio::test]
async fn only_get_and_post_are_methods_of_altercpa() {
    let site = Site::open().await;
    for method in ["PUT", "HEAD", "DELETE"] {
        let got = site.send(method, "/api/site/click.json?token=12-abc&click=1234", "", "").await.unwrap();
        assert_eq!((got.status, &*got.headers["allow"]), (405, "GET, POST"), "{method}");
    }
    assert_eq!(site.get("/api/site/other.json").await.status, 404);
}
