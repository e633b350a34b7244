//! Powerspace: every documented status, and what is counted.

use jiff::SignedDuration;
use postback_sandbox::{Booking, IssueClicks, Kind, Meant, Network};

use crate::client::Site;

#[tokio::test]
async fn ps_10_each_call_gets_its_documented_status() {
    let site = Site::open().await;
    let long = format!("/ld?qci={}", "a".repeat(513));
    for (target, status, body) in [
        ("/ld", 400, "the click id is missing"),
        ("/ld?qci=", 400, "the click id is missing"),
        ("/ord?ov=1.00", 400, "the click id is missing"),
        ("/ld?clickId=abc123xyz789", 400, "the click id is missing"),
        (&long, 400, "the click id is invalid"),
        ("/ld?qci=%00", 400, "the click id is invalid"),
        ("/ld?qci=%FF%FE", 400, "the click id is invalid"),
        ("/ord?qci=abc123xyz789&ov=", 400, "ov is not a decimal such as 49.99"),
        ("/ord?qci=abc123xyz789&ov=49,99", 400, "ov is not a decimal such as 49.99"),
        ("/ord?qci=abc123xyz789&ov=-1", 400, "ov is not a decimal such as 49.99"),
        ("/ord?qci=abc123xyz789&ov=1e3", 400, "ov is not a decimal such as 49.99"),
        ("/ld?qci=never_issued", 404, "the click id is unknown"),
        ("/ld?qci=ABC123XYZ789", 404, "the click id is unknown"),
        ("/ld?qci=expired_click_id_1", 404, "the click id has expired"),
        ("/ord?qci=abc123xyz789", 200, "OK"),
    ] {
        let got = site.get(target).await;
        assert_eq!((got.status, &*got.text()), (status, body), "{target}");
    }
    assert_eq!(site.sandbox.stats().powerspace.refused, 14);
    assert_eq!(site.sandbox.stats().powerspace.counted, 1);
}

#[tokio::test]
async fn only_get_is_a_method_of_powerspace() {
    let site = Site::open().await;
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let got = site.send(method, "/ld?qci=abc123xyz789", "", "").await.unwrap();
        assert_eq!((got.status, &*got.headers["allow"]), (405, "GET"), "{method}");
    }
    assert_eq!(site.sandbox.stats().powerspace.counted, 0);
}

#[tokio::test]
async fn ps_7_one_click_brings_a_lead_and_two_orders() {
    let site = Site::open().await;
    for target in ["/ld?qci=abc123xyz789", "/ord?qci=abc123xyz789&ov=49.99", "/ord?qci=abc123xyz789&ov=10"] {
        assert_eq!(site.get(target).await.status, 200);
    }
    let booked = |kind, value: Option<&str>| {
        let click = Some("abc123xyz789".to_owned());
        Meant::Counted(Booking { kind, click, value: value.map(str::to_owned), ..Booking::default() })
    };
    let meant: Vec<_> =
        site.sandbox.received(Network::Powerspace).into_iter().map(|entry| entry.meant).collect();
    assert_eq!(
        meant,
        [booked(Kind::Lead, None), booked(Kind::Order, Some("49.99")), booked(Kind::Order, Some("10"))]
    );
}

#[tokio::test]
async fn ps_12_a_repeat_is_counted_again() {
    let site = Site::open().await;
    for _ in 0..2 {
        site.get("/ld?qci=abc123xyz789").await;
    }
    assert_eq!(site.sandbox.stats().powerspace.counted, 2);
    assert_eq!(site.sandbox.stats().powerspace.duplicates, 0);
}

#[tokio::test]
async fn ps_6_a_click_id_with_reserved_and_other_characters_survives_the_trip() {
    let site = Site::open().await;
    let id = "a+b&c=d%/é €";
    site.sandbox
        .issue(&IssueClicks { ids: vec![id.to_owned()], ..IssueClicks::new(Network::Powerspace) })
        .unwrap();
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("qci", id).finish();
    assert_eq!(site.get(&format!("/ld?{query}")).await.status, 200);
    let Meant::Counted(booking) = site.meant(Network::Powerspace) else { panic!("not counted") };
    assert_eq!(booking.click.as_deref(), Some(id));
    // Without encoding it is another id.
    assert_eq!(site.get("/ld?qci=a+b&c=d%/").await.status, 404);
}

#[tokio::test]
async fn ps_2_9_a_click_expires_after_30_days_and_a_test_click_does_not() {
    let site = Site::open().await;
    site.sandbox.set_shift(SignedDuration::from_hours(30 * 24));
    assert_eq!(site.get("/ld?qci=abc123xyz789").await.status, 200);
    site.sandbox.set_shift(SignedDuration::from_hours(30 * 24) + SignedDuration::from_secs(1));
    assert_eq!(site.get("/ld?qci=abc123xyz789").await.status, 404);
    assert_eq!(site.get("/ld?qci=test_click_id_123").await.status, 200);
}

#[tokio::test]
async fn ps_5_what_the_document_does_not_have_is_remarked_on() {
    let site = Site::open().await;
    for (target, want) in [
        ("/ld?qci=abc123xyz789&ov=1", "`ov` is not a parameter of this call: passed over"),
        ("/ord?qci=abc123xyz789", "the order has no value: `ov` is strongly recommended"),
        ("/ld?qci=x&qci=abc123xyz789", "`qci` was given more than once: the last one counts"),
        (
            "/ord?qci=abc123xyz789&ov=1&currency=EUR",
            "`currency` is not a parameter of this call: passed over",
        ),
    ] {
        assert_eq!(site.get(target).await.status, 200, "{target}");
        assert_eq!(site.remarks(Network::Powerspace), [want], "{target}");
    }
}
