//! One lead, and a hub that dies once at each point of its path.

use std::os::unix::process::ExitStatusExt;

use jiff::Timestamp;
use postback_core::{AccountTag, ClickToken, Key, Keyring, TokenClaims};
use postback_proto::v1::{DeliveryState, RecordConversionRequest};
use postback_redis_link::testing::RedisServer;
use postback_sandbox::{IssueClicks, Meant, Network, Sandbox, Seed};
use postback_tests::{Caller, POINTS, Postback, Started, lead, token, until};
use tempfile::TempDir;
use tokio::net::TcpListener;

const SIGKILL: i32 = 9;

fn key() -> Key {
    Key::new(1, [7; 32])
}

/// A hub that knows one account, and the network behind it.
struct Hub {
    folder: TempDir,
    sandbox: Sandbox,
    network: Network,
}

impl Hub {
    /// On the embedded store, or on Redis under a prefix of its own.
    async fn of(network: Network, redis: Option<&RedisServer>, prefix: &str) -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), key().reveal());
        let store = match redis {
            Some(redis) => format!(r#"engine = "redis", redis = ["{}"], prefix = "{prefix}:""#, redis.url()),
            None => format!("path = '{}'", folder.path().join("data").display()),
        };
        let secret = if network == Network::Altercpa { r#", token = "123-abcde""# } else { "" };
        let sandbox = Sandbox::new(Seed::documented()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let config = format!(
            r#"
            key.current = "{key}"
            store = {{ {store} }}
            api.listen = "127.0.0.1:0"
            log.format = "json"
            dispatch = {{ timeout_ms = 1000, lease_ms = 3000, poll_ms = 50 }}
            accounts.main = {{ network = "{network}", base_url = "http://{at}"{secret} }}
            "#
        );
        std::fs::write(folder.path().join("postback.toml"), config).unwrap();
        let networks = sandbox.clone();
        tokio::spawn(async move { networks.serve(listener, std::future::pending()).await });
        Self { folder, sandbox, network }
    }

    /// Starts it with these roles, to die where `die_at` says.
    fn start(&self, roles: &str, die_at: Option<&str>) -> (Started, Caller) {
        let file = self.folder.path().join("postback.toml");
        let arguments = ["serve", "--role", roles, "--config", file.to_str().unwrap()];
        let hub = Postback::mortal(&arguments);
        let mut started = match die_at {
            Some(point) => hub.env("FAULTS_DIE_AT", point).start(),
            None => hub.start(),
        };
        let api = started.listens("api");
        (started, Caller::of(&format!("http://{api}")))
    }

    /// A lead of a click that the network has just issued, by its token.
    fn report(&self) -> RecordConversionRequest {
        let click = self.sandbox.issue(&IssueClicks::new(self.network)).unwrap().remove(0);
        let claims = TokenClaims::new(
            AccountTag::of(&"main".parse().unwrap()),
            click.parse().unwrap(),
            Timestamp::now(),
        );
        let sealed = ClickToken::seal(&claims, &Keyring::new(key(), []).unwrap()).unwrap();
        RecordConversionRequest {
            source: Some(token(sealed.as_str())),
            details: Some(lead()),
            request_id: click,
            ..RecordConversionRequest::default()
        }
    }

    /// Dies at a point, and is started again; its caller repeats what got no OK.
    async fn die(self, point: &'static str) -> Survivor {
        // Up to the answer nothing delivers beside the report, or its call could be cut off too.
        let (roles, pass) = match point {
            "decode" | "validate" | "click-look-up" | "acknowledge" => ("api", 1),
            // The request's reservation, or the lead itself.
            "commit" => ("api", 2),
            _ => ("api,dispatch", 1),
        };
        let report = self.report();
        let (mut hub, caller) = self.start(roles, Some(&format!("{point}:{pass}")));
        let told = caller.send(report.clone()).await;
        assert_eq!(hub.ended().signal(), Some(SIGKILL), "{point}");
        let (process, caller) = self.start("api,dispatch", None);
        let told = match told {
            Ok(told) => told,
            Err(_) => caller.send(report).await.unwrap(),
        };
        Survivor { hub: self, _process: process, caller, conversion: told.conversion_id }
    }
}

/// A hub that died and was started again, and the conversion that it has.
struct Survivor {
    hub: Hub,
    _process: Started,
    caller: Caller,
    conversion: String,
}

impl Survivor {
    /// How the conversion stands in the end, how many calls the network got, and how often it counted.
    async fn end(&self) -> (DeliveryState, usize, usize) {
        let settled = until("the lead is settled", || async {
            let story = self.caller.story(&self.conversion).await;
            let [delivery] = story.deliveries.as_slice() else { panic!("{:?}", story.deliveries) };
            (delivery.state() != DeliveryState::Pending).then_some(delivery.state())
        });
        let state = settled.await;
        let calls = self.hub.sandbox.received(self.hub.network);
        let counted = calls.iter().filter(|call| matches!(call.meant, Meant::Counted(_))).count();
        (state, calls.len(), counted)
    }
}

/// What became of a lead at each of these points. All of them die first, so that their leases run out together.
async fn ends(
    network: Network,
    redis: Option<RedisServer>,
    points: impl Iterator<Item = &'static str>,
) -> Vec<(&'static str, (DeliveryState, usize, usize))> {
    let mut survivors = Vec::new();
    for point in points {
        let hub = Hub::of(network, redis.as_ref(), point).await;
        survivors.push((point, hub.die(point).await));
    }
    let mut ends = Vec::new();
    for (point, survivor) in &survivors {
        ends.push((*point, survivor.end().await));
    }
    ends
}

/// Where the kernel has a request whose sender is dead, it is up to the network whether it reads it.
const CUT_OFF: &str = "bytes-out";

async fn a_death_leaves_a_doubt_only_between_the_mark_and_the_outcome(redis: Option<RedisServer>) {
    for (point, (state, calls, counted)) in ends(Network::Powerspace, redis, POINTS.into_iter()).await {
        let (want, sent) = match point {
            "mark-started" => (DeliveryState::InDoubt, 0..=0),
            CUT_OFF => (DeliveryState::InDoubt, 0..=1),
            "answer-in" => (DeliveryState::InDoubt, 1..=1),
            _ => (DeliveryState::Delivered, 1..=1),
        };
        assert_eq!((state, counted), (want, calls), "{point}");
        assert!(sent.contains(&calls), "{point}: {calls} calls");
    }
}

async fn with_a_key_a_death_leaves_no_doubt_and_is_counted_once(redis: Option<RedisServer>) {
    let points = POINTS.into_iter().filter(|point| *point != "mark-started");
    for (point, (state, calls, counted)) in ends(Network::Altercpa, redis, points).await {
        let sent = match point {
            CUT_OFF => 1..=2,
            "answer-in" => 2..=2,
            _ => 1..=1,
        };
        assert_eq!((state, counted), (DeliveryState::Delivered, 1), "{point}");
        assert!(sent.contains(&calls), "{point}: {calls} calls");
    }
}

macro_rules! on_each_store {
    ($($name:ident)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(None).await })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                super::$name(Some(super::RedisServer::start())).await
            })*
        }
    };
}

on_each_store! {
    a_death_leaves_a_doubt_only_between_the_mark_and_the_outcome
    with_a_key_a_death_leaves_no_doubt_and_is_counted_once
}
