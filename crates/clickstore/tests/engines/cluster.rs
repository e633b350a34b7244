//! The Redis engine on a Cluster of three nodes.

use std::sync::OnceLock;

use postback_clickstore::{
    Topology,
    conformance::{Bench, RedisCluster},
};
use postback_core::ErrorKind;

use crate::redis::bench_on;

postback_clickstore::conformance!(bench);

/// On the one cluster that all tests share, of which the store is told one node.
async fn bench() -> Bench {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    let mut urls = CLUSTER.get_or_init(RedisCluster::start).urls();
    urls.truncate(1);
    bench_on(urls, Topology::Cluster)
}

#[tokio::test]
async fn a_cluster_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut cluster = RedisCluster::start();
    cluster.kill();
    let bench = bench_on(cluster.urls(), Topology::Cluster);
    assert_eq!(bench.store.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.restart();
    bench.store.ping().await.unwrap();
    bench.store.capture(bench.click("c1"), false).await.unwrap();

    cluster.kill();
    let away = bench.store.capture(bench.click("c2"), false).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
    cluster.restart();
    for number in 0..20 {
        bench.store.capture(bench.click(&format!("c{number}")), false).await.unwrap();
    }
}
