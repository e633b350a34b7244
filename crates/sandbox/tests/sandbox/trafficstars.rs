//! Traffic Stars: every documented error in its documented shape, prices, keys, lead codes, both forms.

use jiff::SignedDuration;
use postback_sandbox::{Booking, IssueClicks, Kind, Meant, Network, Seed};

use crate::client::Site;

const CLICK: &str = "c86b8a88b91228911e723b93c65a5900bb49bc99";
const KEY: &str = "123456789012345678901234567890abcdef";
const SINGLE: &str = "5151515151515151515151515151515151515151";
const SINGLE_KEY: &str = "210987654321098765432109876543fedcba";
const HTTPS_ONLY: &str = "The transfer of the lead_code is possible only with the https protocol";
const OK: &str = r#"{"ok":true}"#;

fn failure(msg: &str) -> String {
    serde_json::json!({"error": {"msg": msg}}).to_string()
}

#[tokio::test]
async fn ts_9_each_error_has_its_documented_shape() {
    let site = Site::open().await;
    let unknown = "getting click error: invalid clickid";
    let unparsed =
        |text| format!("invalid price value: 'strconv.ParseFloat: parsing \"{text}\": invalid syntax'");
    let range = "the price should be between 0.010 and 200.000";
    let several = format!("lead_code=a&key={KEY}");
    for (target, want) in [
        ("/xyz".to_owned(), "invalid code".to_owned()),
        (format!("/{}", CLICK.to_uppercase()), "invalid code".to_owned()),
        (format!("/{}", &CLICK[1..]), "invalid code".to_owned()),
        (format!("/{CLICK}0"), "invalid code".to_owned()),
        ("/%7Bclick_id%7D".to_owned(), "invalid code".to_owned()),
        (format!("/{}", "a".repeat(40)), unknown.to_owned()),
        ("/0000000000000000000000000000000000000001".to_owned(), unknown.to_owned()),
        (format!("?clickid={}", "a".repeat(40)), unknown.to_owned()),
        (format!("?clickid={}", "Z".repeat(41)), unknown.to_owned()),
        (String::new(), "clickid is empty".to_owned()),
        ("/".to_owned(), "clickid is empty".to_owned()),
        ("?clickid=".to_owned(), "clickid is empty".to_owned()),
        ("?clickid=abc".to_owned(), "clickid is short".to_owned()),
        (format!("/{CLICK}?lead_code=a&key=wrong"), "invalid key".to_owned()),
        (format!("/{CLICK}?lead_code=a"), "invalid key".to_owned()),
        (format!("/{CLICK}?key={KEY}"), "invalid key".to_owned()),
        (format!("/{CLICK}?lead_code=&key={KEY}"), "invalid key".to_owned()),
        (format!("/{CLICK}?lead_code=a&key={SINGLE_KEY}"), "invalid key".to_owned()),
        (format!("/{SINGLE}?lead_code=a&key={SINGLE_KEY}"), "invalid key".to_owned()),
        (format!("/{CLICK}?value=abc&{several}"), unparsed("abc")),
        (format!("/{CLICK}?value=&{several}"), unparsed("")),
        (format!("/{CLICK}?value=2,1"), unparsed("2,1")),
        (format!("/{CLICK}?value=0.009&{several}"), range.to_owned()),
        (format!("/{CLICK}?value=200.01&{several}"), range.to_owned()),
        (format!("?clickid={CLICK}&price=500"), range.to_owned()),
    ] {
        let got = site.get_https(&format!("/api/v1/cpa/action{target}")).await;
        assert_eq!((got.status, &*got.headers["content-type"]), (200, "application/json"), "{target}");
        assert_eq!(got.text(), failure(&want), "{target}");
    }
    let stats = site.sandbox.stats().trafficstars;
    assert_eq!((stats.calls, stats.refused), (25, 25));
}

#[tokio::test]
async fn ts_4_6_a_lead_code_wants_https_and_a_plain_postback_does_not() {
    let site = Site::open().await;
    let several = format!("/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=a&key={KEY}");
    assert_eq!(site.get(&several).await.text(), failure(HTTPS_ONLY));
    let http = site.send("GET", &several, "x-forwarded-proto: http, https\r\n", "").await.unwrap();
    assert_eq!(http.text(), failure(HTTPS_ONLY));
    assert_eq!(site.get(&format!("/api/v1/cpa/action/{CLICK}")).await.text(), OK);
    assert_eq!(site.get_https(&several).await.text(), OK);
}

#[tokio::test]
async fn ts_4_6_where_the_seed_says_that_tls_ends_in_front_no_header_is_needed() {
    let text = Seed::documented_text().replace("tls_in_front = false", "tls_in_front = true");
    let site = Site::of(text.parse().unwrap()).await;
    let several = format!("/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=a&key={KEY}");
    assert_eq!(site.get(&several).await.text(), OK);
}

#[tokio::test]
async fn ts_9_the_status_of_an_error_is_the_seeds_choice() {
    let text = Seed::documented_text().replace("error_status = 200", "error_status = 400");
    let site = Site::of(text.parse().unwrap()).await;
    let got = site.get("/api/v1/cpa/action/xyz").await;
    assert_eq!((got.status, got.text()), (400, failure("invalid code")));
}

#[tokio::test]
async fn ts_5_both_ends_of_the_price_range_are_taken() {
    let site = Site::open().await;
    for (code, value) in ["0.01", "200", "200.0", "2.1", "1e2"].into_iter().enumerate() {
        let target = format!("/api/v1/cpa/action/{CLICK}?value={value}&lead_code={code}&key={KEY}");
        assert_eq!(site.get_https(&target).await.text(), OK, "{value}");
    }
    assert_eq!(site.sandbox.stats().trafficstars.counted, 5);
}

#[tokio::test]
async fn ts_11_the_same_lead_code_is_answered_ok_and_counted_once() {
    let site = Site::open().await;
    let target = format!("/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=a&key={KEY}");
    for _ in 0..3 {
        assert_eq!(site.get_https(&target).await.text(), OK);
    }
    let booking = Booking {
        kind: Kind::Lead,
        click: Some(CLICK.to_owned()),
        key: Some("a".to_owned()),
        value: Some("2.1".to_owned()),
        ..Booking::default()
    };
    assert_eq!(site.meant(Network::Trafficstars), Meant::Duplicate(booking));
    let other = format!("/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=b&key={KEY}");
    assert_eq!(site.get_https(&other).await.text(), OK);
    let stats = site.sandbox.stats().trafficstars;
    assert_eq!((stats.counted, stats.duplicates), (2, 2));
}

#[tokio::test]
async fn ts_3_each_call_without_a_lead_code_counts() {
    let site = Site::open().await;
    for _ in 0..2 {
        assert_eq!(site.get(&format!("/api/v1/cpa/action/{SINGLE}")).await.text(), OK);
    }
    let stats = site.sandbox.stats().trafficstars;
    assert_eq!((stats.counted, stats.duplicates), (2, 0));
}

#[tokio::test]
async fn ts_7_the_query_form_takes_goals_prices_and_wanted_duplicates() {
    let site = Site::open().await;
    let base = format!("/api/v1/cpa/action?clickid={CLICK}&value=2.1&price=1.5&lead_code=a&key={KEY}");
    assert_eq!(site.get_https(&format!("{base}&goalid=2")).await.text(), OK);
    let Meant::Counted(booking) = site.meant(Network::Trafficstars) else { panic!("not counted") };
    assert_eq!((booking.kind, booking.goal.as_deref()), (Kind::Goal, Some("2")));
    assert_eq!(site.get_https(&base).await.text(), OK);
    assert_eq!(site.get_https(&format!("{base}&allow_duplicates=1&goalid=0")).await.text(), OK);
    let stats = site.sandbox.stats().trafficstars;
    assert_eq!((stats.counted, stats.duplicates), (2, 1));
    assert!(site.remarks(Network::Trafficstars).is_empty());
}

#[tokio::test]
async fn ts_7_what_neither_form_has_is_remarked_on() {
    let site = Site::open().await;
    for (target, want) in [
        (format!("/{CLICK}?goalid=1"), "`goalid` is not a parameter of this call: passed over"),
        (format!("?clickid={CLICK}&currency=USD"), "`currency` is not a parameter of this call: passed over"),
        (format!("?clickid={CLICK}&goalid=9"), "the goal is unknown: the default goal is taken"),
    ] {
        assert_eq!(site.get(&format!("/api/v1/cpa/action{target}")).await.text(), OK, "{target}");
        assert_eq!(site.remarks(Network::Trafficstars), [want], "{target}");
    }
}

#[tokio::test]
async fn ts_2_longer_case_sensitive_ids_are_issued_and_known() {
    let site = Site::open().await;
    let order = IssueClicks { account: Some("opaque".to_owned()), ..IssueClicks::new(Network::Trafficstars) };
    let id = site.sandbox.issue(&order).unwrap().remove(0);
    assert_eq!(id.len(), 120);
    assert_eq!(site.get(&format!("/api/v1/cpa/action/{id}")).await.text(), OK);
    assert_eq!(
        site.get(&format!("/api/v1/cpa/action/{}", id.to_lowercase())).await.text(),
        failure("invalid code")
    );

    let odd = IssueClicks { ids: vec!["a/b?c%d&e=f+g".to_owned()], ..order };
    site.sandbox.issue(&odd).unwrap();
    assert_eq!(site.get("/api/v1/cpa/action/a%2Fb%3Fc%25d%26e%3Df+g").await.text(), OK);
    assert_eq!(site.get("/api/v1/cpa/action?clickid=a%2Fb%3Fc%25d%26e%3Df%2Bg").await.text(), OK);
}

#[tokio::test]
async fn only_get_is_a_method_and_only_the_action_a_path_of_traffic_stars() {
    let site = Site::open().await;
    let got = site.post_form(&format!("/api/v1/cpa/action/{CLICK}"), "").await;
    assert_eq!((got.status, &*got.headers["allow"]), (405, "GET"));
    for target in ["/api/v1/cpa/actions", "/api/v1/other", "/api/v1/cpa/action/a/b"] {
        assert_eq!(site.get(target).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn a_click_of_traffic_stars_expires_after_30_days() {
    let site = Site::open().await;
    site.sandbox.set_shift(SignedDuration::from_hours(31 * 24));
    let got = site.get(&format!("/api/v1/cpa/action/{CLICK}")).await;
    assert_eq!(got.text(), failure("getting click error: invalid clickid"));
    let fresh = site.sandbox.issue(&IssueClicks::new(Network::Trafficstars)).unwrap().remove(0);
    assert_eq!(site.get(&format!("/api/v1/cpa/action/{fresh}")).await.text(), OK);
}
