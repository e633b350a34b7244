//! The Redis engine behind Sentinel.

use std::time::Duration;

use postback_clickstore::{RedisSettings, Topology};
use postback_core::ErrorKind;
use postback_redis_link::testing::RedisSentinel;

use crate::redis::{bench_on, bench_with};

#[tokio::test]
async fn after_a_failover_the_store_is_where_the_sentinel_says() {
    let mut servers = RedisSentinel::start();
    let bench = bench_on(vec![servers.url()], Topology::Sentinel { master: "main".into() });
    bench.store.ping().await.unwrap();
    servers.fail_over();
    let click = bench.capture(bench.click("after"), false).await.unwrap();
    assert_eq!(bench.store.click(&click.click.account, &click.click.id).await.unwrap(), Some(click.clone()));
}

#[tokio::test]
async fn a_users_click_that_a_replica_has_outlives_the_master() {
    let mut servers = RedisSentinel::start();
    let bench = bench_with(&RedisSettings {
        urls: vec![servers.url()],
        topology: Topology::Sentinel { master: "main".into() },
        wait_replicas: 1,
        timeout: Duration::from_secs(5),
        ..RedisSettings::default()
    });
    let (user, click) = ("user".parse().unwrap(), bench.click("c1"));
    for _ in 0..2 {
        bench.store.attach(&user, bench.attribution(&click)).await.unwrap();
    }
    servers.fail_over();
    let kept = bench.store.clicks_of(&user).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].click, click.click);
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_unavailable() {
    let servers = RedisSentinel::start();
    let bench = bench_on(vec![servers.url()], Topology::Sentinel { master: "other".into() });
    let unknown = bench.store.ping().await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    assert_eq!(unknown.to_string(), "redis sentinel names no master");
}
