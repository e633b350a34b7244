//! Checks of counts over time.

use jiff::Timestamp;
use postback_core::{
    LatencyBin, NoClick, Outcome, Series,
    ports::{BUCKET, Bucket, COUNTS_KEPT, Clock as _},
};
use tokio::task::JoinSet;

use super::{Bench, SECOND, near, spring};

fn clicks() -> Series {
    Series::Clicks(spring())
}

fn bucket(start: Timestamp, counts: impl IntoIterator<Item = (Series, u64)>) -> Bucket {
    Bucket { start, counts: counts.into_iter().collect() }
}

/// Now, and when its bucket began.
fn now(bench: &Bench) -> (Timestamp, Timestamp) {
    let now = bench.clock.now();
    (now, Bucket::start_of(now))
}

pub async fn counts_of_a_bucket_add_up_and_buckets_stand_in_the_order_of_time(bench: &Bench) {
    let (now, start) = now(bench);
    let (dead, before) = (Series::Dead(near()), start - BUCKET * 20);
    bench.logbook.add([1; 16], &bucket(start, [(clicks(), 2), (dead.clone(), 1)])).await.unwrap();
    bench.logbook.add([2; 16], &bucket(before, [(clicks(), 7)])).await.unwrap();
    bench.logbook.add([3; 16], &bucket(start, [(clicks(), 3)])).await.unwrap();
    let history = bench.logbook.history(before, now + SECOND).await.unwrap();
    assert_eq!(history, [bucket(before, [(clicks(), 7)]), bucket(start, [(clicks(), 5), (dead, 1)])]);
}

pub async fn a_batch_that_is_added_again_counts_once(bench: &Bench) {
    let (now, start) = now(bench);
    for batch in [[1; 16], [1; 16], [2; 16], [1; 16]] {
        bench.logbook.add(batch, &bucket(start, [(clicks(), 2)])).await.unwrap();
    }
    let history = bench.logbook.history(start, now + SECOND).await.unwrap();
    assert_eq!(history, [bucket(start, [(clicks(), 4)])]);
}

pub async fn every_series_is_kept_apart(bench: &Bench) {
    let (now, start) = now(bench);
    let mut all = vec![
        clicks(),
        Series::Conversions(near()),
        Series::Delivered(near()),
        Series::InDoubt(near()),
        Series::Dead(near()),
        Series::Dead("far".parse().unwrap()),
    ];
    all.extend(NoClick::ALL.map(|reason| Series::Lost(spring(), reason)));
    all.extend(Outcome::ALL.map(|outcome| Series::Attempts(near(), outcome)));
    all.extend(LatencyBin::all().map(|bin| Series::Latency(near(), bin)));
    all.sort();
    let counts: Vec<_> = all.into_iter().zip(1..).collect();
    bench.logbook.add([1; 16], &bucket(start, counts.clone())).await.unwrap();
    let mut history = bench.logbook.history(start, now + SECOND).await.unwrap();
    history[0].counts.sort();
    assert_eq!(history, [bucket(start, counts)]);
}

pub async fn a_history_holds_its_beginning_and_not_its_end(bench: &Bench) {
    let (_, start) = now(bench);
    for (batch, at) in [([1; 16], start - BUCKET), ([2; 16], start), ([3; 16], start + BUCKET)] {
        bench.logbook.add(batch, &bucket(at, [(clicks(), 1)])).await.unwrap();
    }
    let history = bench.logbook.history(start, start + BUCKET).await.unwrap();
    assert_eq!(history, [bucket(start, [(clicks(), 1)])]);
    let history = bench.logbook.history(start - SECOND, start + BUCKET + SECOND).await.unwrap();
    assert_eq!(history.len(), 2);
    assert!(bench.logbook.history(start + BUCKET, start).await.unwrap().is_empty());
}

pub async fn counts_are_kept_for_eight_days_and_are_swept(bench: &Bench) {
    let (_, start) = now(bench);
    bench.logbook.add([1; 16], &bucket(start, [(clicks(), 1)])).await.unwrap();
    let end = start + COUNTS_KEPT;
    bench.clock.advance(end.duration_since(bench.clock.now()) - SECOND * 10);
    let all = async || bench.logbook.history(Timestamp::UNIX_EPOCH, bench.clock.now()).await.unwrap();
    assert_eq!(all().await.len(), 1);
    bench.logbook.sweep().await.unwrap();
    assert_eq!(all().await.len(), 1);
    bench.clock.advance(SECOND * 20);
    assert!(all().await.is_empty());
    while bench.logbook.sweep().await.unwrap() > 0 {}
    assert!(all().await.is_empty());
}

pub async fn many_hubs_count_at_once_and_nothing_is_lost(bench: &Bench) {
    let (now, start) = now(bench);
    let mut hubs = JoinSet::new();
    for hub in 0..20_u8 {
        let logbook = bench.logbook.clone();
        hubs.spawn(async move {
            for number in 0..10 {
                let mut batch = [hub; 16];
                batch[0] = number;
                logbook.add(batch, &bucket(start, [(clicks(), 1)])).await.unwrap();
            }
        });
    }
    hubs.join_all().await;
    let history = bench.logbook.history(start, now + SECOND).await.unwrap();
    assert_eq!(history, [bucket(start, [(clicks(), 200)])]);
}
