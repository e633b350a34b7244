//! What a person sees who sends or writes something wrong: each refusal word for word.

use postback::config::Config;
use postback_core::Key;
use postback_proto::v1::{
    AttachUserRequest, CaptureClickRequest, ChangeConversionStatusRequest, ConversionDetails, ConversionRef,
    Customer, EraseRequest, FetchNetworkClickRequest, FindClicksRequest, FlowSource, GetClickRequest,
    GetConversionRequest, GetDeliveryRequest, GetFlowRequest, GetOfferRequest, Kind, ListConversionsRequest,
    ListDeliveriesRequest, PauseAccountRequest, RecordConversionRequest, ReplayDeliveryRequest,
    ResolveDeliveryRequest, Source, change_conversion_status_request::Conversion as Named, flow_source,
    get_flow_request, get_offer_request, source,
};
use postback_sandbox::Network;
use postback_tests::{Caller, Engine, House, click, details, lead, money, order, token, user};
use prost_types::Timestamp;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;

/// Code, reason, the field at fault, and what is said.
fn seen<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.expect_err("what is wrong is refused");
    let details = status.get_error_details();
    let reason = details.error_info().map_or("-", |info| info.reason.as_str()).to_owned();
    let field = details.bad_request().map_or("-", |bad| bad.field_violations[0].field.as_str()).to_owned();
    format!("{:?} {reason} {field} | {}", status.code(), status.message())
}

/// Compares all at once, so that one run shows everything that differs.
fn check(seen: &[(&str, String)], want: &str) {
    let seen: String = seen.iter().map(|(name, said)| format!("{name}: {said}\n")).collect();
    let want: String =
        want.lines().map(str::trim).filter(|line| !line.is_empty()).map(|l| format!("{l}\n")).collect();
    assert!(
        seen == want,
        "\n--- seen\n{seen}\n--- differs from what was wanted in\n{}",
        difference(&seen, &want)
    );
}

fn difference(seen: &str, want: &str) -> String {
    let missing = want.lines().filter(|line| !seen.lines().any(|other| other == *line));
    missing.map(|line| format!("{line}\n")).collect()
}

fn valued(kind: Kind, amount: &str, currency: &str) -> ConversionDetails {
    ConversionDetails { value: money(amount, currency), ..details(kind) }
}

fn field(name: &str, value: &str) -> ConversionDetails {
    ConversionDetails { fields: [(name.to_owned(), value.to_owned())].into(), ..lead() }
}

fn flow(account: &str, flow: Option<flow_source::Flow>) -> Source {
    Source { source: Some(source::Source::Flow(FlowSource { account: account.into(), flow })) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_and_a_head_past_their_limits_are_refused_with_what_they_are() {
    let house = House::on(Engine::Embedded).await;
    let landed = house.landed(Network::Powerspace).await;
    let long = ConversionDetails { transaction_id: "x".repeat(64 * 1024), ..lead() };
    let message = house.caller.record(token(&landed), long).await;
    let channel = Channel::from_shared(house.api.clone()).unwrap().connect_lazy();
    let showing = Caller::over(channel, Some(&"x".repeat(16 * 1024)));
    let head = showing.record(token(&landed), lead()).await;
    check(
        &[("message", seen(message)), ("head", seen(head))],
        "message: OutOfRange - - | Error, decoded message length too large: found 65617 bytes, the limit is: 65536 bytes
        head: Unknown - - | grpc-status header missing, mapped from HTTP status code 431",
    );
    house.caller.record(token(&landed), lead()).await.expect("others are served");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_conversion_is_refused_with_its_field_and_what_would_be_right() {
    let house = House::on(Engine::Embedded).await;
    let (ps, ts, ac) = (
        house.issue(Network::Powerspace),
        house.issue(Network::Trafficstars),
        house.issue(Network::Altercpa),
    );
    let ps = house.land("powerspace", &format!("clickId={ps}")).await;
    let ts = house.land("trafficstars", &format!("tracking_param={ts}")).await;
    let ac = house.land("altercpa", &format!("click={ac}")).await;
    let (ps, ts, ac) = (|| token(&ps), || token(&ts), || token(&ac));
    let long = "x".repeat(300);
    let tomorrow = Timestamp { seconds: 4_102_444_800, nanos: 0 };

    let table: Vec<(&str, Source, ConversionDetails)> = vec![
        ("no source", Source::default(), lead()),
        ("an empty token", token(""), lead()),
        ("a made-up token", token("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), lead()),
        ("a token with a space", token("a b"), lead()),
        ("an unknown account", click("nobody", "abc"), lead()),
        ("an account in capitals", click("Powerspace", "abc"), lead()),
        ("a click never seen", click("powerspace", "never-seen"), lead()),
        ("an empty click id", click("powerspace", ""), lead()),
        ("a click id with a line break", click("powerspace", "a\nb"), lead()),
        ("an unknown user", user("nobody"), lead()),
        ("an empty user", user(""), lead()),
        ("a flow without an id", flow("altercpa", None), lead()),
        ("a flow that is no number", flow("altercpa", Some(flow_source::Flow::Id("12a".into()))), lead()),
        ("a flow at Powerspace", flow("powerspace", Some(flow_source::Flow::Id("1234".into()))), lead()),
        ("no kind", ps(), ConversionDetails::default()),
        ("an unknown kind", ps(), ConversionDetails { kind: 9, ..lead() }),
        ("a goal without a name", ac(), details(Kind::Goal)),
        ("a goal at Powerspace", ps(), ConversionDetails { goal: "deposit".into(), ..details(Kind::Goal) }),
        ("a goal in the path form", ts(), ConversionDetails { goal: "1".into(), ..details(Kind::Goal) }),
        ("a comma for a point", ps(), valued(Kind::Order, "2,9", "EUR")),
        ("an empty amount", ps(), valued(Kind::Order, "", "EUR")),
        ("a negative amount", ps(), valued(Kind::Order, "-1", "EUR")),
        ("an exponent", ps(), valued(Kind::Order, "1e3", "EUR")),
        ("too large an amount", ps(), valued(Kind::Order, "1000000001", "EUR")),
        ("no currency", ps(), valued(Kind::Order, "1", "")),
        ("a currency in small letters", ps(), valued(Kind::Order, "1", "eur")),
        ("less than Traffic Stars takes", ts(), order("0.009")),
        ("more than Traffic Stars takes", ts(), order("200.01")),
        ("another currency than the account's", ts(), valued(Kind::Order, "1", "EUR")),
        (
            "shipping without a value",
            ps(),
            ConversionDetails { shipping: "1".into(), ..details(Kind::Order) },
        ),
        ("more shipping than value", ps(), ConversionDetails { shipping: "6".into(), ..order("5") }),
        ("shipping that is no decimal", ps(), ConversionDetails { shipping: "free".into(), ..order("5") }),
        ("too long a transaction id", ps(), ConversionDetails { transaction_id: long.clone(), ..lead() }),
        ("a status with a comma", ac(), ConversionDetails { status: "a,b".into(), ..lead() }),
        ("a lost lead at Powerspace", ps(), ConversionDetails { status: "cancelled".into(), ..lead() }),
        ("an unknown network field", ac(), field("colour", "red")),
        ("a network field at Powerspace", ps(), field("comment", "hello")),
        ("a commission that is no decimal", ac(), field("pp", "a lot")),
        (
            "a country of three letters",
            ac(),
            ConversionDetails {
                customer: Some(Customer { country: "FRA".into(), ..Customer::default() }),
                ..lead()
            },
        ),
        (
            "too long a name",
            ac(),
            ConversionDetails {
                customer: Some(Customer { name: long.clone(), ..Customer::default() }),
                ..lead()
            },
        ),
    ];
    let mut said = Vec::new();
    for (name, source, details) in table {
        said.push((name, seen(house.caller.record(source, details).await)));
    }
    let send = |request| house.caller.send(request);
    let whole =
        || RecordConversionRequest { source: Some(ps()), details: Some(lead()), ..Default::default() };
    said.push(("no details", seen(send(RecordConversionRequest { details: None, ..whole() }).await)));
    let request = RecordConversionRequest { request_id: "a b".into(), ..whole() };
    said.push(("a request id with a space", seen(send(request).await)));
    let request = RecordConversionRequest { occur_time: Some(tomorrow), ..whole() };
    said.push(("a time in the future", seen(send(request).await)));
    let request = RecordConversionRequest { occur_time: Some(Timestamp { seconds: 0, nanos: 0 }), ..whole() };
    let before = seen(send(request).await);
    let before = before.split(", which came at").next().unwrap_or_default().to_owned();
    said.push(("a time before the click", before));
    let request =
        RecordConversionRequest { occur_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }), ..whole() };
    said.push(("a time that is none", seen(send(request).await)));
    check(&said, include_str!("refusals/conversions.txt"));
    assert_eq!(house.stats("powerspace").await.conversions, 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_wrong_request_is_refused_as_clearly() {
    let house = House::on(Engine::Embedded).await;
    let caller = &house.caller;
    let (mut clicks, mut conversions) = (caller.clicks.clone(), caller.conversions.clone());
    let (mut deliveries, mut networks) = (caller.deliveries.clone(), caller.networks.clone());
    let nothing = "00000000-0000-7000-8000-000000000000".to_owned();
    let capture = |campaign: &str, query: &str, ip: &str| CaptureClickRequest {
        campaign: campaign.into(),
        query: query.into(),
        ip: ip.into(),
        ..CaptureClickRequest::default()
    };
    let change = |conversion, status: &str| ChangeConversionStatusRequest {
        conversion,
        status: status.into(),
        ..ChangeConversionStatusRequest::default()
    };
    let key = Named::Key(ConversionRef { source: Some(user("u")), ..ConversionRef::default() });
    let find = |campaign: &str, ip: &str| FindClicksRequest {
        campaign: campaign.into(),
        ip: ip.into(),
        ..FindClicksRequest::default()
    };
    let resolve = |resolution| ResolveDeliveryRequest {
        delivery_id: nothing.clone(),
        resolution,
        ..ResolveDeliveryRequest::default()
    };
    let replay = ReplayDeliveryRequest { delivery_id: nothing.clone(), update_time: None };
    let fetch = |account: &str, ip: &str| FetchNetworkClickRequest {
        account: account.into(),
        ip: ip.into(),
        ..FetchNetworkClickRequest::default()
    };
    let said = vec![
        ("an unknown campaign", seen(clicks.capture_click(capture("winter", "clickId=a", "")).await)),
        ("a landing without a click id", seen(clicks.capture_click(capture("powerspace", "a=1", "")).await)),
        (
            "a landing with its macro",
            seen(clicks.capture_click(capture("altercpa", "?click={click}", "")).await),
        ),
        (
            "a click id of the wrong form",
            seen(clicks.capture_click(capture("trafficstars", "tracking_param=zz", "")).await),
        ),
        (
            "an address that is none",
            seen(clicks.capture_click(capture("powerspace", "clickId=a", "1.2.3")).await),
        ),
        ("no click", seen(clicks.get_click(GetClickRequest::default()).await)),
        ("nobody to attach", seen(clicks.attach_user(AttachUserRequest::default()).await)),
        ("a campaign that keeps no index", seen(clicks.find_clicks(find("altercpa", "192.0.2.1")).await)),
        ("a search for no address", seen(clicks.find_clicks(find("powerspace", "here")).await)),
        ("nobody to forget", seen(clicks.erase(EraseRequest::default()).await)),
        ("a change of nothing", seen(conversions.change_conversion_status(change(None, "approved")).await)),
        (
            "a change of an unknown conversion",
            seen(
                conversions
                    .change_conversion_status(change(Some(Named::ConversionId(nothing.clone())), "approved"))
                    .await,
            ),
        ),
        (
            "a change by half a key",
            seen(conversions.change_conversion_status(change(Some(key), "approved")).await),
        ),
        (
            "an id that is no UUID",
            seen(conversions.get_conversion(GetConversionRequest { conversion_id: "17".into() }).await),
        ),
        (
            "an unknown conversion",
            seen(conversions.get_conversion(GetConversionRequest { conversion_id: nothing.clone() }).await),
        ),
        (
            "a page token that is none",
            seen(
                conversions
                    .list_conversions(ListConversionsRequest { page_token: "2".into(), ..Default::default() })
                    .await,
            ),
        ),
        (
            "a negative page",
            seen(
                conversions
                    .list_conversions(ListConversionsRequest { page_size: -1, ..Default::default() })
                    .await,
            ),
        ),
        (
            "a click without its account",
            seen(
                conversions
                    .list_conversions(ListConversionsRequest { click_id: "a".into(), ..Default::default() })
                    .await,
            ),
        ),
        (
            "a state that is none",
            seen(deliveries.list_deliveries(ListDeliveriesRequest { state: 9, ..Default::default() }).await),
        ),
        ("an empty delivery id", seen(deliveries.get_delivery(GetDeliveryRequest::default()).await)),
        (
            "an unknown delivery",
            seen(deliveries.get_delivery(GetDeliveryRequest { delivery_id: nothing.clone() }).await),
        ),
        ("a replay of nothing", seen(deliveries.replay_delivery(replay).await)),
        ("a decision without one", seen(deliveries.resolve_delivery(resolve(0)).await)),
        ("a decision on nothing", seen(deliveries.resolve_delivery(resolve(1)).await)),
        (
            "a pause of nobody",
            seen(
                deliveries
                    .pause_account(PauseAccountRequest { account: "nobody".into(), reason: String::new() })
                    .await,
            ),
        ),
        (
            "a look-up at a network without",
            seen(networks.fetch_network_click(fetch("powerspace", "192.0.2.1")).await),
        ),
        ("a look-up of no address", seen(networks.fetch_network_click(fetch("altercpa", "")).await)),
        (
            "an unknown flow",
            seen(
                networks
                    .get_flow(GetFlowRequest {
                        account: "altercpa".into(),
                        by: Some(get_flow_request::By::FlowId("999999".into())),
                    })
                    .await,
            ),
        ),
        (
            "a negative offer",
            seen(
                networks
                    .get_offer(GetOfferRequest {
                        account: "altercpa".into(),
                        by: Some(get_offer_request::By::OfferId(-1)),
                    })
                    .await,
            ),
        ),
    ];
    check(&said, include_str!("refusals/requests.txt"));
    house.end().await;
}

/// A config that is right but for what `wrong` does to it; `%A` names a caller, by the hash `%H`.
fn config(wrong: &str) -> String {
    let caller = "[access.tokens.billing]\nscopes = [\"report\"]\nsha256 = [\"%H\"]\n";
    let wrong = &wrong.replace("%A", caller).replace("%H", &"0a".repeat(32));
    let key = Key::new(1, [7; 32]).reveal();
    let base = format!("[key]\ncurrent = \"{key}\"\n[accounts.ps]\nnetwork = \"powerspace\"\n");
    match wrong.split_once(" => ") {
        Some((from, to)) => base.replace(from, to),
        None => format!("{base}{wrong}"),
    }
}

#[test]
fn a_wrong_config_is_told_line_by_line() {
    let table = [
        ("no key at all", "current = \"1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\" => "),
        ("a key that is none", "1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc => secret"),
        (
            "two keys of one number",
            "[accounts.ps] => older = [\"1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"]\n[accounts.ps]",
        ),
        ("a section that is none", "[edges]\nlisten = \"127.0.0.1:1\""),
        ("a setting that is none", "[edge]\nlisen = \"127.0.0.1:1\""),
        ("two wrong settings", "[store]\nengine = \"sqlite\"\npaths = \"x\""),
        ("an address that is none", "[edge]\nlisten = \"localhost\""),
        ("a word for a number", "[edge]\nbuffered_clicks = \"many\""),
        ("a number below 0", "[store]\nretention_days = -1"),
        ("text for a list", "[store]\nengine = \"redis\"\nredis = \"redis://a\""),
        ("a URL without a scheme", "[edge]\npublic_url = \"click.example\""),
        ("a cookie's domain with a scheme", "[edge]\ncookie_domain = \"https://shop.example\""),
        (
            "an older key that is none",
            "[accounts.ps] => older = [\"2:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\", \"secret\"]\n[accounts.ps]",
        ),
        ("TOML that is none", "[edge"),
        ("a collector that is none", "[traces]\notlp = \"localhost:4317\""),
        ("a webhook that is none", "[alerts]\nwebhook = \"alerts.example\""),
        ("a webhook with a space behind it", "[alerts]\nwebhook = \"https://alerts.example/postback \""),
        ("a webhook with a host beyond ASCII", "[alerts]\nwebhook = \"https://m\u{fc}nchen.example/\""),
        ("a log's filter that is none", "[log]\nfilter = \"info,postback=loud\""),
        ("an edge at a fragment", "[edge]\npublic_url = \"https://click.example/#x\""),
        ("a secret without a webhook", "[alerts]\nsecret = \"sixteen bytes or more\""),
        ("a secret that is short", "[alerts]\nwebhook = \"https://alerts.example\"\nsecret = \"short\""),
        ("a setting twice", "[edge]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\""),
        ("Redis without a server", "[store]\nengine = \"redis\""),
        ("a Redis URL that is none", "[store]\nengine = \"redis\"\nredis = [\"localhost\"]"),
        ("a Redis database that is none", "[store]\nengine = \"redis\"\nredis = [\"redis://a/hunter2\"]"),
        ("a Redis with an option", "[store]\nengine = \"redis\"\nredis = [\"rediss://a#insecure\"]"),
        ("two servers and no cluster", "[store]\nengine = \"redis\"\nredis = [\"redis://a\", \"redis://b\"]"),
        ("Redis settings for the embedded store", "[store]\nredis = [\"redis://a\"]"),
        ("too short a retention", "[store]\nretention_days = 7"),
        ("gRPC open to everyone", "[api]\nlisten = \"0.0.0.0:50051\""),
        ("the console open to everyone", "[console]\nlisten = \"[::]:9090\""),
        ("gRPC with tokens in the clear", "%A[api]\nlisten = \"0.0.0.0:50051\""),
        ("the console with tokens in the clear", "%A[console]\nlisten = \"0.0.0.0:9090\""),
        (
            "TLS here and in front",
            "%A[api]\ntls_in_front = true\ntls = { certificate = \"/nowhere\", key = \"/nowhere\" }",
        ),
        (
            "a certificate that is not there",
            "[api]\ntls = { certificate = \"/nowhere\", key = \"/nowhere\" }",
        ),
        ("TLS without a key", "[api.tls]\ncertificate = \"/nowhere\""),
        (
            "clients' certificates that nobody holds",
            "[api.tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\nclients = \"/nowhere\"",
        ),
        (
            "visitors' certificates",
            "[edge.tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\nclients = \"/nowhere\"",
        ),
        (
            "a token in place of its hash",
            "[access.tokens.a]\nscopes = [\"read\"]\nsha256 = [\"pbt_hunter2\"]",
        ),
        ("a scope that is none", "[access.tokens.a]\nscopes = [\"write\"]\nsha256 = []"),
        (
            "certificates that no listener asks for",
            "[access.certificates.\"a.internal\"]\nscopes = [\"read\"]",
        ),
        ("a caller that may nothing", "[access.certificates.\"a.internal\"]\nscopes = []"),
        ("a token without a hash", "[access.tokens.a]\nscopes = [\"read\"]\nsha256 = []"),
        ("a caller's name in capitals", "%A[access.tokens.A]\nscopes = [\"read\"]\nsha256 = [\"%H\"]"),
        ("one token for two", "%A[access.tokens.b]\nscopes = [\"read\"]\nsha256 = [\"%H\"]"),
        ("access of another kind", "[access.passwords.a]\nscopes = [\"read\"]"),
        ("a deadline of an hour", "[edge]\ncapture_deadline_ms = 3600000"),
        ("a cookie name with a space", "[edge]\ncookie = \"a b\""),
        ("a proxy that is none", "[edge]\ntrusted_proxies = [\"10.0.0.0/99\"]"),
        ("a referrer policy that is none", "[edge]\nreferrer_policy = \"never\""),
        ("a lease shorter than an attempt", "[dispatch]\nlease_ms = 5000"),
        ("a lease of a week", "[dispatch]\nlease_ms = 604800000"),
        ("an account without a network", "network = \"powerspace\" => concurrency = 3"),
        ("a network that is none", "\"powerspace\" => \"powerspce\""),
        ("an account's name in capitals", "[accounts.ps] => [accounts.PS]"),
        ("a setting of another network", "[accounts.ps] => [accounts.ps]\ntoken = \"hunter2\""),
        ("no calls at once", "[accounts.ps] => [accounts.ps]\nconcurrency = 0"),
        ("too many calls at once", "[accounts.ps] => [accounts.ps]\nconcurrency = 10001"),
        ("an address over http", "[accounts.ps] => [accounts.ps]\nbase_url = \"http://a.pwspace.com\""),
        ("Traffic Stars without a currency", "\"powerspace\" => \"trafficstars\""),
        ("AlterCPA without an address", "\"powerspace\" => \"altercpa\"\ntoken = \"1-hunter2\""),
        (
            "a campaign of no account",
            "[campaigns.spring]\naccount = \"nobody\"\nlanding = \"https://a.example/\"",
        ),
        ("a campaign without a landing", "[campaigns.spring]\naccount = \"ps\""),
        (
            "a macro in the landing's host",
            "[campaigns.spring]\naccount = \"ps\"\nlanding = \"https://{click_id}.example/\"",
        ),
        (
            "an unknown macro",
            "[campaigns.spring]\naccount = \"ps\"\nlanding = \"https://a.example/?a={clickid}\"",
        ),
        ("a landing over ftp", "[campaigns.spring]\naccount = \"ps\"\nlanding = \"ftp://a.example/\""),
        ("a key in a file that is not there", "[accounts.ps] => older_file = \"/nowhere\"\n[accounts.ps]"),
        (
            "a campaign's name with a slash",
            "[campaigns.\"a/b\"]\naccount = \"ps\"\nlanding = \"https://a.example/\"",
        ),
    ];
    let said: Vec<(&str, String)> = table
        .iter()
        .map(|(name, wrong)| {
            let problems = Config::read(&config(wrong), std::iter::empty()).expect_err(name);
            (*name, problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" // "))
        })
        .collect();
    assert!(
        said.iter().all(|(_, said)| !said.contains("hunter2") && !said.contains("BwcHBwc")),
        "a secret is shown"
    );
    check(&said, include_str!("refusals/configs.txt"));
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    let said = |name: &str, value: &str| {
        let env = [(name.to_owned(), value.to_owned())];
        let problems = Config::read(&config(""), env.into_iter()).expect_err(name);
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" // ")
    };
    let said = [
        ("a port that is none", said("POSTBACK_EDGE__LISTEN", "8080")),
        ("a number that is none", said("POSTBACK_DISPATCH__POLL_MS", "often")),
        ("a word for true or false", said("POSTBACK_API__TLS_IN_FRONT", "yes")),
        ("a setting that is none", said("POSTBACK_EDGE__PORT", "8080")),
        ("a section that is none", said("POSTBACK_TOKENS", "hunter2")),
        ("an account without a network", said("POSTBACK_ACCOUNTS__TS__KEY", "hunter2")),
    ];
    assert!(said.iter().all(|(_, said)| !said.contains("hunter2")), "a secret is shown");
    check(&said, include_str!("refusals/variables.txt"));
}

#[test]
fn a_list_can_be_read_from_a_file_and_from_a_file_that_a_variable_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("older");
    let older = [2, 3].map(|number| Key::new(number, [number; 32]).reveal());
    std::fs::write(&file, format!("{}\n{}\n", older[0], older[1])).unwrap();
    let path = file.to_str().unwrap();
    let written = config(&format!("[accounts.ps] => older_file = '{path}'\n[accounts.ps]"));
    let named = [("POSTBACK_KEY__OLDER_FILE".to_owned(), path.to_owned())];
    for read in [Config::read(&written, std::iter::empty()), Config::read(&config(""), named.into_iter())] {
        let shown = format!("{:?}", read.expect("right"));
        assert!(shown.contains("keys: [Key(1), Key(2), Key(3)]"), "{shown}");
    }
}

#[test]
fn what_serve_would_refuse_is_told_by_check() {
    let campaign =
        "[campaigns.spring]\naccount = \"ps\"\nlanding = \"https://a.example/\"\nparameter = \"a b\"";
    let problems = Config::read(&config(campaign), std::iter::empty()).expect_err("a name with a space");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["campaigns.spring.parameter: is not 1 to 64 bytes without spaces and control characters"]
    );
}

#[test]
fn a_variable_sets_a_setting_of_any_type() {
    let env = [
        ("POSTBACK_EDGE__LISTEN", "127.0.0.1:18080"),
        ("POSTBACK_DISPATCH__POLL_MS", "500"),
        ("POSTBACK_EDGE__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("POSTBACK_ACCOUNTS__PS__CONCURRENCY", "3"),
        ("POSTBACK_CONFIG", "ignored.toml"),
        ("PATH", "/bin"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::read(&config(""), env.into_iter()).expect("right");
    let shown = format!("{config:?}");
    for word in ["127.0.0.1:18080", "poll_ms: 500", "10.0.0.0/8", "concurrency: 3"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
}
