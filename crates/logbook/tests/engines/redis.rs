//! The Redis engine on a single server.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use postback_core::{
    ErrorKind, Series,
    ports::{Bucket, Clock},
};
use postback_logbook::{
    RedisLogbook,
    conformance::{Bench, ShiftedClock},
};
use postback_redis_link::{RedisSettings, Topology, testing::RedisServer};
use redis::Commands;

postback_logbook::conformance!(bench);

/// A bench on `urls`, under a prefix of its own.
pub(crate) fn bench_on(urls: Vec<String>, topology: Topology) -> Bench {
    static BENCHES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("t{}:", BENCHES.fetch_add(1, Ordering::Relaxed));
    let settings =
        RedisSettings { urls, topology, prefix, timeout: Duration::from_secs(5), wait_replicas: 0 };
    let clock = Arc::new(ShiftedClock::default());
    let logbook = RedisLogbook::connect(&settings, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    Bench { logbook: Arc::new(logbook), clock, held: Box::new(()) }
}

/// On the one server that all tests share.
async fn bench() -> Bench {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    bench_on(vec![SERVER.get_or_init(RedisServer::start).url()], Topology::Single)
}

#[tokio::test]
async fn a_logbook_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut server = RedisServer::start();
    server.kill();
    let bench = bench_on(vec![server.url()], Topology::Single);
    let away = bench.logbook.enter(bench.action(1)).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable);
    server.restart();
    bench.logbook.enter(bench.action(1)).await.unwrap();
}

#[tokio::test]
async fn everything_in_redis_ends_by_itself() {
    let server = RedisServer::start();
    let bench = bench_on(vec![server.url()], Topology::Single);
    let (campaign, now) = ("spring".parse().unwrap(), bench.clock.now());
    let bucket =
        Bucket { start: Bucket::start_of(now), counts: vec![(Series::Clicks("spring".parse().unwrap()), 1)] };
    bench.logbook.add([1; 16], &bucket).await.unwrap();
    bench.logbook.enter(bench.action(1)).await.unwrap();
    bench.logbook.glimpse(&campaign, &[bench.click("a")]).await.unwrap();
    let mut look = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let keys: Vec<Vec<u8>> = look.keys("*").unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let life: i64 = look.ttl(&key).unwrap();
        assert!(life > 0, "{} has no end", String::from_utf8_lossy(&key));
    }
}
