//! The Redis engine on a single server.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    ConversionId, DeliveryId, ErrorKind, Fingerprint, LaneId, Outcome, Status,
    ports::{Clock, DeliveryFilter, Outbox, Settlement, Target},
};
use postback_outbox::{
    RedisOutbox, RedisSettings, Topology,
    conformance::{Bench, ShiftedClock},
};
use postback_redis_link::testing::RedisServer;
use redis::{Commands, Connection};

postback_outbox::conformance!(bench);

const DELIVERED: Settlement = Settlement::Delivered { remote_id: None };
/// How long a bench keeps what is settled.
const MONTHS: Duration = Duration::from_secs(90 * 86_400);
const LEASE: Duration = Duration::from_secs(30);

/// A bench on `urls`, under a prefix of its own.
pub(crate) fn bench_on(urls: Vec<String>, topology: Topology) -> Bench {
    static BENCHES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("t{}:", BENCHES.fetch_add(1, Ordering::Relaxed));
    bench_with(&RedisSettings {
        urls,
        topology,
        prefix,
        timeout: Duration::from_secs(20),
        ..RedisSettings::default()
    })
}

pub(crate) fn bench_with(settings: &RedisSettings) -> Bench {
    let clock = Arc::new(ShiftedClock::default());
    let store = RedisOutbox::connect(settings, Arc::clone(&clock) as Arc<dyn Clock>, MONTHS).unwrap();
    Bench { store: Arc::new(store), clock, held: Box::new(()) }
}

/// The clock of a hub that runs an hour ahead of Redis's.
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_hours(1)
    }
}

/// On the one server that all tests share.
async fn bench() -> Bench {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    bench_on(vec![SERVER.get_or_init(RedisServer::start).url()], Topology::Single)
}

fn own(server: &RedisServer, timeout: Duration) -> RedisSettings {
    RedisSettings { urls: vec![server.url()], timeout, ..RedisSettings::default() }
}

fn patient(server: &RedisServer) -> RedisSettings {
    own(server, Duration::from_secs(10))
}

fn look_into(server: &RedisServer) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

fn config(server: &RedisServer, name: &str, value: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg(name).arg(value).query::<()>(&mut look_into(server)).unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let mut server = RedisServer::start();
    server.kill();
    let bench = bench_with(&patient(&server));
    for _ in 0..3 {
        let away = bench.store.ping().await.unwrap_err();
        assert_eq!((away.kind(), away.reason()), (ErrorKind::Unavailable, "STORE_UNAVAILABLE"));
        assert_eq!(away.to_string(), "redis cannot be reached");
    }
    server.restart();
    bench.recorded("c1").await;

    server.kill();
    let away = bench.store.claim(&"network".parse().unwrap(), 10, LEASE).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable);
    server.restart();
    bench.recorded("c2").await;
}

#[tokio::test]
async fn a_server_that_was_restarted_in_a_quiet_hour_costs_no_error() {
    let mut server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    for click in ["c1", "c2", "c3"] {
        bench.recorded(click).await;
        server.kill();
        server.restart();
    }
    bench.recorded("c4").await;
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_in_time_and_its_step_can_be_made_again() {
    let server = RedisServer::start();
    let bench = bench_with(&own(&server, Duration::from_millis(300)));
    bench.store.ping().await.unwrap();
    let lead = bench.lead("c1", Some("t1"));
    let delivery = bench.delivery(&lead);
    let words = Fingerprint::of(&["first"]);
    server.freeze();
    let late = bench.store.record(lead.clone(), delivery.clone(), words).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable);
    assert_eq!(late.to_string(), "redis did not answer within 300ms");
    server.thaw();
    bench.store.ping().await.unwrap();
    let recorded = bench.store.record(lead.clone(), delivery.clone(), words).await.unwrap();
    assert_eq!((recorded.conversion, recorded.delivery), (lead.id, delivery.id));
    assert_eq!(bench.store.story(lead.id).await.unwrap().unwrap().deliveries.len(), 1);
}

#[tokio::test]
async fn a_full_server_takes_nothing_in_and_forgets_no_outcome() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let bench = bench_with(&patient(&server));
    let (lead, one) = bench.recorded("c1").await;
    config(&server, "maxmemory", "1");

    let two = bench.lead("c2", None);
    let full = bench.store.record(two.clone(), bench.delivery(&two), Fingerprint::of(&["first"])).await;
    let full = full.unwrap_err();
    assert_eq!((full.kind(), full.reason()), (ErrorKind::ResourceExhausted, "STORE_FULL"));
    let change = bench.change(&lead, Status::Hold);
    let full = bench.store.change(Target::Conversion(lead.id), change).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::ResourceExhausted);
    assert_eq!(bench.store.story(two.id).await.unwrap(), None, "nothing is half written");

    let claims = bench.store.claim(&lead.account, 10, LEASE).await.unwrap();
    let fence = &claims.claims[0].fence;
    assert!(bench.store.start(fence).await.unwrap());
    assert!(bench.store.settle(fence, None, DELIVERED).await.unwrap());
    assert_eq!(bench.store.delivery(one).await.unwrap().unwrap().state.as_str(), "delivered");
    config(&server, "maxmemory", "0");
    bench.record(&two).await;
}

#[tokio::test]
async fn a_wrong_password_is_unavailable_and_shown_nowhere() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2"]);
    let with = |password: &str| {
        bench_on(vec![server.url().replace("//", &format!("//:{password}@"))], Topology::Single)
    };
    let refused = with("hunter3").store.ping().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().starts_with("redis refuses the user or password"), "{refused}");
    assert!(!format!("{refused:?}").contains("hunter"), "{refused:?}");
    with("hunter2").store.ping().await.unwrap();
}

#[tokio::test]
async fn the_promise_is_what_the_server_is_set_to() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    assert!(bench.store.promise().await.unwrap().words.contains("memory alone"));
    config(&server, "appendonly", "yes");
    for (sync, words) in [
        ("no", "may cost half a minute (appendfsync no)"),
        ("everysec", "within a second, which a power cut may cost (appendfsync everysec)"),
        ("always", "is on redis's disk (appendfsync always)"),
    ] {
        config(&server, "appendfsync", sync);
        let promise = bench.store.promise().await.unwrap().words;
        assert!(promise.contains(words) && !promise.contains("rewrites"), "{promise}");
        assert!(promise.ends_with("set aof-load-truncated to no"), "{promise}");
    }
    config(&server, "aof-load-truncated", "no");
    assert!(bench.store.promise().await.unwrap().words.ends_with("(appendfsync always)"));
    config(&server, "no-appendfsync-on-rewrite", "yes");
    assert!(bench.store.promise().await.unwrap().words.ends_with("(no-appendfsync-on-rewrite yes)"));
    config(&server, "maxmemory-policy", "allkeys-lru");
    let refused = bench.store.promise().await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "EVICTION_POLICY"));
}

#[tokio::test]
async fn a_server_that_hides_its_settings_is_asked_how_it_does() {
    let server = RedisServer::start();
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg(&["app", "on", ">secret", "~*", "&*", "+@all", "-config"]);
    acl.query::<()>(&mut look_into(&server)).unwrap();
    let url = server.url().replace("//", "//app:secret@");
    let bench = bench_with(&RedisSettings { urls: vec![url], ..patient(&server) });
    assert!(bench.store.promise().await.unwrap().words.contains("memory alone"));
    config(&server, "maxmemory-policy", "volatile-ttl");
    assert_eq!(bench.store.promise().await.unwrap_err().reason(), "EVICTION_POLICY");
}

#[tokio::test]
async fn a_server_that_tells_nothing_of_itself_is_no_server_that_is_away() {
    let mut server = RedisServer::start();
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg(&["app", "on", ">secret", "~*", "&*", "+@all", "-config", "-info"]);
    acl.query::<()>(&mut look_into(&server)).unwrap();
    let url = server.url().replace("//", "//app:secret@");
    let bench = bench_with(&RedisSettings { urls: vec![url], ..patient(&server) });
    let promise = bench.store.promise().await.unwrap().words;
    assert!(promise.contains("does not tell when") && promise.ends_with("must be noeviction"), "{promise}");
    server.kill();
    assert_eq!(bench.store.promise().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_no_replica_has_is_not_acknowledged() {
    let server = RedisServer::start();
    let bench = bench_with(&RedisSettings { wait_replicas: 1, ..own(&server, Duration::from_secs(3)) });
    let promise = bench.store.promise().await.unwrap().words;
    assert!(promise.contains("now 0 of 1 replicas are connected"), "{promise}");
    let lead = bench.lead("c1", None);
    let refused = bench.store.record(lead.clone(), bench.delivery(&lead), Fingerprint::of(&["first"])).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Unavailable, "REPLICAS_MISSING"));
    assert_eq!(refused.to_string(), "the write was made, but 0 of 1 replicas confirmed it in time");
    let begun = bench.store.claim(&lead.account, 1, LEASE).await.unwrap_err();
    assert_eq!(begun.reason(), "REPLICAS_MISSING", "what a new master may not know is not begun");
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_taught_them_again() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    bench.recorded("c1").await;
    redis::cmd("SCRIPT").arg("FLUSH").query::<()>(&mut look_into(&server)).unwrap();
    bench.recorded("c2").await;
}

#[tokio::test]
async fn nothing_is_left_in_redis_of_what_is_past_its_time() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let mut lead = bench.lead("c1", Some("t1"));
    lead.user = Some("user".parse().unwrap());
    bench.record(&lead).await;
    bench.changed(&lead, Status::Hold).await;
    let other = bench.lead("c2", Some("t2"));
    let early = bench.change(&other, Status::Hold);
    bench.store.change(Target::Key(other.key().unwrap()), early).await.unwrap();
    for _ in 0..2 {
        let claims = bench.store.claim(&lead.account, 10, LEASE).await.unwrap().claims;
        let attempt = postback_core::Attempt {
            started_at: bench.clock.now(),
            duration: Duration::ZERO,
            call: "GET /".into(),
            status: None,
            answer: String::new(),
            outcome: Outcome::Accepted,
            reason: None,
        };
        assert!(bench.store.settle(&claims[0].fence, Some(attempt), DELIVERED).await.unwrap());
    }
    for _ in 0..2 {
        bench.clock.advance(SignedDuration::from_hours(24 * 95));
        while bench.store.sweep().await.unwrap().touched > 0 {}
    }
    let kept: Vec<Vec<u8>> = look_into(&server).keys("*").unwrap();
    let mut kept: Vec<_> = kept.iter().map(|key| String::from_utf8_lossy(key)).collect();
    kept.retain(|key| !["accounts", "lease", "layout"].iter().any(|name| key.ends_with(name)));
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn no_customer_is_left_in_redis_once_all_is_settled() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let mut lead = bench.lead("c1", None);
    lead.details.customer.email = Some("canary@example.org".into());
    bench.record(&lead).await;
    assert!(dump(&server).contains("canary"), "the check sees what is there");
    let claims = bench.store.claim(&lead.account, 10, LEASE).await.unwrap().claims;
    assert!(bench.store.settle(&claims[0].fence, None, DELIVERED).await.unwrap());
    assert!(!dump(&server).contains("canary"));
}

#[tokio::test]
async fn what_a_hub_with_a_clock_of_its_own_puts_off_waits_by_the_clock_of_redis() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let hub = RedisOutbox::connect(&patient(&server), Arc::new(Ahead), MONTHS).unwrap();
    let minute = SignedDuration::from_mins(1);
    for click in ["settled", "released"] {
        let (lead, delivery) = bench.recorded(click).await;
        let fence = hub.claim(&lead.account, 1, LEASE).await.unwrap().claims.remove(0).fence;
        let (before, at) = (Timestamp::now(), Ahead.now() + minute);
        let done = match click {
            "settled" => hub.settle(&fence, None, Settlement::Retry { at }).await,
            _ => hub.release(&fence, at).await,
        };
        assert!(done.unwrap());
        let due = bench.store.delivery(delivery).await.unwrap().unwrap().due_at.unwrap();
        let waits = due.duration_since(before);
        assert!(waits >= minute && waits < 2 * minute, "{click}: {waits}");
    }
}

#[tokio::test]
async fn a_damaged_record_stops_its_own_lane_and_no_other() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, damaged) = bench.recorded("c1").await;
    let (_, whole) = bench.recorded("c2").await;
    let mut redis = look_into(&server);
    let keys: Vec<Vec<u8>> = redis.keys("*:d:*").unwrap();
    let key = keys.iter().find(|key| key.ends_with(damaged.as_bytes())).unwrap();
    let cut: Vec<u8> = redis.getrange(key, 0, 200).unwrap();
    redis.set::<_, _, ()>(key, cut).unwrap();
    let (unread, unread_delivery) = bench.recorded("c3").await;
    let keys: Vec<Vec<u8>> = redis.keys("*:l:*").unwrap();
    let key = keys.iter().find(|key| key.ends_with(unread.lane.as_bytes())).unwrap();
    redis.set::<_, _, ()>(key, "cut").unwrap();
    let claims = bench.store.claim(&lead.account, 10, LEASE).await.unwrap().claims;
    assert_eq!(claims.iter().map(|claim| claim.fence.delivery).collect::<Vec<_>>(), [whole]);
    assert!(bench.store.settle(&claims[0].fence, None, DELIVERED).await.unwrap());
    assert_eq!(bench.store.delivery(damaged).await.unwrap_err().kind(), ErrorKind::Internal);
    let listed = bench.store.deliveries(&DeliveryFilter::default(), 10, None).await.unwrap().items;
    assert_eq!(listed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [unread_delivery, whole]);
}

/// What a sweep removes in time: a lead that was delivered, and a change whose conversion never comes.
pub(crate) async fn swept_later(bench: &Bench, click: &str) -> (ConversionId, [DeliveryId; 2]) {
    let (lead, delivery) = bench.recorded(click).await;
    let other = bench.lead(&format!("{click}-other"), Some("t1"));
    let waiting = bench.change(&other, Status::Hold);
    bench.store.change(Target::Key(other.key().unwrap()), waiting.clone()).await.unwrap();
    let claim = bench.store.claim(&lead.account, 1, LEASE).await.unwrap().claims.remove(0);
    assert!(bench.store.settle(&claim.fence, None, DELIVERED).await.unwrap());
    (lead.id, [delivery, waiting.id])
}

/// Sweeps for so long that nothing whole is left of them. How many became dead of it.
pub(crate) async fn sweep_for_long(bench: &Bench, (lead, told): (ConversionId, [DeliveryId; 2])) -> usize {
    let mut dead = 0;
    for days in [40, 100] {
        bench.clock.advance(SignedDuration::from_hours(24 * days));
        for _ in 0..5 {
            dead += bench.store.sweep().await.map_or(0, |swept| swept.dead.len());
        }
    }
    assert_eq!(bench.store.story(lead).await.unwrap(), None);
    for id in told {
        assert_eq!(bench.store.delivery(id).await.unwrap(), None);
    }
    dead
}

#[tokio::test]
async fn a_damaged_record_stops_no_other_from_being_swept() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (_, damaged) = swept_later(&bench, "damaged").await;
    // Enough that some share a partition with what is damaged.
    let mut whole = Vec::new();
    for number in 0..32 {
        whole.push(swept_later(&bench, &format!("c{number}")).await);
    }
    let mut redis = look_into(&server);
    for id in damaged {
        let keys: Vec<Vec<u8>> = redis.keys("*:d:*").unwrap();
        let key = keys.iter().find(|key| key.ends_with(id.as_bytes())).unwrap();
        let cut: Vec<u8> = redis.getrange(key, 0, 60).unwrap();
        redis.set::<_, _, ()>(key, cut).unwrap();
    }
    let mut dead = 0;
    for one in whole {
        dead += sweep_for_long(&bench, one).await;
    }
    assert_eq!(dead, 32, "each is told of");
    let said = bench.store.sweep().await.unwrap_err();
    assert_eq!(said.kind(), ErrorKind::Internal, "it is said each time");
}

/// A hub's clock beside a Redis whose own runs a hundred days ahead.
struct Behind;

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn ahead_ms(&self) -> i64 {
        100 * 24 * 60 * 60 * 1_000
    }
}

#[tokio::test]
async fn a_redis_whose_clock_is_far_from_the_hubs_removes_nothing() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, [delivery, waiting]) = swept_later(&bench, "c1").await;
    let hub = RedisOutbox::connect(&patient(&server), Arc::new(Behind), MONTHS).unwrap();
    let refused = hub.sweep().await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "CLOCKS_APART"));
    assert!(hub.story(lead).await.unwrap().is_some_and(|story| story.deliveries[0].id == delivery));
    assert_eq!(hub.delivery(waiting).await.unwrap().unwrap().state.as_str(), "waiting");
}

#[tokio::test]
async fn what_some_partitions_leased_is_worked_on_though_another_is_in_trouble() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, _) = bench.recorded("c0").await;
    let of_another = |other: &LaneId| other.shard().byte() & 15 != lead.lane.shard().byte() & 15;
    let mut healthy = 0;
    for number in 1..40 {
        let (other, _) = bench.recorded(&format!("c{number}")).await;
        healthy += usize::from(of_another(&other.lane));
    }
    let number = format!("pb:{{o:{:02}}}:lease", lead.lane.shard().byte() & 15);
    look_into(&server).rpush::<_, _, ()>(&number, "no number").unwrap();
    let claims = bench.store.claim(&lead.account, 100, LEASE).await.unwrap().claims;
    assert!(healthy > 0 && claims.iter().all(|claim| of_another(&claim.fence.lane)));
    assert_eq!(claims.len(), healthy);
    let trouble = bench.store.claim(&lead.account, 100, LEASE).await.unwrap_err();
    assert_eq!(trouble.kind(), ErrorKind::Internal, "it is told once nothing else is to be done");
}

#[tokio::test]
async fn a_step_that_breaks_off_changes_nothing() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, head) = bench.recorded("c1").await;
    let next = bench.changed(&lead, Status::Hold).await;
    let mut redis = look_into(&server);
    let keys: Vec<Vec<u8>> = redis.keys("*:d:*").unwrap();
    let key = keys.iter().find(|key| key.ends_with(next.as_bytes())).unwrap();
    let whole: Vec<u8> = redis.get(key).unwrap();
    redis.set::<_, _, ()>(key, &whole[..10]).unwrap();
    let claims = bench.store.claim(&lead.account, 10, LEASE).await.unwrap().claims;
    let feed = |redis: &mut Connection| -> Vec<(Vec<u8>, i64)> {
        let keys: Vec<Vec<u8>> = redis.keys("*:changes").unwrap();
        keys.iter().flat_map(|key| redis.zrange_withscores::<_, Vec<_>>(key, 0, -1).unwrap()).collect()
    };
    let told = feed(&mut redis);
    let broken = bench.store.settle(&claims[0].fence, None, DELIVERED).await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Internal);
    assert_eq!(feed(&mut redis), told, "what did not change is not told to have changed");
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!((stats.pending, stats.delivered), (2, 0));
    assert_eq!(bench.store.delivery(head).await.unwrap().unwrap().state.as_str(), "pending");

    redis.set::<_, _, ()>(key, whole).unwrap();
    assert!(bench.store.settle(&claims[0].fence, None, DELIVERED).await.unwrap());
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!((stats.pending, stats.delivered), (1, 1));
}

#[tokio::test]
async fn no_lease_has_the_number_of_an_earlier_one_though_redis_lost_its_last_writes() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, _) = bench.recorded("c1").await;
    let claim = async || bench.store.claim(&lead.account, 1, LEASE).await.unwrap().claims.remove(0).fence;
    let first = claim().await;
    let mut redis = look_into(&server);
    for key in redis.keys::<_, Vec<Vec<u8>>>("*:lease").unwrap() {
        redis.del::<_, ()>(key).unwrap();
    }
    bench.clock.advance(SignedDuration::from_mins(1));
    let second = claim().await;
    assert!(second.token > first.token, "{second:?} after {first:?}");
    assert!(!bench.store.start(&first).await.unwrap() && bench.store.start(&second).await.unwrap());
}

#[tokio::test]
async fn a_feed_in_which_almost_all_changed_again_is_read_a_piece_at_a_time() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    let (lead, first) = bench.recorded("c1").await;
    let mut redis = look_into(&server);
    let feed = redis.keys::<_, Vec<Vec<u8>>>("*:changes").unwrap().remove(0);
    let now = bench.clock.now().as_millisecond();
    for number in 0..1_000_u128 {
        redis.zadd::<_, _, _, ()>(&feed, &number.to_be_bytes()[..], now).unwrap();
    }
    bench.clock.advance(SignedDuration::from_secs(1));
    let last = bench.changed(&lead, Status::Hold).await;
    redis::cmd("CONFIG").arg("RESETSTAT").query::<()>(&mut redis).unwrap();
    let since = bench.clock.now() - SignedDuration::from_mins(1);
    let told = bench.store.changed_since(since, 10).await.unwrap();
    assert_eq!(told.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [first, last]);
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut redis).unwrap();
    let runs = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).unwrap();
    let runs: usize = runs.split(',').next().unwrap().parse().unwrap();
    assert!(runs >= 16 + 10, "{runs} runs for 16 partitions, of which one has a thousand that changed again");
}

#[tokio::test]
async fn records_that_lie_otherwise_are_refused() {
    let server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    for _ in ["first", "again"] {
        bench.store.promise().await.unwrap();
    }
    let mut redis = look_into(&server);
    let key = redis.keys::<_, Vec<String>>("*:layout").unwrap().remove(0);
    redis.set::<_, _, ()>(&key, "0").unwrap();
    let refused = bench.store.promise().await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "STORE_FORMAT"));
    assert!(refused.to_string().contains("are of layout `0`"), "{refused}");
    let later = bench_with(&patient(&server));
    let lead = later.lead("c1", None);
    let first = Fingerprint::of(&["first"]);
    let refused = later.store.record(lead.clone(), later.delivery(&lead), first).await.unwrap_err();
    assert_eq!(refused.reason(), "STORE_FORMAT", "nor is anything written among them");

    redis.set::<_, _, ()>(&key, "1").unwrap();
    later.recorded("c1").await;
}

#[tokio::test]
async fn a_server_that_lost_its_data_is_begun_anew() {
    let mut server = RedisServer::start();
    let bench = bench_with(&patient(&server));
    bench.recorded("before").await;
    server.kill();
    server.restart();
    bench.recorded("after").await;
    bench.store.promise().await.unwrap();
    let later = bench_with(&patient(&server));
    later.store.promise().await.unwrap();
    later.recorded("later").await;
}

/// All records of a server as text.
fn dump(server: &RedisServer) -> String {
    let mut redis = look_into(server);
    let keys: Vec<Vec<u8>> = redis.keys("*").unwrap();
    let mut text = String::new();
    for key in keys {
        if redis.key_type::<_, String>(&key).unwrap() == "string" {
            text.push_str(&String::from_utf8_lossy(&redis.get::<_, Vec<u8>>(&key).unwrap()));
        }
    }
    text
}
