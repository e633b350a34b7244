//! The Redis engine on a Cluster of three nodes.

use std::{sync::OnceLock, time::Duration};

use postback_core::{
    ErrorKind, Fingerprint, Status,
    ports::{Settlement, Target},
};
use postback_outbox::{RedisSettings, Topology, conformance::Bench};
use postback_redis_link::testing::{RedisCluster, RedisServer};
use redis::{Connection, cmd};

use crate::redis::{bench_on, bench_with};

postback_outbox::conformance!(bench);

/// On the one cluster that all tests share, of which the store is told one node.
async fn bench() -> Bench {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    let mut urls = CLUSTER.get_or_init(RedisCluster::start).urls();
    urls.truncate(1);
    bench_on(urls, Topology::Cluster)
}

fn look_into(url: &str) -> Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

#[tokio::test]
async fn a_cluster_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut cluster = RedisCluster::start();
    cluster.kill();
    let bench = bench_on(cluster.urls(), Topology::Cluster);
    assert_eq!(bench.store.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.restart();
    bench.recorded("c1").await;

    cluster.kill();
    let lead = bench.lead("c2", None);
    let away = bench.store.record(lead.clone(), bench.delivery(&lead), Fingerprint::of(&["first"])).await;
    assert_eq!(away.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.restart();
    for number in 0..20 {
        bench.recorded(&format!("c{number}")).await;
    }
}

#[tokio::test]
async fn every_master_has_a_say_in_the_promise() {
    let cluster = RedisCluster::start();
    let bench = bench_on(cluster.urls(), Topology::Cluster);
    assert!(bench.store.promise().await.unwrap().words.contains("memory alone"));
    let last = &cluster.urls()[2];
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("maxmemory-policy").arg("allkeys-lru").query::<()>(&mut look_into(last)).unwrap();
    assert_eq!(bench.store.promise().await.unwrap_err().reason(), "EVICTION_POLICY");
}

#[tokio::test]
async fn a_node_that_is_taken_for_the_one_server_is_refused() {
    let cluster = RedisCluster::start();
    let bench = bench_on(vec![cluster.urls().remove(0)], Topology::Single);
    let refused = bench.store.promise().await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "CLUSTER_NODE"));
}

#[tokio::test]
async fn a_replica_that_would_drop_conversions_as_a_master_is_refused() {
    let cluster = RedisCluster::start();
    let policy = ["--cluster-enabled", "yes", "--maxmemory-policy", "allkeys-lru"];
    let replica = RedisServer::start_with(&policy);
    let url = cluster.urls().remove(0);
    let tell = |url: &str, command: &mut redis::Cmd| command.query::<()>(&mut look_into(url));
    tell(&url, cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(replica.port())).unwrap();
    let master: String = cmd("CLUSTER").arg("MYID").query(&mut look_into(&url)).unwrap();
    // It can follow a master that it has heard of, and the masters name it once they have heard of it.
    while tell(&replica.url(), cmd("CLUSTER").arg("REPLICATE").arg(&master)).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = loop {
        match bench_on(cluster.urls(), Topology::Cluster).store.promise().await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.reason(), "EVICTION_POLICY");
}

#[tokio::test]
async fn a_cluster_without_replicas_acknowledges_nothing_that_wants_one() {
    let cluster = RedisCluster::start();
    let timeout = Duration::from_secs(3);
    let settings = RedisSettings {
        urls: cluster.urls(),
        topology: Topology::Cluster,
        wait_replicas: 1,
        timeout,
        ..RedisSettings::default()
    };
    let bench = bench_with(&settings);
    for click in ["c1", "c2"] {
        let lead = bench.lead(click, None);
        let refused = bench
            .store
            .record(lead.clone(), bench.delivery(&lead), Fingerprint::of(&["first"]))
            .await
            .unwrap_err();
        assert_eq!(refused.to_string(), "the write was made, but 0 of 1 replicas confirmed it in time");
        assert_eq!(bench.store.story(lead.id).await.unwrap().unwrap().deliveries.len(), 1);
    }
}

/// The name and the number of the node that serves a slot, and of another.
fn nodes(cluster: &RedisCluster, slot: u16) -> [(usize, String); 2] {
    let serves = |number: usize| [0..5_461, 5_461..10_923, 10_923..16_384][number].contains(&slot);
    let of = |number: usize| {
        let name: String = cmd("CLUSTER").arg("MYID").query(&mut look_into(&cluster.urls()[number])).unwrap();
        (number, name)
    };
    let source = (0..3).find(|&number| serves(number)).unwrap();
    [of(source), of((source + 1) % 3)]
}

fn slot_of(key: &str, url: &str) -> u16 {
    cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut look_into(url)).unwrap()
}

#[tokio::test]
async fn while_a_partition_moves_no_step_runs_over_half_of_it() {
    let cluster = RedisCluster::start();
    let urls = cluster.urls();
    let settings = RedisSettings {
        urls: urls.clone(),
        topology: Topology::Cluster,
        timeout: Duration::from_secs(1),
        ..RedisSettings::default()
    };
    let bench = bench_with(&settings);
    let (lead, one) = bench.recorded("c1").await;
    let base = format!("pb:{{o:{:02}}}", lead.lane.shard().byte() & 15);
    let slot = slot_of(&base, &urls[0]);
    let [(from, source), (to, target)] = nodes(&cluster, slot);
    let set = |node: usize, state: &str, name: &str| {
        let mut setslot = cmd("CLUSTER");
        setslot.arg("SETSLOT").arg(slot).arg(state).arg(name);
        setslot.query::<()>(&mut look_into(&urls[node])).unwrap();
    };
    set(to, "IMPORTING", &source);
    set(from, "MIGRATING", &target);
    let keys: Vec<Vec<u8>> =
        cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(100).query(&mut look_into(&urls[from])).unwrap();
    let port: u16 = urls[to].rsplit(':').next().unwrap().parse().unwrap();
    let (first, rest) = keys.split_at(keys.len() / 2);
    let migrate = |keys: &[Vec<u8>]| {
        let mut migrate = cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(port).arg("").arg(0).arg(5_000).arg("KEYS").arg(keys);
        migrate.query::<String>(&mut look_into(&urls[from])).unwrap();
    };

    for moved in [first, rest] {
        let refused = bench.store.claim(&lead.account, 10, Duration::from_secs(30)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
        let change = bench.change(&lead, Status::Hold);
        let target = Target::Conversion(lead.id);
        let refused = bench.store.change(target, change).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
        migrate(moved);
    }
    for node in [to, from] {
        set(node, "NODE", &target);
    }
    let two = bench.changed(&lead, Status::Hold).await;
    for head in [one, two] {
        let claims = bench.store.claim(&lead.account, 10, Duration::from_secs(30)).await.unwrap();
        assert_eq!(claims.claims[0].fence.delivery, head);
        let delivered = Settlement::Delivered { remote_id: None };
        assert!(bench.store.settle(&claims.claims[0].fence, None, delivered).await.unwrap());
    }
}
