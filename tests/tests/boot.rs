//! A hub whose Redis is not there when it starts, or would lose what it is given.

use std::{net::SocketAddr, path::Path};

use http::StatusCode;
use postback_core::Key;
use postback_proto::v1::{GetClickRequest, NetworkClick, get_click_request};
use postback_redis_link::testing::RedisServer;
use postback_tests::{Caller, Postback, Started, Visitor, lead, token, until};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt;

/// A hub in a process of its own, and who asks it.
struct Hub {
    process: Started,
    visitor: Visitor,
    console: Visitor,
    caller: Caller,
}

fn program(folder: &Path, redis: &RedisServer) -> Postback {
    let (key, redis) = (Key::new(1, [7; 32]).reveal(), redis.url());
    let config = format!(
        r#"
        key.current = "{key}"
        store = {{ engine = "redis", redis = ["{redis}"] }}
        edge.listen = "127.0.0.1:0"
        api.listen = "127.0.0.1:0"
        console.listen = "127.0.0.1:0"
        log.format = "json"
        accounts.ps = {{ network = "powerspace", base_url = "http://127.0.0.1:9" }}
        campaigns.spring = {{ account = "ps", landing = "https://shop.example/?token={{click_token}}" }}
        "#
    );
    let file = folder.join("postback.toml");
    std::fs::write(&file, config).expect("a config");
    Postback::with(&["serve", "--config", file.to_str().expect("a path")])
}

impl Hub {
    async fn of(program: Postback) -> Self {
        let mut process = program.start();
        let listens = |process: &mut Started, part| -> SocketAddr { process.listens(part) };
        let (edge, api) = (listens(&mut process, "edge"), listens(&mut process, "api"));
        let console = listens(&mut process, "console");
        Self {
            process,
            visitor: Visitor::of(edge),
            console: Visitor::of(console),
            caller: Caller::of(&format!("http://{api}")),
        }
    }

    /// A visitor is sent on, with a token.
    async fn land(&self, click: &str) -> String {
        let answer = self.visitor.get(&format!("/c/spring?clickId={click}")).await;
        assert_eq!(answer.status, StatusCode::FOUND);
        answer.token().expect("a token")
    }

    /// Why a lead is refused.
    async fn refusal(&self, landed: &str) -> (Code, String) {
        let refused = self.caller.record(token(landed), lead()).await.expect_err("nothing is taken in");
        let reason = refused.get_error_details().error_info().map(|info| info.reason.clone());
        (refused.code(), reason.unwrap_or_default())
    }

    /// Live, and not ready for this reason.
    async fn is_not_ready(&self, why: &str) {
        assert_eq!(self.console.get("/livez").await.status, StatusCode::OK);
        let ready = self.console.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(ready.body.contains(why), "{}", ready.body);
    }

    async fn comes_to_be_ready(&self) {
        let ready = || async { (self.console.get("/readyz").await.status == StatusCode::OK).then_some(()) };
        until("ready", ready).await;
    }

    fn end(mut self) {
        self.process.signal("-TERM");
        self.process.until(&["stopped"]);
        assert!(self.process.ended().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_without_its_redis_and_goes_on_by_itself_when_it_comes() {
    let (folder, mut redis) = (tempfile::tempdir().unwrap(), RedisServer::start());
    redis.kill();
    let mut hub = Hub::of(program(folder.path(), &redis)).await;
    let landed = hub.land("abc123xyz789").await;
    hub.land("def123xyz789").await;
    assert_eq!(hub.refusal(&landed).await, (Code::Unavailable, "STORE_UNAVAILABLE".into()));
    hub.is_not_ready("redis cannot be reached").await;

    redis.restart();
    hub.comes_to_be_ready().await;
    let promise = hub.process.until(&["what an acknowledged conversion can count on"]);
    assert!(promise["promise"].as_str().unwrap().contains("memory alone"), "{promise}");
    hub.caller.record(token(&landed), lead()).await.unwrap();
    let click = NetworkClick { account: "ps".into(), click_id: "abc123xyz789".into() };
    let by = GetClickRequest { click: Some(get_click_request::Click::NetworkClick(click)) };
    until("the click is kept", || async { hub.caller.clicks.clone().get_click(by.clone()).await.ok() }).await;
    hub.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_starts_beside_a_redis_that_takes_calls_and_answers_none() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), RedisServer::start());
    redis.freeze();
    let mut hub = Hub::of(program(folder.path(), &redis)).await;
    let landed = hub.land("abc123xyz789").await;
    hub.is_not_ready("").await;
    redis.thaw();
    hub.comes_to_be_ready().await;
    hub.process.until(&["what an acknowledged conversion can count on"]);
    hub.caller.record(token(&landed), lead()).await.unwrap();
    hub.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_who_fill_every_place_leave_the_probes_and_the_callers_theirs() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let mut program = program(folder.path(), &redis).with_open_files(200).start();
    let (edge, api) = (program.listens("edge"), program.listens("api"));
    let console = Visitor::of(program.listens("console"));
    let mut resting = Vec::new();
    for _ in 0..200 {
        resting.push(TcpStream::connect(edge).await.unwrap());
    }
    assert_eq!(console.get("/readyz").await.status, StatusCode::OK);
    let unknown = Caller::of(&format!("http://{api}")).record(token("none"), lead()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_would_lose_conversions_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let output = program(folder.path(), &redis).output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("maxmemory-policy is allkeys-lru") && said.contains("noeviction"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_later_and_would_lose_conversions_is_given_none_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    redis.kill();
    let mut hub = Hub::of(program(folder.path(), &redis)).await;
    redis.restart();
    let alarm = hub.process.until(&["the store would lose conversions"]);
    assert_eq!((alarm["level"].as_str(), alarm["reason"].as_str()), (Some("ERROR"), Some("EVICTION_POLICY")));
    let landed = hub.land("abc123xyz789").await;
    assert_eq!(hub.refusal(&landed).await, (Code::Unavailable, "EVICTION_POLICY".into()));
    hub.is_not_ready("maxmemory-policy is allkeys-lru").await;
    let metrics = hub.console.get("/metrics").await.body;
    assert!(metrics.lines().any(|line| line == "postback_promise_holds 0"), "{metrics}");

    redis.set("maxmemory-policy", "noeviction");
    hub.comes_to_be_ready().await;
    hub.caller.record(token(&landed), lead()).await.unwrap();
    hub.end();
}
