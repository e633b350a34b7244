//! The Redis engine on a Cluster of three nodes.

use std::{sync::OnceLock, time::Duration};

use postback_clickstore::{RedisSettings, Topology, conformance::Bench};
use postback_core::ErrorKind;
use postback_redis_link::testing::RedisCluster;

use crate::redis::{bench_on, bench_with};

postback_clickstore::conformance!(bench);

/// One node of the cluster that all tests share.
fn urls() -> Vec<String> {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    let mut urls = CLUSTER.get_or_init(RedisCluster::start).urls();
    urls.truncate(1);
    urls
}

async fn bench() -> Bench {
    bench_on(urls(), Topology::Cluster)
}

#[tokio::test]
async fn a_users_click_waits_for_the_replicas_of_its_own_node() {
    let bench = bench_with(&RedisSettings {
        urls: urls(),
        topology: Topology::Cluster,
        prefix: "waiting:".into(),
        wait_replicas: 1,
        timeout: Duration::from_secs(2),
    });
    let attached = bench.store.attach(&"user".parse().unwrap(), bench.attribution(&bench.click("c1"))).await;
    assert_eq!(
        attached.unwrap_err().to_string(),
        "the write was made, but 0 of 1 replicas confirmed it in time"
    );
}

#[tokio::test]
async fn a_cluster_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut cluster = RedisCluster::start();
    cluster.kill();
    let bench = bench_on(cluster.urls(), Topology::Cluster);
    assert_eq!(bench.store.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.restart();
    bench.store.ping().await.unwrap();
    bench.capture(bench.click("c1"), false).await.unwrap();

    cluster.kill();
    let away = bench.capture(bench.click("c2"), false).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
    cluster.restart();
    for number in 0..20 {
        bench.capture(bench.click(&format!("c{number}")), false).await.unwrap();
    }
}
