//! The console: what it shows to whom, what it lets them do, and a person at a real browser before it.

use std::{path::PathBuf, process::Command};

use http::{Method, StatusCode};
use postback_access::TokenHash;
use postback_core::Accounts;
use postback_hub::Registry;
use postback_proto::v1::{
    AttachUserRequest, ChangeConversionStatusRequest, ConversionDetails, NetworkClick,
    RecordConversionResponse, attach_user_request, change_conversion_status_request::Conversion as Named,
};
use postback_sandbox::{FaultKind, Network};
use postback_tests::{Answer, Engine, House, Visitor, details, lead, order, token};

/// Markup that would do harm were it not shown as text.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// A person's browser before the console.
struct Person {
    browser: Visitor,
    cookie: String,
}

impl Person {
    fn before(house: &House) -> Self {
        Self { browser: Visitor::of(house.console), cookie: String::new() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.browser.ask(Method::GET, path, &[("cookie", &self.cookie)], "").await
    }

    /// A page that must be there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, path: &str, site: &str, body: &str) -> Answer {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", site),
        ];
        self.browser.ask(Method::POST, path, &headers, body).await
    }

    /// Opens a page with a form, and sends it as its button does.
    async fn confirm(&self, path: &str, more: &str) -> Answer {
        let page = self.page(path).await;
        self.post(path, "same-origin", &format!("{}&{more}", fields(&page))).await
    }
}

/// The word that a page's form carries.
fn word(page: &str) -> &str {
    let (_, after) = page.split_once("name=\"form\" value=\"").expect("a form");
    after.split_once('"').expect("a value").0
}

/// What a page's form says again when its button is pressed.
fn fields(page: &str) -> String {
    let (_, form) = page.split_once("class=\"stack\">").expect("a form");
    let hidden = form.split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = hidden.map(|field| {
        let (name, value) = field.split_once("\" value=\"").expect("a value");
        (name, value.split_once('"').expect("its end").0)
    });
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn record(house: &House, network: Network, details: ConversionDetails) -> RecordConversionResponse {
    let landed = house.landed_with(network, "&utm_source=newsletter").await;
    house.caller.record(token(&landed), details).await.expect("the conversion is taken")
}

/// Leads at Powerspace that stand in doubt, and some that died.
async fn troubled(house: &House, in_doubt: u32, dead: u32) {
    house.inject(Network::Powerspace, FaultKind::DropAfter, in_doubt);
    for _ in 0..in_doubt {
        record(house, Network::Powerspace, lead()).await;
    }
    house.until("powerspace", |stats| stats.in_doubt == u64::from(in_doubt)).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, dead);
    for _ in 0..dead {
        record(house, Network::Powerspace, lead()).await;
    }
    house.until("powerspace", |stats| stats.dead == u64::from(dead)).await;
}

const PAGES: [&str; 17] = [
    "/",
    "/?range=hour",
    "/?range=week",
    "/accounts/powerspace",
    "/accounts/powerspace?time=today",
    "/accounts/powerspace/pause",
    "/clicks",
    "/clicks?q=powerspace&by=campaign",
    "/conversions",
    "/deliveries",
    "/deliveries?state=dead&changed=24",
    "/replay?account=powerspace",
    "/campaigns",
    "/campaigns/powerspace",
    "/render",
    "/live",
    "/trail",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_and_loads_nothing_from_elsewhere() {
    let house = House::on(Engine::Embedded).await;
    troubled(&house, 1, 1).await;
    let person = Person::before(&house);
    for path in PAGES {
        let answer = person.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let page = answer.body;
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert!(page.contains("<main id=\"main\"") && page.contains("aria-current=\"page\""), "{path}");
        for own in ["style=", "onclick=", "onload=", "src=\"http", "href=\"http", "javascript:"] {
            assert!(!page.contains(own), "{path} has {own}");
        }
    }
    for file in ["/console.css", "/console.js", "/console.svg"] {
        assert!(!person.page(file).await.is_empty());
    }
    assert_eq!(person.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(person.get("/accounts/nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(person.get("/deliveries?state=lost").await.status, StatusCode::BAD_REQUEST);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_visitors_and_networks_say_is_shown_as_text() {
    let house = House::on(Engine::Embedded).await;
    let hostile = encoded(HOSTILE);
    let landed =
        house.landed_with(Network::Powerspace, &format!("&utm_source={hostile}&{hostile}={hostile}")).await;
    let click = attach_user_request::Click::ClickToken(landed.clone());
    let attach = AttachUserRequest { user_id: HOSTILE.to_owned(), click: Some(click) };
    house.caller.clicks.clone().attach_user(attach).await.expect("the user is attached");
    house.inject(Network::Powerspace, FaultKind::Answer(HOSTILE.to_owned()), 1);
    let lead = ConversionDetails { transaction_id: HOSTILE.to_owned(), ..lead() };
    let recorded = house.caller.record(postback_tests::user(HOSTILE), lead).await.expect("the lead is taken");
    house.quiet("powerspace").await;

    let person = Person::before(&house);
    person.confirm("/accounts/powerspace/pause", &format!("why={hostile}")).await;
    let pages = [
        format!("/conversions/{}", recorded.conversion_id),
        format!("/deliveries/{}", recorded.delivery_id),
        format!("/deliveries?reason={hostile}"),
        format!("/clicks?q={hostile}&by=user"),
        format!("/render?source={landed}&transaction={hostile}"),
        format!("/campaigns/powerspace?landing={hostile}"),
        "/conversions".to_owned(),
        "/clicks?q=powerspace&by=campaign".to_owned(),
        "/accounts/powerspace".to_owned(),
        "/live".to_owned(),
        "/trail".to_owned(),
        "/".to_owned(),
    ];
    for path in pages {
        let page = person.page(&path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}: {page}");
        assert!(page.contains("alert(1)"), "{path} shows it");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_from_the_consoles_own_pages_alone() {
    let house = House::on(Engine::Embedded).await;
    let person = Person::before(&house);
    let path = "/accounts/powerspace/pause";
    let page = person.page(path).await;
    let right = format!("form={}&why=lunch", word(&page));
    for (site, body) in [
        ("cross-site", right.as_str()),
        ("same-site", &right),
        ("none", &right),
        ("same-origin", "why=lunch"),
        ("same-origin", "form=&why=lunch"),
        ("same-origin", "form=0123&why=lunch"),
    ] {
        assert_eq!(person.post(path, site, body).await.status, StatusCode::FORBIDDEN, "{site} {body}");
    }
    let no_word = person.browser.ask(Method::POST, path, &[], &right).await;
    assert_eq!(no_word.status, StatusCode::FORBIDDEN, "a browser says where a form comes from");
    assert!(person.page("/").await.contains("at work"), "nothing was paused");
    assert_eq!(person.post(path, "same-origin", &right).await.status, StatusCode::SEE_OTHER);
    assert!(person.page("/").await.contains("paused now, lunch"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_asked_only_an_address_of_this_machine_is_answered() {
    let house = House::on(Engine::Embedded).await;
    let browser = Visitor::of(house.console);
    let rebound = browser.ask(Method::GET, "/", &[("host", "evil.example")], "").await;
    assert_eq!(rebound.status, StatusCode::MISDIRECTED_REQUEST);
    let probe = browser.ask(Method::GET, "/readyz", &[("host", "hub.internal")], "").await;
    assert_eq!(probe.status, StatusCode::OK, "a probe may use any name");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clicks_say_why_the_network_shows_fewer() {
    let house = House::on(Engine::Embedded).await;
    for _ in 0..5 {
        record(&house, Network::Powerspace, lead()).await;
    }
    house.until("powerspace", |stats| stats.delivered == 5).await;
    troubled(&house, 2, 3).await;
    house.visitor.get("/c/powerspace?clickId=").await;
    house.visitor.get("/c/powerspace?clickId={click_id}").await;
    let person = Person::before(&house);
    let overview = person.page("/").await;
    assert!(overview.contains("powerspace: 2 in doubt") && overview.contains("powerspace: 3 dead letters"));
    for time in ["", "today"] {
        let account = person.page(&format!("/accounts/powerspace?time={time}")).await;
        let funnel = account.split_once("class=\"funnel\"").unwrap().1.split_once("</dl>").unwrap().0;
        let numbers: Vec<&str> =
            funnel.split("\">").filter_map(|part| part.split_once("</a>")).map(|it| it.0).collect();
        assert_eq!(numbers, ["10", "0", "5", "0", "0", "2", "3"], "{time}");
        assert!(account.contains("<code>expired_click</code>"));
        assert!(account.contains("1: the click id was empty"));
        assert!(account.contains("1: the network did not replace its macro"));
    }
    let dead = person.page("/deliveries?account=powerspace&state=dead&reason=expired_click").await;
    assert!(dead.contains("3 on this page"), "{dead}");
    let conversions = person.page("/conversions?account=powerspace&state=in_doubt&kind=lead").await;
    assert!(conversions.contains("2 on this page"), "{conversions}");
    let losses = person.page("/clicks").await;
    assert!(
        losses.contains("<code>macro</code>") && losses.contains("paste the campaign&#39;s link again"),
        "{losses}"
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_decided_one_by_one_and_in_bulk_and_the_trail_says_by_whom() {
    let house = House::on(Engine::Embedded).await;
    troubled(&house, 3, 3).await;
    let person = Person::before(&house);
    let list = person.page("/deliveries?state=in_doubt").await;
    let story = list.split_once("href=\"/conversions/").unwrap().1.split_once('"').unwrap().0.to_owned();
    let delivery = story.split_once("#d-").unwrap().1;
    let path = format!("/deliveries/{delivery}/resend");
    let old = fields(&person.page(&path).await).replace("update_time=20", "update_time=19");
    let changed = person.post(&path, "same-origin", &old).await;
    assert!(
        changed.status == StatusCode::CONFLICT && changed.body.contains("look again"),
        "{}",
        changed.body
    );
    let decided = person.confirm(&format!("/deliveries/{delivery}/delivered"), "").await;
    assert_eq!(decided.status, StatusCode::SEE_OTHER);
    let after = person.page(decided.header("location").unwrap().split('#').next().unwrap()).await;
    assert!(
        after.contains("One delivery is marked delivered.")
            && after.contains("Nothing more: a person said that the network has it.")
    );
    let again = person.page(&format!("/deliveries/{delivery}/resend")).await;
    assert!(again.contains("There is nothing to decide: the delivery is delivered by now."));

    let preview = person.page("/replay?account=powerspace&reason=expired_click").await;
    assert!(preview.contains("Replay 3</button>"), "{preview}");
    assert_eq!(house.stats("powerspace").await.dead, 3, "a preview changes nothing");
    let replayed = person.confirm("/replay?account=powerspace&reason=expired_click", "").await;
    assert_eq!(replayed.status, StatusCode::SEE_OTHER, "{}", replayed.body);
    house.until("powerspace", |stats| stats.delivered == 4 && stats.dead == 0).await;
    let preview = person.page("/resolve/resend?account=powerspace").await;
    assert!(preview.contains("Send again 2</button>"), "{preview}");
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    record(&house, Network::Powerspace, lead()).await;
    house.until("powerspace", |stats| stats.in_doubt == 3).await;
    let resent = person.post("/resolve/resend", "same-origin", &fields(&preview)).await;
    let after = person.page(resent.header("location").unwrap()).await;
    assert!(after.contains("2 deliveries are to be sent again."), "{after}");
    house.until("powerspace", |stats| stats.delivered == 6 && stats.in_doubt == 1).await;

    person.confirm("/accounts/powerspace/pause", "why=lunch").await;
    person.confirm("/accounts/powerspace/resume", "").await;
    let trail = person.page("/trail").await;
    for deed in [
        "marked delivered",
        "replayed dead letters",
        "sent again what was in doubt",
        "paused",
        "resumed",
        "lunch",
    ] {
        assert!(trail.contains(deed), "{deed}: {trail}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_doubt_or_for_its_account_says_so_wherever_it_is_shown() {
    let house = House::on(Engine::Embedded).await;
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    let landed = house.landed(Network::Powerspace).await;
    house.caller.record(token(&landed), lead()).await.unwrap();
    house.until("powerspace", |stats| stats.in_doubt == 1).await;
    let held = house.caller.record(token(&landed), order("5")).await.unwrap();
    let person = Person::before(&house);
    let behind = "It waits behind a delivery of the same click that is in doubt";
    for path in [format!("/deliveries/{}", held.delivery_id), format!("/conversions/{}", held.conversion_id)]
    {
        assert!(person.page(&path).await.contains(behind), "{path}");
    }
    for path in ["/accounts/powerspace", "/accounts/powerspace?time=today"] {
        let page = person.page(path).await;
        let (_, why) = page.split_once("Why the network lacks the rest").unwrap();
        let (why, _) = why.split_once("</table>").unwrap();
        assert!(why.contains("behind_in_doubt") && why.contains("connection_lost"), "{path}: {why}");
    }
    house.hub.replace(Registry::new(Accounts::default(), Vec::new()).unwrap());
    let page = person.page(&format!("/deliveries/{}", held.delivery_id)).await;
    assert!(page.contains("Nothing is sent: the account is not in the config"), "{page}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_dies_again_is_counted_once_as_its_list_shows_it() {
    let house = House::on(Engine::Embedded).await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, 2);
    let dead = record(&house, Network::Powerspace, lead()).await.delivery_id;
    house.until("powerspace", |stats| stats.dead == 1).await;
    house.hub.replay(dead.parse().unwrap(), None, &"ann".parse().unwrap()).await.unwrap();
    house.until("powerspace", |stats| stats.dead == 1).await;
    let page = Person::before(&house).page("/").await;
    assert!(page.contains("powerspace: 1 dead letter since yesterday"), "{page}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pause_says_that_the_first_reason_stays() {
    let house = House::on(Engine::Embedded).await;
    let person = Person::before(&house);
    let path = "/accounts/powerspace/pause";
    let form = fields(&person.page(path).await);
    for (why, said) in [
        ("lunch", "The account is paused."),
        ("tea", "The account was paused before, and the first reason stays."),
    ] {
        let paused = person.post(path, "same-origin", &format!("{form}&why={why}")).await;
        let page = person.page(paused.header("location").unwrap()).await;
        assert!(page.contains(said) && page.contains("lunch") && !page.contains("tea"), "{page}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_of_many_changes_is_listed_by_where_its_own_delivery_stands() {
    let house = House::on(Engine::Embedded).await;
    house.hub.pause(&"altercpa".parse().unwrap(), "", &"ann".parse().unwrap()).await.unwrap();
    let recorded = record(&house, Network::Altercpa, lead()).await;
    for _ in 0..50 {
        let change = ChangeConversionStatusRequest {
            conversion: Some(Named::ConversionId(recorded.conversion_id.clone())),
            status: "approved".into(),
            ..ChangeConversionStatusRequest::default()
        };
        house.caller.change(change).await.unwrap();
    }
    let list = Person::before(&house).page("/conversions?account=altercpa&state=pending").await;
    assert!(list.contains(&format!("/conversions/{}", recorded.conversion_id)), "{list}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_is_found_by_whatever_a_person_has_of_it() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.land("powerspace", &format!("clickId={id}")).await;
    let click = attach_user_request::Click::NetworkClick(NetworkClick {
        account: "powerspace".into(),
        click_id: id.clone(),
    });
    let attach = AttachUserRequest { user_id: "user-7".into(), click: Some(click) };
    house.caller.clicks.clone().attach_user(attach).await.expect("the user is attached");
    let person = Person::before(&house);
    let campaigns = person.page("/campaigns").await;
    assert!(campaigns.contains(">1</a>"), "counting writes down what was seen: {campaigns}");
    for asked in [id.as_str(), &landed, "user-7", "127.0.0.1", "powerspace"] {
        let found = person.page(&format!("/clicks?q={asked}")).await;
        assert!(found.contains("1 click ") && found.contains(&format!("id={id}")), "{asked}: {found}");
    }
    let found = person.page("/clicks?q=nothing-of-the-kind").await;
    assert!(found.contains("No click was found."));
    let click = person.page(&format!("/click?account=powerspace&id={id}")).await;
    assert!(click.contains(&landed) && click.contains("127.0.0.0/24"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_built_a_landing_tried_and_a_call_rendered_and_nothing_is_stored() {
    let house = House::on(Engine::Embedded).await;
    let person = Person::before(&house);
    let link = person.page("/campaigns/trafficstars").await;
    assert!(
        link.contains("value=\"https://click.example/c/trafficstars?tracking_param={click_id}\""),
        "{link}"
    );
    let id = house.issue(Network::Powerspace);
    let landing = encoded(&format!("https://click.example/c/powerspace?clickId={id}&utm_source=x"));
    let tried = person.page(&format!("/campaigns/powerspace?landing={landing}")).await;
    assert!(tried.contains("would capture this click") && tried.contains("https://shop.example/?token="));
    let lost = person.page("/campaigns/powerspace?landing=clickId%3D%7Bclick_id%7D").await;
    assert!(lost.contains("is a macro that the network did not replace"));
    let landed = house.landed(Network::Trafficstars).await;
    let call = person.page(&format!("/render?source={landed}&kind=order&value=2.5&currency=USD")).await;
    assert!(call.contains("value=2.5") && call.contains("key=***"), "{call}");
    let refused = person.page(&format!("/render?source={landed}&kind=order&value=x&currency=USD")).await;
    assert!(refused.contains("It would be refused:"));
    assert_eq!(house.stats("trafficstars").await.conversions, 0);
    let clicks = person.page(&format!("/clicks?q={id}&by=click")).await;
    assert!(clicks.contains("No click was found."), "trying a landing captures none");
    house.end().await;
}

/// Fills the hub as a bad night would.
async fn night(house: &House) {
    for n in 0..25 {
        record(house, Network::Powerspace, if n % 3 == 0 { order("19.90") } else { lead() }).await;
        record(house, Network::Trafficstars, order("4.5")).await;
        record(house, Network::Altercpa, lead()).await;
    }
    for account in ["powerspace", "trafficstars", "altercpa"] {
        house.quiet(account).await;
    }
    troubled(house, 4, 7).await;
    for lost in ["", "clickId=", "clickId={click_id}", "clickId={click_id}&utm_source=a"] {
        house.visitor.get(&format!("/c/powerspace?{lost}")).await;
    }
    house.inject(Network::Trafficstars, FaultKind::Status { code: 503, retry_after: None }, 3);
    for _ in 0..3 {
        record(house, Network::Trafficstars, details(postback_proto::v1::Kind::Lead)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_browser_finds_and_mends_what_went_wrong() {
    let house = House::on(Engine::Embedded).await;
    night(&house).await;
    let id = house.issue(Network::Powerspace);
    house.land("powerspace", &format!("clickId={id}&utm_source=newsletter")).await;
    walk("walk.mjs", &house, &[&id]).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_browser_learns_in_three_clicks_where_36_conversions_went() {
    let house = House::on(Engine::Embedded).await;
    postback_tests::night::night(&house).await;
    walk("night.mjs", &house, &[]).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_browser_signs_in_with_a_token_and_acts_under_its_name() {
    let (reader, operator) = ("pbt_reader", "pbt_operator");
    let [ann, bob] = [reader, operator].map(TokenHash::of);
    let access = format!(
        r#"
        [access.tokens.ann]
        scopes = ["read"]
        sha256 = ["{ann}"]
        [access.tokens.bob]
        scopes = ["operate"]
        sha256 = ["{bob}"]
        "#
    );
    let house = House::with(Engine::Embedded, &access).await;
    walk("sign_in.mjs", &house, &[reader, operator]).await;
    house.end().await;
}

/// Lets a browser do what the script says, before the house's console.
async fn walk(script: &str, house: &House, more: &[&str]) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut node = Command::new("node");
    node.arg(root.join("tests/console").join(script));
    node.arg(format!("http://{}", house.console)).arg(root.join("target/console")).args(more);
    let output = tokio::task::spawn_blocking(move || node.output()).await.expect("the task ends");
    let output = output.expect("node is there; `sh tests/run.sh` installs it");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
}
