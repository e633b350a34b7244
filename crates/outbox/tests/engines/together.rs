//! What is asked of Redis at the same time: one run, of which each step is apart from the others.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    ErrorKind, Fingerprint,
    ports::{Claim, ConversionFilter, Settlement},
};
use postback_outbox::{RedisSettings, conformance::Bench};
use postback_redis_link::testing::RedisServer;
use redis::{Commands, Connection, cmd};
use tokio::task::JoinSet;

use crate::redis::bench_with;

fn look_into(server: &RedisServer) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// How often a server ran a command.
fn runs(server: &RedisServer, command: &str) -> usize {
    let stats: String = cmd("INFO").arg("commandstats").query(&mut look_into(server)).unwrap();
    let of = format!("cmdstat_{command}:calls=");
    let calls = stats.lines().find_map(|line| line.strip_prefix(&of));
    calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
}

/// Records many leads at once; how many were refused for want of replicas.
async fn record(bench: &Bench, many: usize) -> usize {
    let mut at_once = JoinSet::new();
    for number in 0..many {
        let lead = bench.lead(&format!("c{number}"), None);
        let (store, delivery) = (bench.store.clone(), bench.delivery(&lead));
        at_once.spawn(async move { store.record(lead, delivery, Fingerprint::of(&["first"])).await });
    }
    let missing = |answer: &postback_core::Result<_>| {
        answer.as_ref().is_err_and(|error| error.reason() == "REPLICAS_MISSING")
    };
    at_once.join_all().await.iter().filter(|answer| missing(answer)).count()
}

async fn claim(bench: &Bench) -> Vec<Claim> {
    let account = "network".parse().unwrap();
    bench.store.claim(&account, 1_000, Duration::from_secs(30)).await.unwrap().claims
}

#[tokio::test]
async fn what_is_asked_at_once_is_one_run_and_no_run_is_too_long() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { urls: vec![server.url()], ..RedisSettings::default() });
    bench.recorded("first").await;
    for (many, want) in [(100, 1), (300, 3)] {
        let before = runs(&server, "evalsha");
        record(&bench, many).await;
        assert_eq!(runs(&server, "evalsha") - before, want, "{many}");
    }
    let stats = bench.store.stats(&"network".parse().unwrap()).await.unwrap();
    assert_eq!(stats.conversions, 401);
}

#[tokio::test]
async fn replicas_are_waited_for_once_a_run() {
    let server = RedisServer::start();
    let settings = RedisSettings { urls: vec![server.url()], wait_replicas: 1, ..RedisSettings::default() };
    let bench = bench_with(&settings);
    assert_eq!(record(&bench, 50).await, 50);
    // The first was sent again, when the server had learnt the script.
    assert!(runs(&server, "wait") <= 2, "{}", runs(&server, "wait"));
    let stats = bench.store.stats(&"network".parse().unwrap()).await.unwrap();
    assert_eq!(stats.conversions, 50, "they stand all the same");
}

#[tokio::test]
async fn a_busy_worker_does_not_look_anew_before_each_claim() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { urls: vec![server.url()], ..RedisSettings::default() });
    record(&bench, 100).await;
    let account = "network".parse().unwrap();
    let before = runs(&server, "evalsha");
    for _ in 0..100 {
        let claims = bench.store.claim(&account, 1, Duration::from_secs(30)).await.unwrap().claims;
        assert_eq!(claims.len(), 1);
    }
    let runs = runs(&server, "evalsha") - before;
    assert!(runs < 150, "{runs} runs for 100 claims");
}

#[tokio::test]
async fn what_one_hub_saw_and_another_leased_is_not_leased_twice() {
    let server = RedisServer::start();
    let settings = RedisSettings { urls: vec![server.url()], ..RedisSettings::default() };
    let (bench, other) = (bench_with(&settings), bench_with(&settings));
    record(&bench, 20).await;
    let account = "network".parse().unwrap();
    let first = bench.store.claim(&account, 1, Duration::from_secs(30)).await.unwrap().claims;
    let rest = claim(&other).await;
    assert_eq!((first.len(), rest.len()), (1, 19));
    let none = bench.store.claim(&account, 1, Duration::from_secs(30)).await.unwrap();
    assert!(none.claims.is_empty() && none.next_due.is_some_and(|due| due > Timestamp::now()));
}

#[tokio::test]
async fn a_step_that_breaks_off_touches_no_other_of_its_run() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { urls: vec![server.url()], ..RedisSettings::default() });
    for click in ["c1", "c2", "c3"] {
        bench.recorded(click).await;
    }
    let claims = claim(&bench).await;
    let damaged = claims[1].fence.delivery;
    let mut redis = look_into(&server);
    let keys: Vec<Vec<u8>> = redis.keys("*:d:*").unwrap();
    let key = keys.iter().find(|key| key.ends_with(damaged.as_bytes())).unwrap();
    redis.set::<_, _, ()>(key, "damaged").unwrap();
    let delivered = Settlement::Delivered { remote_id: None };
    let settle = |claim: &Claim| {
        let (store, fence, delivered) = (bench.store.clone(), claim.fence.clone(), delivered.clone());
        async move { store.settle(&fence, None, delivered).await }
    };
    let before = runs(&server, "evalsha");
    let (one, two, three) = tokio::join!(settle(&claims[0]), settle(&claims[1]), settle(&claims[2]));
    assert_eq!(runs(&server, "evalsha") - before, 1);
    assert!(one.unwrap() && three.unwrap());
    assert_eq!(two.unwrap_err().kind(), ErrorKind::Internal);
    for whole in [&claims[0], &claims[2]] {
        let kept = bench.store.delivery(whole.fence.delivery).await.unwrap().unwrap();
        assert_eq!(kept.state.as_str(), "delivered");
    }
}

#[test]
fn a_task_that_is_cut_short_leaves_nobody_waiting_for_it() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { urls: vec![server.url()], ..RedisSettings::default() });
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lead = bench.lead("c1", None);
    let delivery = bench.delivery(&lead);
    let record = || bench.store.record(lead.clone(), delivery.clone(), Fingerprint::of(&["first"]));
    let cut_short = runtime();
    cut_short.block_on(async {
        tokio::select! {
            biased;
            _ = record() => unreachable!("no task of this runtime has had its turn"),
            () = std::future::ready(()) => {}
        }
    });
    drop(cut_short);
    assert!(runtime().block_on(record()).unwrap().fresh);
}

#[tokio::test]
async fn a_sweep_writes_once_which_conversions_of_a_click_are_left() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { urls: vec![server.url()], ..RedisSettings::default() });
    for _ in 0..10 {
        bench.recorded("c1").await;
        let fence = claim(&bench).await.remove(0).fence;
        let delivered = Settlement::Delivered { remote_id: None };
        assert!(bench.store.settle(&fence, None, delivered).await.unwrap());
    }
    bench.clock.advance(SignedDuration::from_hours(24 * 89));
    let (left, _) = bench.recorded("c1").await;
    bench.clock.advance(SignedDuration::from_hours(24 * 2));
    let before = runs(&server, "mset");
    while bench.store.sweep().await.unwrap().touched > 0 {}
    assert_eq!(runs(&server, "mset") - before, 1);
    let lane = ConversionFilter { lane: Some(left.lane), ..ConversionFilter::default() };
    assert_eq!(bench.store.conversions(&lane, 10, None).await.unwrap().items, [left]);
}
