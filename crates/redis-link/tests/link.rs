//! The link on a real server: what it connects, and how often.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use postback_core::ErrorKind;
use postback_redis_link::{
    Link, RedisSettings, Topology,
    testing::{RedisCluster, RedisServer},
};
use redis::cmd;

fn link(server: &RedisServer) -> Link {
    let timeout = Duration::from_secs(10);
    let urls = vec![server.url()];
    Link::new(&RedisSettings { urls, timeout, ..RedisSettings::default() }).unwrap()
}

/// How many connections the server was asked for, this link's included.
async fn connections(link: &Link) -> usize {
    let info: String = link.ask(cmd("INFO").arg("stats")).await.unwrap();
    let received = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    received.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn sixty_four_who_ask_first_share_one_connection() {
    let server = RedisServer::start();
    let link = Arc::new(link(&server));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let link = Arc::clone(&link);
        asking.spawn(async move { link.ask::<String>(&mut cmd("PING")).await.unwrap() });
    }
    assert_eq!(asking.join_all().await, vec!["PONG"; 64]);
    assert_eq!(connections(&link).await, 1);
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_the_connection_to_the_next() {
    let server = RedisServer::start();
    let link = link(&server);
    server.freeze();
    for _ in 0..3 {
        let mut ping = cmd("PING");
        let asked = link.ask::<String>(&mut ping);
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err(), "a frozen server");
    }
    server.thaw();
    assert_eq!(connections(&link).await, 1);
}

#[tokio::test]
async fn a_command_is_sent_again_once_its_connection_is_made_anew() {
    let mut server = RedisServer::start();
    let link = link(&server);
    assert_eq!(connections(&link).await, 1);
    server.kill();
    server.restart();
    assert_eq!(link.ask::<String>(&mut cmd("PING")).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_cluster_that_leaves_questions_unanswered_is_connected_to_anew() {
    let cluster = RedisCluster::start();
    let settings = RedisSettings {
        urls: vec![cluster.urls().remove(0)],
        topology: Topology::Cluster,
        timeout: Duration::from_millis(200),
        ..RedisSettings::default()
    };
    let (link, other) = (Link::new(&settings).unwrap(), cluster.urls().remove(1));
    let other = Link::new(&RedisSettings { urls: vec![other], ..RedisSettings::default() }).unwrap();
    let mut of_the_last = cmd("GET").arg("a").take();
    assert_eq!(link.ask::<Option<String>>(&mut of_the_last).await.unwrap(), None);
    let before = connections(&other).await;
    cluster.freeze_node(2);
    let mut unanswered = 0;
    while connections(&other).await == before {
        assert_eq!(link.ask::<()>(&mut of_the_last).await.unwrap_err().kind(), ErrorKind::Unavailable);
        unanswered += 1;
        assert!(unanswered < 100, "no other connection was made");
    }
    cluster.thaw_node(2);
    while link.ask::<Option<String>>(&mut of_the_last).await.is_err() {}
}

#[tokio::test]
async fn one_server_is_all_masters() {
    let server = RedisServer::start();
    assert_eq!(link(&server).ask_masters::<String>(&cmd("PING")).await.unwrap(), ["PONG"]);
}

#[tokio::test]
async fn an_answer_of_another_kind_is_internal() {
    let server = RedisServer::start();
    let odd = link(&server).ask::<u64>(&mut cmd("PING")).await.unwrap_err();
    assert_eq!(
        (odd.kind(), odd.to_string().as_str()),
        (ErrorKind::Internal, "redis answers what is not understood")
    );
}
