//! The Redis engine behind Sentinel.

use std::time::Duration;

use postback_core::ErrorKind;
use postback_outbox::{RedisSettings, Topology};
use postback_redis_link::testing::RedisSentinel;

use crate::redis::{bench_on, bench_with};

#[tokio::test]
async fn what_a_replica_has_outlives_the_master() {
    let mut servers = RedisSentinel::start();
    let bench = bench_with(&RedisSettings {
        urls: vec![servers.url()],
        topology: Topology::Sentinel { master: "main".into() },
        wait_replicas: 1,
        timeout: Duration::from_secs(10),
        ..RedisSettings::default()
    });
    let (lead, delivery) = bench.recorded("c1").await;
    assert!(bench.store.promise().await.unwrap().words.ends_with("1 more of its replicas (wait_replicas)"));
    servers.fail_over();
    let kept = bench.store.story(lead.id).await.unwrap().unwrap();
    assert_eq!((kept.conversion, kept.deliveries[0].id), (lead, delivery));
}

#[tokio::test]
async fn a_master_that_hangs_holds_nothing_up_once_another_took_its_place() {
    let mut servers = RedisSentinel::start();
    let bench = bench_with(&RedisSettings {
        urls: vec![servers.url()],
        topology: Topology::Sentinel { master: "main".into() },
        timeout: Duration::from_millis(500),
        ..RedisSettings::default()
    });
    let (lead, _) = bench.recorded("c1").await;
    servers.fail_over_frozen();
    let mut unanswered = 0;
    while let Err(away) = bench.store.story(lead.id).await {
        assert_eq!(away.kind(), ErrorKind::Unavailable);
        unanswered += 1;
        assert!(unanswered < 50, "no other connection was made");
    }
    bench.recorded("c2").await;
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_unavailable() {
    let servers = RedisSentinel::start();
    let bench = bench_on(vec![servers.url()], Topology::Sentinel { master: "other".into() });
    let unknown = bench.store.ping().await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    assert_eq!(unknown.to_string(), "redis sentinel names no master");
}
