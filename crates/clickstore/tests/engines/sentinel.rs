//! The Redis engine behind Sentinel.

use postback_clickstore::{Topology, conformance::RedisSentinel};
use postback_core::ErrorKind;

use crate::redis::bench_on;

#[tokio::test]
async fn after_a_failover_the_store_is_where_the_sentinel_says() {
    let mut servers = RedisSentinel::start();
    let bench = bench_on(vec![servers.url()], Topology::Sentinel { master: "main".into() });
    bench.store.capture(bench.click("before"), false).await.unwrap();
    servers.fail_over();
    let click = bench.store.capture(bench.click("after"), false).await.unwrap();
    assert_eq!(bench.store.click(&click.click.account, &click.click.id).await.unwrap(), Some(click.clone()));
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_unavailable() {
    let servers = RedisSentinel::start();
    let bench = bench_on(vec![servers.url()], Topology::Sentinel { master: "other".into() });
    let unknown = bench.store.ping().await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    assert_eq!(unknown.to_string(), "redis sentinel names no master");
}
