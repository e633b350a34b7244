//! The link on a real server: what it connects, and how often.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

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
async fn connections(link: &Link) -> u64 {
    counted(link, "total_connections_received").await
}

#[tokio::test]
async fn sixty_four_who_ask_first_share_one_connection() {
    let server = RedisServer::start();
    let link = Arc::new(link(&server));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let link = Arc::clone(&link);
        asking.spawn(async move { link.ask::<String>(&cmd("PING")).await.unwrap() });
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
        let ping = cmd("PING");
        let asked = link.ask::<String>(&ping);
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
    assert_eq!(link.ask::<String>(&cmd("PING")).await.unwrap(), "PONG");
}

/// What the server counted.
async fn counted(link: &Link, name: &str) -> u64 {
    let info: String = link.ask(cmd("INFO").arg("stats")).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn three_hundred_who_ask_at_once_go_together_and_each_is_answered() {
    let server = RedisServer::start();
    let link = Arc::new(link(&server));
    let before = counted(&link, "total_reads_processed").await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..300 {
        let link = Arc::clone(&link);
        asking.spawn(async move {
            assert_eq!(link.ask::<u64>(cmd("ECHO").arg(number)).await.unwrap(), number);
        });
    }
    asking.join_all().await;
    let reads = counted(&link, "total_reads_processed").await - before;
    assert!(reads <= 10, "{reads} reads");
}

#[tokio::test]
async fn of_a_thousand_who_ask_a_frozen_server_none_waits_longer_than_twice_the_timeout() {
    let server = RedisServer::start();
    let timeout = Duration::from_secs(1);
    let urls = vec![server.url()];
    let link = Arc::new(Link::new(&RedisSettings { urls, timeout, ..RedisSettings::default() }).unwrap());
    server.freeze();
    let (began, mut asking) = (Instant::now(), tokio::task::JoinSet::new());
    for _ in 0..1_000 {
        let link = Arc::clone(&link);
        asking.spawn(async move { link.ask::<String>(&cmd("PING")).await.unwrap_err().kind() });
    }
    assert_eq!(asking.join_all().await, vec![ErrorKind::Unavailable; 1_000]);
    assert!(began.elapsed() < 3 * timeout, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_refused_command_touches_no_other_of_its_batch() {
    let server = RedisServer::start();
    let link = link(&server);
    let (mut set, mut push, mut get) = (cmd("SET"), cmd("LPUSH"), cmd("GET"));
    let (set, push, get) = (set.arg("k").arg("v"), push.arg("k").arg("v"), get.arg("k"));
    let (set, pushed, got) =
        tokio::join!(link.ask::<String>(set), link.ask::<u64>(push), link.ask::<String>(get));
    assert_eq!((set.unwrap().as_str(), got.unwrap().as_str()), ("OK", "v"));
    assert_eq!(pushed.unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn a_runtime_that_ends_takes_no_later_question_with_it() {
    let server = RedisServer::start();
    let link = link(&server);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = |pong: postback_core::Result<String>| assert_eq!(pong.unwrap(), "PONG");
    server.freeze();
    for patience in [Duration::ZERO, Duration::from_millis(20)] {
        let ping = cmd("PING");
        let asked = async { tokio::time::timeout(patience, link.ask::<String>(&ping)).await };
        assert!(runtime().block_on(asked).is_err(), "a frozen server");
    }
    server.thaw();
    answer(runtime().block_on(link.ask(&cmd("PING"))));
    answer(runtime().block_on(link.ask(&cmd("PING"))));
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
    let of_the_last = cmd("GET").arg("a").take();
    assert_eq!(link.ask::<Option<String>>(&of_the_last).await.unwrap(), None);
    let before = connections(&other).await;
    cluster.freeze_node(2);
    let mut unanswered = 0;
    while connections(&other).await == before {
        assert_eq!(link.ask::<()>(&of_the_last).await.unwrap_err().kind(), ErrorKind::Unavailable);
        unanswered += 1;
        assert!(unanswered < 100, "no other connection was made");
    }
    cluster.thaw_node(2);
    while link.ask::<Option<String>>(&of_the_last).await.is_err() {}
}

#[tokio::test]
async fn one_server_is_all_masters() {
    let server = RedisServer::start();
    assert_eq!(link(&server).ask_masters::<String>(&cmd("PING")).await.unwrap(), ["PONG"]);
}

#[tokio::test]
async fn the_user_the_password_and_the_database_are_those_of_the_url() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2"]);
    let ask = async |url: String, command: &redis::Cmd| {
        let settings = RedisSettings { urls: vec![url], ..RedisSettings::default() };
        Link::new(&settings).unwrap().ask::<String>(command).await
    };
    let url = |user| format!("redis://{user}@127.0.0.1:{}/3", server.port());
    assert_eq!(ask(url(":hunter2"), cmd("SET").arg("k").arg("v")).await.unwrap(), "OK");
    let keys = ask(url("default:hunter2"), cmd("INFO").arg("keyspace")).await.unwrap();
    assert!(keys.contains("db3:keys=1"), "{keys}");
    for wrong in ["", ":wrong", "nobody:hunter2"] {
        let refused = ask(url(wrong), &cmd("PING")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    }
}

#[tokio::test]
async fn a_connection_that_takes_long_to_make_is_made_for_the_next() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2"]);
    let urls = vec![format!("redis://:hunter2@127.0.0.1:{}", server.port())];
    let timeout = Duration::from_millis(20);
    let link = Link::new(&RedisSettings { urls, timeout, ..RedisSettings::default() }).unwrap();
    server.freeze();
    for _ in 0..3 {
        let late = link.ask::<String>(&cmd("PING")).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Unavailable);
    }
    server.thaw();
    while link.ask::<String>(&cmd("PING")).await.is_err() {}
    assert_eq!(connections(&link).await, 1);
}

#[tokio::test]
async fn a_server_that_is_no_master_any_more_is_left() {
    let server = RedisServer::start();
    let link = link(&server);
    assert_eq!(connections(&link).await, 1);
    let _: String = link.ask(cmd("REPLICAOF").arg("127.0.0.1").arg("1")).await.unwrap();
    let refused = link.ask::<String>(cmd("SET").arg("k").arg("v")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert_eq!(
        connections(&link).await,
        3,
        "one more was tried with the refused command, and then a new one"
    );
}

/// The URL of a server that gives each connection these answers, one to whatever it reads, and then no other.
fn scripted(user: &str, connections: [&'static [&'static str]; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{user}{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut open = Vec::new();
        for (answers, stream) in connections.iter().zip(listener.incoming()) {
            let mut stream = stream.unwrap();
            for answer in *answers {
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
            open.push(stream);
        }
        open.iter_mut().for_each(|stream| drop(stream.read_to_end(&mut Vec::new())));
    });
    url
}

#[tokio::test]
async fn who_is_turned_away_comes_again_on_another_connection() {
    const FULL: &[&str] = &["-ERR max number of clients reached\r\n"];
    const LOADING: &[&str] = &["-LOADING Redis is loading the dataset in memory\r\n"];
    const PONG: &[&str] = &["+OK\r\n", "+PONG\r\n"];
    for (user, first, second) in [
        ("", FULL, &PONG[1..]),
        (":hunter2@", FULL, PONG),
        (":hunter2@", LOADING, PONG),
        (":hunter2@", &["-ERR in words that nobody knows\r\n"], PONG),
    ] {
        let urls = vec![scripted(user, [first, second])];
        let timeout = Duration::from_secs(10);
        let link = Link::new(&RedisSettings { urls, timeout, ..RedisSettings::default() }).unwrap();
        let refused = link.ask::<String>(&cmd("PING")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{user}{first:?}");
        assert_eq!(link.ask::<String>(&cmd("PING")).await.unwrap(), "PONG", "{user}{first:?}");
    }
}

#[tokio::test]
async fn a_server_with_no_room_for_one_more_is_unavailable_until_it_has() {
    let server = RedisServer::start_with(&["--maxclients", "1"]);
    let (first, second) = (link(&server), link(&server));
    assert_eq!(first.ask::<String>(&cmd("PING")).await.unwrap(), "PONG");
    for _ in 0..3 {
        let full = second.ask::<String>(&cmd("PING")).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full}");
    }
    drop(first);
    while second.ask::<String>(&cmd("PING")).await.is_err() {}
}

#[tokio::test]
async fn an_answer_of_another_kind_is_internal() {
    let server = RedisServer::start();
    let odd = link(&server).ask::<u64>(&cmd("PING")).await.unwrap_err();
    assert_eq!(
        (odd.kind(), odd.to_string().as_str()),
        (ErrorKind::Internal, "redis answers what is not understood")
    );
}
