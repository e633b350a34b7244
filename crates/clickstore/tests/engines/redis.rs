//! The Redis engine on a single server.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_clickstore::{
    RedisClicks, RedisSettings, Topology,
    conformance::{Bench, ShiftedClock},
};
use postback_core::{
    Click, ErrorKind, IpHash, IpNetwork, VisitorIp,
    ports::{Clock, FindClicks},
};
use postback_redis_link::testing::RedisServer;
use redis::{Commands, Connection, cmd};

postback_clickstore::conformance!(bench);

/// A bench on `urls`, under a prefix of its own.
pub(crate) fn bench_on(urls: Vec<String>, topology: Topology) -> Bench {
    static BENCHES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("t{}:", BENCHES.fetch_add(1, Ordering::Relaxed));
    bench_with(&RedisSettings { urls, topology, prefix, timeout: Duration::from_secs(5), wait_replicas: 0 })
}

pub(crate) fn bench_with(settings: &RedisSettings) -> Bench {
    let clock = Arc::new(ShiftedClock::default());
    let store = RedisClicks::connect(settings, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    Bench { store: Arc::new(store), clock, held: Box::new(()) }
}

/// On the one server that all tests share.
async fn bench() -> Bench {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    bench_on(vec![SERVER.get_or_init(RedisServer::start).url()], Topology::Single)
}

fn own(server: &RedisServer, timeout: Duration) -> RedisSettings {
    RedisSettings { urls: vec![server.url()], timeout, ..RedisSettings::default() }
}

fn look_into(server: &RedisServer) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

fn ip() -> VisitorIp {
    VisitorIp { network: IpNetwork::V4([192, 0, 2]), hash: IpHash::from_bytes([7; 8]) }
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut server = RedisServer::start();
    server.kill();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    for _ in 0..3 {
        let away = bench.store.ping().await.unwrap_err();
        assert_eq!((away.kind(), away.reason()), (ErrorKind::Unavailable, "STORE_UNAVAILABLE"));
        assert_eq!(away.to_string(), "redis cannot be reached");
    }
    server.restart();
    bench.capture(bench.click("c1"), false).await.unwrap();

    server.kill();
    let away = bench.capture(bench.click("c2"), true).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable);
    server.restart();
    bench.capture(bench.click("c2"), true).await.unwrap();
    bench.store.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_restarted_in_a_quiet_hour_costs_no_error() {
    let mut server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    for _ in 0..3 {
        bench.store.ping().await.unwrap();
        server.kill();
        server.restart();
    }
    bench.store.ping().await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_in_time_and_works_again_when_it_thaws() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_millis(300)));
    bench.store.ping().await.unwrap();
    server.freeze();
    let late = bench.capture(bench.click("c1"), false).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable);
    assert_eq!(late.to_string(), "redis did not answer within 300ms");
    server.thaw();
    bench.store.ping().await.unwrap();
    let click = bench.capture(bench.click("c1"), false).await.unwrap();
    assert_eq!(bench.store.click(&click.click.account, &click.click.id).await.unwrap(), Some(click.clone()));
}

#[tokio::test]
async fn a_host_that_takes_connections_and_says_nothing_is_unavailable_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = bench_with(&RedisSettings {
        urls: vec![format!("redis://{}", silent.local_addr().unwrap())],
        timeout: Duration::from_millis(100),
        ..RedisSettings::default()
    });
    for _ in 0..2 {
        let late = bench.store.ping().await.unwrap_err();
        assert_eq!(late.to_string(), "redis did not answer within 100ms");
    }
}

#[tokio::test]
async fn a_full_server_is_exhausted_and_keeps_its_cause() {
    let server = RedisServer::start_with(&["--maxmemory", "1b", "--maxmemory-policy", "noeviction"]);
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let full = bench.capture(bench.click("c1"), false).await.unwrap_err();
    assert_eq!((full.kind(), full.reason()), (ErrorKind::ResourceExhausted, "STORE_FULL"));
    let cause = std::error::Error::source(&full).unwrap().to_string();
    assert!(cause.contains("maxmemory"), "{cause}");
}

#[tokio::test]
async fn a_server_that_is_busy_with_somebodys_script_takes_the_click_afterwards() {
    let server = RedisServer::start_with(&["--lua-time-limit", "1"]);
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let mut theirs = look_into(&server);
    let script = thread::spawn(move || cmd("EVAL").arg("while true do end").arg(0).exec(&mut theirs));
    let busy = loop {
        if let Err(busy) = bench.capture(bench.click("c1"), false).await {
            break busy;
        }
    };
    assert_eq!((busy.kind(), busy.reason()), (ErrorKind::Unavailable, "STORE_UNAVAILABLE"));
    assert_eq!(busy.to_string(), "redis is busy with a script");
    cmd("SCRIPT").arg("KILL").exec(&mut look_into(&server)).unwrap();
    assert!(script.join().unwrap().is_err());
    bench.capture(bench.click("c2"), false).await.unwrap();
}

#[tokio::test]
async fn a_users_click_that_too_few_replicas_have_is_not_acknowledged() {
    let server = RedisServer::start();
    let timeout = Duration::from_secs(2);
    let bench = bench_with(&RedisSettings { wait_replicas: 1, ..own(&server, timeout) });
    let click = bench.capture(bench.click("c1"), false).await.unwrap();
    for _ in 0..2 {
        let attached = bench.store.attach(&"user".parse().unwrap(), bench.attribution(&click)).await;
        let missing = attached.unwrap_err();
        assert_eq!((missing.kind(), missing.reason()), (ErrorKind::Unavailable, "REPLICAS_MISSING"));
        assert_eq!(missing.to_string(), "the write was made, but 0 of 1 replicas confirmed it in time");
    }
}

#[tokio::test]
async fn what_is_erased_at_too_few_replicas_is_not_acknowledged_as_erased() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { wait_replicas: 1, ..own(&server, Duration::from_secs(2)) });
    let click = bench.capture(bench.click("c1"), false).await.unwrap();
    let user = "user".parse().unwrap();
    bench.store.attach(&user, bench.attribution(&click)).await.unwrap_err();
    for _ in 0..2 {
        let of_user = bench.store.erase_user(&user).await.unwrap_err();
        let of_click = bench.store.erase_click(&click.click.account, &click.click.id).await.unwrap_err();
        assert_eq!([of_user.reason(), of_click.reason()], ["REPLICAS_MISSING"; 2]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_unavailable_and_shown_nowhere() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2"]);
    let url = server.url().replace("//", "//:hunter3@");
    let bench = bench_on(vec![url], Topology::Single);
    let refused = bench.store.ping().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().starts_with("redis refuses the user or password"), "{refused}");
    assert!(!format!("{refused:?}").contains("hunter"), "{refused:?}");

    let right = bench_on(vec![server.url().replace("//", "//:hunter2@")], Topology::Single);
    right.store.ping().await.unwrap();
}

#[tokio::test]
async fn ps_2_everything_in_redis_ends_by_itself() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let click = bench.capture(bench.click_from("c1", &ip()), true).await.unwrap();
    bench.store.attach(&"user".parse().unwrap(), bench.attribution(&click)).await.unwrap();
    let mut redis = look_into(&server);
    let keys: Vec<Vec<u8>> = redis.keys("*").unwrap();
    let mut hours: Vec<_> = keys
        .iter()
        .map(|key| {
            assert_eq!(key.len(), "pb:".len() + 17);
            let life: i64 = redis.pttl(key).unwrap();
            (char::from(key[3]), (life + 60_000) / 3_600_000)
        })
        .collect();
    hours.sort_unstable();
    assert_eq!(hours, [('a', 721), ('c', 720), ('p', 24), ('u', 720)]);
}

#[tokio::test]
async fn a_user_agent_lies_once_for_all_of_its_clicks_and_is_written_anew_after_an_hour() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let mut redis = look_into(&server);
    let [first, second] = ["c1", "c2"].map(|id| bench.click_from(id, &ip()));
    for click in [&first, &second] {
        bench.capture(click.clone(), true).await.unwrap();
    }
    let agents: Vec<Vec<u8>> = redis.keys("pb:a*").unwrap();
    assert_eq!(agents.len(), 1);
    assert_eq!(redis.get::<_, Option<String>>(&agents[0]).unwrap(), first.user_agent);

    redis.del::<_, ()>(&agents[0]).unwrap();
    let find =
        FindClicks { ip: vec![ip().hash], campaign: first.campaign.clone(), since: Timestamp::MIN, limit: 9 };
    let other = bench_with(&own(&server, Duration::from_secs(5)));
    let nameless: Vec<_> = other.store.find(&find).await.unwrap();
    assert_eq!(nameless.len(), 2);
    assert!(nameless.iter().all(|click| click.user_agent.is_none()));
    let read = async |bench: &Bench| bench.store.click(&first.click.account, &first.click.id).await.unwrap();
    assert_eq!(read(&other).await, Some(Click { user_agent: None, ..first.clone() }));
    assert_eq!(read(&bench).await, Some(first.clone()), "who wrote it knows it");

    bench.clock.advance(SignedDuration::from_hours(1));
    bench.capture(bench.click_from("c3", &ip()), true).await.unwrap();
    assert_eq!(read(&other).await, Some(first.clone()));
}

#[tokio::test]
async fn a_place_keeps_a_bounded_index() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    for number in 0..150 {
        bench.capture(bench.click_from(&format!("c{number}"), &ip()), true).await.unwrap();
    }
    let mut redis = look_into(&server);
    let places: Vec<Vec<u8>> = redis.keys("pb:p*").unwrap();
    let entries: usize = redis.zcard(&places[0]).unwrap();
    assert_eq!((places.len(), entries), (1, 100));
}

#[tokio::test]
async fn an_erased_click_leaves_in_redis_what_names_no_visitor() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let click = bench.capture(bench.click_from("c1", &ip()), true).await.unwrap();
    bench.store.erase_click(&click.click.account, &click.click.id).await.unwrap();
    let left: Vec<Vec<u8>> = look_into(&server).keys("*").unwrap();
    assert!(left.len() == 1 && left[0].starts_with(b"pb:a"), "{left:?}");
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_can_be_erased() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_secs(5)));
    let Click { click, .. } = bench.capture(bench.click("c1"), false).await.unwrap();
    let mut redis = look_into(&server);
    let keys: Vec<Vec<u8>> = redis.keys("*").unwrap();
    redis.set::<_, _, ()>(&keys[0], "\u{7f}").unwrap();
    let damaged = bench.store.click(&click.account, &click.id).await.unwrap_err();
    assert_eq!(damaged.kind(), ErrorKind::Internal);
    assert!(bench.store.erase_click(&click.account, &click.id).await.unwrap());
    assert_eq!(bench.store.click(&click.account, &click.id).await.unwrap(), None);
}
