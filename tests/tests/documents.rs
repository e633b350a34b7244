//! The networks' documents' own examples: with only the host replaced they behave as printed, and the hub's
//! calls are the same calls.

use std::{collections::BTreeSet, process::Command};

use postback_proto::v1::{
    ChangeConversionStatusRequest, change_conversion_status_request::Conversion as Named, flow_source,
};
use postback_proto::v1::{FlowSource, Source, source};
use postback_sandbox::{Entry, Network};
use postback_tests::{Engine, House, click, details, lead, order};

const KEY: &str = "123456789012345678901234567890abcdef";
const HEX: &str = "c86b8a88b91228911e723b93c65a5900bb49bc99";

/// Runs curl as the documents do; TLS ends in front of the sandbox, which a header tells it.
async fn curl(url: String) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "5", "--write-out", "\n%{http_code}"]);
    if let Some(rest) = url.strip_prefix("https://") {
        command.args(["--header", "x-forwarded-proto: https"]).arg(format!("http://{rest}"));
    } else {
        command.arg(&url);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the task ends");
    let output = output.expect("curl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("text");
    let (body, status) = printed.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), body.trim().to_owned())
}

/// What is printed in the documents with the sandbox's host, what must come back, in the documents' order.
#[tokio::test(flavor = "multi_thread")]
async fn the_documents_own_calls_behave_as_the_documents_say() {
    let house = House::on(Engine::Embedded).await;
    let at = house.networks;
    let table: Vec<(String, u16, &str)> = vec![
        (format!("https://{at}/ld?qci=abc123xyz789"), 200, ""),
        (format!("https://{at}/ord?qci=abc123xyz789&ov=89.99"), 200, ""),
        (format!("https://{at}/ord?qci=abc123xyz789&ov=159.99"), 200, ""),
        (format!("https://{at}/ld?qci=test_click_id_123"), 200, ""),
        (format!("https://{at}/ord?qci=test_click_id_123&ov=99.99"), 200, ""),
        (format!("https://{at}/ld"), 400, ""),
        (format!("https://{at}/ld?qci=never_issued"), 404, ""),
        (format!("http://{at}/api/v1/cpa/action/{HEX}"), 200, r#"{"ok":true}"#),
        (
            format!("https://{at}/api/v1/cpa/action/{HEX}?value=2.1&lead_code=abcd1234567890&key={KEY}"),
            200,
            r#"{"ok":true}"#,
        ),
        (format!("http://{at}/api/v1/cpa/action/abc"), 200, r#"{"error":{"msg":"invalid code"}}"#),
        (
            format!("https://{at}/api/v1/cpa/action/{HEX}?value=2.1&lead_code=x&key=wrong"),
            200,
            r#"{"error":{"msg":"invalid key"}}"#,
        ),
        (
            format!("https://{at}/api/v1/cpa/action/{HEX}?value=200.01&lead_code=y&key={KEY}"),
            200,
            r#"{"error":{"msg":"the price should be between 0.010 and 200.000"}}"#,
        ),
        (
            format!("http://{at}/api/v1/cpa/action/{HEX}?value=2.1&lead_code=z&key={KEY}"),
            200,
            r#"{"error":{"msg":"The transfer of the lead_code is possible only with the https protocol"}}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=123-abcd&click=1234"),
            200,
            r#"{"status":"ok","id":1234}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=12-abc&click=1233&exto=lead-1"),
            200,
            r#"{"status":"ok","id":1235}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=12-abc&click=1233&exto=lead-1"),
            200,
            r#"{"status":"error","error":"duplicate","id":1235}"#,
        ),
        (
            format!("https://{at}/api/site/status.json?token=123-abcd&click=1234&status=approve"),
            200,
            r#"{"status":"ok","id":1234}"#,
        ),
        (
            format!("https://{at}/api/site/status.json?token=12-abc&click=1234&status=approve"),
            200,
            r#"{"status":"error","error":"edit"}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=12-abc&flow=1234"),
            200,
            r#"{"status":"ok","id":1236}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=12-abc&code=5FAC-D4E8"),
            200,
            r#"{"status":"ok","id":1237}"#,
        ),
        (
            format!("https://{at}/api/site/click.json?token=999-wrong&click=1234"),
            200,
            r#"{"status":"error","error":"auth"}"#,
        ),
        (
            format!("https://{at}/api/site/fetch.json?token=123-abcd&offer=7&ip=192.0.2.1"),
            200,
            r#"{"status":"error","error":"no-click"}"#,
        ),
    ];
    for (url, status, body) in table {
        let (seen, said) = curl(url.clone()).await;
        let same = body.is_empty() || normal(&said) == normal(body);
        assert!(seen == status && same, "{url}\nanswered {seen} {said}\nwanted {status} {body}");
    }
    for path in [
        "fetch.json?token=123-abcd&offer=7&ip=203.0.113.7",
        "flow.json?token=123-abcd&code=5FAC-D4E8",
        "offer.json?token=123-abcd&id=7",
    ] {
        let (_, said) = curl(format!("https://{at}/api/site/{path}")).await;
        assert!(said.contains(r#""status":"ok""#) || said.contains(r#""status": "ok""#), "{path}: {said}");
    }
    house.end().await;
}

fn normal(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|_| panic!("not JSON: {json}"))
}

/// What a call says, however it says it: path, and parameters in query or form. The hub's own key stands for
/// whatever unique id a caller would choose.
fn said(entry: &Entry) -> (String, BTreeSet<(String, String)>) {
    let parameters = entry.query.iter().chain(&entry.form).cloned();
    (entry.path.clone(), parameters.collect())
}

fn last(house: &House, network: Network) -> Entry {
    house.sandbox.received(network).pop().expect("a call arrived")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_tells_powerspace_in_the_documents_own_calls() {
    let house = House::on(Engine::Embedded).await;
    let at = house.networks;
    house.land("powerspace", "clickId=abc123xyz789&utm_source=powerspace").await;
    for (path, details) in
        [("ld?qci=abc123xyz789", lead()), ("ord?qci=abc123xyz789&ov=89.99", order("89.99"))]
    {
        curl(format!("https://{at}/{path}")).await;
        let printed = last(&house, Network::Powerspace);
        house.caller.record(click("powerspace", "abc123xyz789"), details).await.unwrap();
        house.quiet("powerspace").await;
        let ours = last(&house, Network::Powerspace);
        assert!(ours.seq > printed.seq, "the hub called");
        assert_eq!((said(&ours), &ours.method), (said(&printed), &printed.method));
        assert!(ours.remarks.is_empty(), "{:?}", ours.remarks);
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_tells_traffic_stars_in_the_documents_own_call() {
    let house = House::on(Engine::Embedded).await;
    let at = house.networks;
    house
        .land("trafficstars", &format!("some_param=1234567&tracking_param={HEX}&some_another_param=test"))
        .await;
    curl(format!("https://{at}/api/v1/cpa/action/{HEX}?value=2.1&lead_code=abcd1234567890&key={KEY}")).await;
    let printed = last(&house, Network::Trafficstars);
    let mut details = order("2.1");
    details.fields.insert("lead_code".into(), "abcd1234567890".into());
    house.caller.record(click("trafficstars", HEX), details).await.unwrap();
    house.quiet("trafficstars").await;
    let ours = last(&house, Network::Trafficstars);
    assert!(ours.seq > printed.seq, "the hub called");
    assert_eq!((said(&ours), &ours.method), (said(&printed), &printed.method));
    assert!(ours.remarks.is_empty(), "{:?}", ours.remarks);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_tells_altercpa_everything_that_the_documents_own_calls_say() {
    let house = House::on(Engine::Embedded).await;
    let at = house.networks;
    house.land("altercpa", "click=1234").await;
    let flow = |flow| Source {
        source: Some(source::Source::Flow(FlowSource { account: "altercpa".into(), flow: Some(flow) })),
    };
    let mut with_exto = lead();
    with_exto.fields.insert("exto".into(), "lead-1".into());
    let mut with_goal = with_exto.clone();
    with_goal.goal = "registration".into();
    with_goal.kind = details(postback_proto::v1::Kind::Goal).kind;
    with_goal.fields.insert("exto".into(), "lead-2".into());
    let mut paid = with_exto.clone();
    paid.fields = [("exto", "lead-3"), ("pay", "14.5"), ("cc", "USD")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let mut by_flow = lead();
    by_flow.fields.insert("exto".into(), "lead-4".into());
    let table = vec![
        ("click=1234&exto=lead-1", click("altercpa", "1234"), with_exto),
        ("click=1234&exto=lead-2&goal=registration", click("altercpa", "1234"), with_goal),
        ("click=1234&exto=lead-3&pay=14.5&cc=USD", click("altercpa", "1234"), paid),
        ("flow=1234&exto=lead-4", flow(flow_source::Flow::Id("1234".into())), by_flow.clone()),
        ("code=5FAC-D4E8&exto=lead-4", flow(flow_source::Flow::Code("5FAC-D4E8".into())), by_flow),
    ];
    let mut first = None;
    for (printed, source, details) in table {
        curl(format!("https://{at}/api/site/click.json?token=123-abcde&{printed}")).await;
        let printed = said(&last(&house, Network::Altercpa));
        let recorded = house.caller.record(source, details).await.unwrap();
        first.get_or_insert(recorded.conversion_id);
        house.quiet("altercpa").await;
        let ours = last(&house, Network::Altercpa);
        assert_eq!((ours.method.as_str(), ours.query.len(), &ours.path), ("POST", 0, &printed.0));
        let missing: Vec<_> = printed.1.difference(&said(&ours).1).cloned().collect();
        assert!(missing.is_empty(), "{missing:?} is not in {:?}", said(&ours).1);
        assert!(ours.remarks.is_empty(), "{:?}", ours.remarks);
    }
    let approve = ChangeConversionStatusRequest {
        conversion: first.map(Named::ConversionId),
        status: "approved".into(),
        ..ChangeConversionStatusRequest::default()
    };
    house.caller.change(approve).await.unwrap();
    house.quiet("altercpa").await;
    let ours = said(&last(&house, Network::Altercpa));
    assert_eq!(ours.0, "/api/site/status.json");
    for pair in [("click", "1234"), ("exto", "lead-1"), ("status", "approve")] {
        assert!(ours.1.contains(&(pair.0.to_owned(), pair.1.to_owned())), "{pair:?} is not in {:?}", ours.1);
    }
    house.end().await;
}
