//! AC-14 to AC-17: what the network can be asked.

use std::time::Duration;

use postback_adapters_altercpa::{AlterCpa, Settings};
use postback_core::{
    Adapter, BaseUrl, Call, ClickId, Error, ErrorKind, Found, FoundClick, FoundFlow, FoundOffer, LookUp,
    LookUpSource, Repeat, Utm,
};

use crate::support::*;

fn any_click() -> LookUp {
    LookUp::Click { ip: "192.0.2.7".parse().unwrap(), offer: None, flow: None, code: None, since: None }
}

fn by_click() -> LookUpSource {
    LookUpSource::Click(ClickId::parse("abc").unwrap())
}

fn by_flow() -> LookUpSource {
    LookUpSource::Flow("1234".parse().unwrap())
}

fn by_code() -> LookUpSource {
    LookUpSource::FlowCode("5FAC-D4E8".parse().unwrap())
}

fn ask(ask: &LookUp) -> Call {
    plain().look_up(ask).unwrap()
}

/// What is asked, without the token.
fn asked(call: &Call) -> String {
    let pairs = form(call).into_iter().filter(|(name, _)| name != "token");
    let pairs = pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    format!("{} {pairs}", path(call))
}

fn with_token(token: &str) -> AlterCpa {
    let base_url = BaseUrl::parse("https://cpa.example").unwrap();
    AlterCpa::new(Settings::new(base_url, token.into())).unwrap()
}

fn found(ask: &LookUp, body: &str) -> Result<Found, Error> {
    plain().found(ask, &answer(200, body.to_owned()))
}

fn found_click(body: &str) -> FoundClick {
    match found(&any_click(), body).unwrap() {
        Found::Click(click) => click,
        other => panic!("{other:?}"),
    }
}

fn found_flow(body: &str) -> FoundFlow {
    match found(&LookUp::Flow(by_code()), body).unwrap() {
        Found::Flow(flow) => flow,
        other => panic!("{other:?}"),
    }
}

fn found_offer(body: &str) -> FoundOffer {
    match found(&LookUp::Offer(LookUpSource::Offer(5)), body).unwrap() {
        Found::Offer(offer) => offer,
        other => panic!("{other:?}"),
    }
}

fn more(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    map(pairs)
}

#[test]
fn ac_14_a_click_is_asked_for_by_the_visitors_address() {
    assert_eq!(asked(&ask(&any_click())), "/api/site/fetch.json ip=192.0.2.7");
    let narrow = LookUp::Click {
        ip: "2001:db8::7".parse().unwrap(),
        offer: Some(5),
        flow: Some("1234".parse().unwrap()),
        code: Some("5FAC-D4E8".parse().unwrap()),
        since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
    };
    assert_eq!(
        asked(&ask(&narrow)),
        "/api/site/fetch.json offer=5&flow=1234&code=5FAC-D4E8&ip=2001:db8::7&to=1767225600"
    );
}

#[test]
fn ac_14_a_visitors_address_is_not_shown() {
    let call = ask(&any_click());
    assert_eq!(call.shown, "POST https://cpa.example/api/site/fetch.json token=***&ip=***");
    assert!(matches!(call.repeat, Repeat::Keyed(_)), "a look-up may be asked again");
}

#[test]
fn ac_14_a_global_token_needs_the_offer() {
    let with_offer = LookUp::Click {
        ip: "192.0.2.7".parse().unwrap(),
        offer: Some(5),
        flow: None,
        code: None,
        since: None,
    };
    for global in ["0123456789abcdef", "ab-cd", "123-", "-abc"] {
        let altercpa = with_token(global);
        let refusal = refused(altercpa.look_up(&any_click()));
        assert_eq!((refusal.field(), refusal.reason()), (Some("offer"), "MISSING"), "{global}");
        assert_eq!(
            asked(&altercpa.look_up(&with_offer).unwrap()),
            "/api/site/fetch.json offer=5&ip=192.0.2.7"
        );
    }
    assert!(with_token("12-a-b").look_up(&any_click()).is_ok(), "a site's token names its offer");
}

#[test]
fn ac_14_a_click_that_is_found_is_typed() {
    let body = r#"{"status":"ok","click":"c-1","offer":5,"site":123,"flow":1234,"geo":"us","ip":"192.0.2.7",
        "time":1767225600,"utms":"s","utmc":"c","utmn":"n","utmt":"t","utmm":"m"}"#;
    let utm = Utm {
        source: Some("s".into()),
        medium: Some("m".into()),
        campaign: Some("c".into()),
        term: Some("t".into()),
        content: Some("n".into()),
    };
    let want = FoundClick {
        click: "c-1".into(),
        offer: Some(5),
        site: Some(123),
        flow: Some(1234),
        country: Some("us".into()),
        ip: Some("192.0.2.7".into()),
        time: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        utm,
        more: more(&[]),
    };
    assert_eq!(found_click(body), want);
    let least = found_click(r#"{ "status": "ok", "click": 1234, "geo": "us" }"#);
    let want = FoundClick { click: "1234".into(), country: Some("us".into()), ..FoundClick::default() };
    assert_eq!(least, want);
}

#[test]
fn ac_15_a_flow_is_asked_for_by_click_number_or_code() {
    for (by, want) in [(by_click(), "click=abc"), (by_flow(), "flow=1234"), (by_code(), "code=5FAC-D4E8")] {
        assert_eq!(asked(&ask(&LookUp::Flow(by))), format!("/api/site/flow.json {want}"));
    }
    assert_eq!(fault(plain().look_up(&LookUp::Flow(LookUpSource::Offer(5)))), "offer");
}

#[test]
fn ac_15_a_flow_that_is_found_is_typed() {
    let body = r#"{"status":"ok","id":1234,"code":"5FAC-D4E8","link":"https://r.domain.example/go1234","offer":5,
        "site":123,"space":7,"fb":"1","fbe":"Lead","ga":"G-1","gad":"x","tt":"2","lki":"3","vk":4,"mt":"5",
        "mtrk":"","utms":"s"}"#;
    let pixels = [
        ("fb", "1"),
        ("fbe", "Lead"),
        ("ga", "G-1"),
        ("gad", "x"),
        ("tt", "2"),
        ("lki", "3"),
        ("vk", "4"),
        ("mt", "5"),
    ];
    let want = FoundFlow {
        id: 1234,
        code: Some("5FAC-D4E8".into()),
        link: Some("https://r.domain.example/go1234".into()),
        offer: Some(5),
        site: Some(123),
        space: Some(7),
        pixels: more(&pixels),
        utm: Utm { source: Some("s".into()), ..Utm::default() },
        more: more(&[]),
    };
    assert_eq!(found_flow(body), want);
    let metrika = found_flow(r#"{"status":"ok","id":1,"mtrk":99}"#);
    assert_eq!(metrika.pixels, more(&[("mtrk", "99")]));
}

#[test]
fn ac_16_an_offer_is_asked_for_by_number_click_or_flow() {
    for (by, want) in [
        (LookUpSource::Offer(5), "id=5&offer=5"),
        (by_click(), "click=abc"),
        (by_flow(), "flow=1234"),
        (by_code(), "code=5FAC-D4E8"),
    ] {
        assert_eq!(asked(&ask(&LookUp::Offer(by))), format!("/api/site/offer.json {want}"));
    }
}

#[test]
fn ac_16_an_offer_that_is_found_is_typed() {
    let body = r#"{"status":"ok","id":5,"name":"Watch","geo":["fr","de"],"param":[{"a":1},"b"],
        "price":[{"geo":"fr","price":49.90}],"site":[123,"124"]}"#;
    let want = FoundOffer {
        id: 5,
        name: Some("Watch".into()),
        countries: vec!["fr".into(), "de".into()],
        parameters: vec![r#"{"a":1}"#.into(), r#""b""#.into()],
        prices: vec![r#"{"geo":"fr","price":49.9}"#.into()],
        sites: vec!["123".into(), r#""124""#.into()],
        more: more(&[]),
    };
    assert_eq!(found_offer(body), want);
}

#[test]
fn ac_17_numbers_are_read_as_numbers_and_as_numeric_strings() {
    let numbers = r#"{"status":"ok","click":7,"offer":5,"site":123,"flow":1234,"time":1767225600}"#;
    let strings = r#"{"status":"ok","click":"7","offer":"5","site":"123","flow":"1234","time":"1767225600"}"#;
    assert_eq!(found_click(numbers), found_click(strings));
    assert_eq!(found_flow(r#"{"status":"ok","id":"1234"}"#).id, 1234);
    assert_eq!(found_offer(r#"{"status":"ok","id":"5"}"#).id, 5);
}

#[test]
fn ac_17_unknown_fields_and_unexpected_forms_are_kept() {
    let click = found_click(r#"{"status":"ok","click":1,"id":9,"offer":"none","geo":null,"sub":{"a":[1]}}"#);
    assert_eq!(click.more, more(&[("id", "9"), ("offer", r#""none""#), ("sub", r#"{"a":[1]}"#)]));
    assert_eq!((click.offer, click.country), (None, None));
    let offer = found_offer(r#"{"status":"ok","id":5,"geo":{"0":"fr"},"price":{"fr":1},"new":true}"#);
    assert_eq!(
        offer.more,
        more(&[("geo", r#"{"0":"fr"}"#), ("price", r#"{"fr":1}"#), ("new", "true")]),
        "PHP makes an object of an array with a gap"
    );
}

#[test]
fn ac_14_ac_15_ac_16_errors_are_an_open_set() {
    for (code, kind, reason) in [
        ("auth", ErrorKind::FailedPrecondition, "NETWORK_AUTH"),
        ("no-click", ErrorKind::NotFound, "NETWORK_CLICK_NOT_FOUND"),
        ("no-id", ErrorKind::NotFound, "NETWORK_ID_NOT_FOUND"),
        ("bad-id", ErrorKind::NotFound, "NETWORK_ID_NOT_FOUND"),
        ("no-offer", ErrorKind::InvalidArgument, "MISSING"),
        ("db", ErrorKind::Unavailable, "NETWORK_UNAVAILABLE"),
        ("new-one", ErrorKind::Unavailable, "NETWORK_ERROR"),
    ] {
        for ask in [any_click(), LookUp::Flow(by_code()), LookUp::Offer(by_code())] {
            let error = found(&ask, &format!(r#"{{"status":"error","error":"{code}"}}"#)).unwrap_err();
            assert_eq!((error.kind(), error.reason()), (kind, reason), "{code}");
            assert_eq!(error.field(), (code == "no-offer").then_some("offer"));
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_unavailable_and_http_errors_keep_their_meaning() {
    for body in ["", "<html>", "[]", r#"{"status":"ok"}"#, r#"{"status":"ok","id":"x","click":""}"#] {
        for ask in [any_click(), LookUp::Flow(by_code()), LookUp::Offer(by_code())] {
            let error = found(&ask, body).unwrap_err();
            assert_eq!(
                (error.kind(), error.reason()),
                (ErrorKind::Unavailable, "NETWORK_UNREADABLE"),
                "{body}"
            );
        }
    }
    let kind =
        |status| plain().found(&any_click(), &answer(status, "{\"status\":\"ok\"}")).unwrap_err().kind();
    assert_eq!(kind(403), ErrorKind::FailedPrecondition);
    assert_eq!(kind(404), ErrorKind::FailedPrecondition);
    assert_eq!(kind(503), ErrorKind::Unavailable);
}

#[test]
fn a_wait_until_a_date_is_read_against_the_answers_own_clock() {
    let busy =
        || http::Response::builder().status(503).header("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT");
    let wait = |answer: http::response::Builder| {
        plain().found(&any_click(), &answer.body(bytes::Bytes::new()).unwrap()).unwrap_err().wait()
    };
    assert_eq!(wait(busy().header("date", "Thu, 01 Jan 2026 00:00:00 GMT")), Some(Duration::from_secs(60)));
    assert_eq!(wait(busy()), None);
}
