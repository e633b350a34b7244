//! The Redis engine on a Cluster of three nodes.

use std::sync::OnceLock;

use postback_logbook::conformance::Bench;
use postback_redis_link::{Topology, testing::RedisCluster};

use crate::redis::bench_on;

postback_logbook::conformance!(bench);

/// On the one cluster that all tests share.
async fn bench() -> Bench {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    let mut urls = CLUSTER.get_or_init(RedisCluster::start).urls();
    urls.truncate(1);
    bench_on(urls, Topology::Cluster)
}
