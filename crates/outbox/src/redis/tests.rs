//! What holds where the client sends a step once more, for its answer was lost.

use postback_redis_link::testing::RedisServer;
use redis::Value;

use super::*;
use crate::conformance::{Bench, ShiftedClock};

const LEASE: Duration = Duration::from_secs(30);

fn bench(server: &RedisServer) -> (Bench, Arc<RedisOutbox>) {
    let settings = RedisSettings {
        urls: vec![server.url()],
        timeout: Duration::from_secs(20),
        ..RedisSettings::default()
    };
    let clock = Arc::new(ShiftedClock::default());
    let store = RedisOutbox::connect(&settings, Arc::clone(&clock) as Arc<dyn Clock>, Duration::ZERO);
    let store = Arc::new(store.unwrap());
    (Bench { store: Arc::clone(&store) as Arc<dyn Outbox>, clock, held: Box::new(()) }, store)
}

/// What the same call says, sent twice.
async fn twice(store: &RedisOutbox, call: Call) -> [String; 2] {
    let said = async || store.run::<Said<Value>>(call.clone()).await.unwrap().0;
    [said().await, said().await]
}

/// Claims all that is due of the bench's account.
async fn due(bench: &Bench) -> Vec<Fence> {
    let claims = bench.store.claim(&"network".parse().unwrap(), 10, LEASE).await.unwrap().claims;
    claims.into_iter().map(|claim| claim.fence).collect()
}

#[tokio::test]
async fn a_decision_that_is_sent_twice_is_made_once() {
    let server = RedisServer::start();
    let (bench, store) = bench(&server);
    let (_, id) = bench.recorded("c1").await;
    let reason = Reason::new("why", "in words");
    let fence = due(&bench).await.remove(0);
    assert!(store.settle(&fence, None, Settlement::InDoubt(reason.clone())).await.unwrap());
    let resolve = Call::acknowledging(&RESOLVE, partition(id.shard())).named();
    assert_eq!(twice(&store, resolve.arg(id.as_bytes()).arg("resend")).await, ["done", "done"]);

    let fence = due(&bench).await.remove(0);
    assert!(store.settle(&fence, None, Settlement::Dead(reason)).await.unwrap());
    let replay = Call::acknowledging(&REPLAY, partition(id.shard())).named();
    assert_eq!(twice(&store, replay.arg(id.as_bytes())).await, ["done", "done"]);

    let fences = due(&bench).await;
    assert_eq!(fences.len(), 1);
    assert!(store.settle(&fences[0], None, Settlement::Delivered { remote_id: None }).await.unwrap());
    assert!(due(&bench).await.is_empty(), "it stood in its line once");
}

#[tokio::test]
async fn a_pause_that_is_sent_twice_says_both_times_that_it_paused() {
    let server = RedisServer::start();
    let (_, store) = bench(&server);
    let pause = Call::acknowledging(&PAUSE, 0).named().arg("network").arg(1).arg("why").arg("in words");
    for _ in ["first", "again"] {
        assert!(store.run::<bool>(pause.clone()).await.unwrap());
    }
    let other = Call::acknowledging(&PAUSE, 0).named().arg("network").arg(1).arg("why").arg("in words");
    assert!(!store.run::<bool>(other).await.unwrap());
}
