//! The embedded engine.

use std::{path::Path, sync::Arc};

use postback_core::{
    ErrorKind, Series,
    ports::{ACTIONS_KEPT, BUCKET, Bucket, Clock, Logbook},
};
use postback_logbook::{
    Embedded,
    conformance::{Bench, ShiftedClock},
};
use tempfile::TempDir;

postback_logbook::conformance!(bench);

fn open(dir: &Path, clock: &Arc<ShiftedClock>) -> postback_core::Result<Embedded> {
    Embedded::open(dir, Arc::clone(clock) as Arc<dyn Clock>)
}

async fn bench() -> Bench {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ShiftedClock::default()));
    let logbook = Arc::new(open(dir.path(), &clock).unwrap());
    Bench { logbook, clock, held: Box::new(dir) }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_reopening() {
    let Bench { logbook, clock, held } = bench().await;
    let dir = held.downcast::<TempDir>().unwrap();
    let bench = Bench { logbook, clock, held: Box::new(()) };
    let action = bench.action(1);
    bench.logbook.enter(action.clone()).await.unwrap();
    let clock = Arc::clone(&bench.clock);
    drop(bench);
    let again = open(dir.path(), &clock).unwrap();
    assert_eq!(again.actions(10, None).await.unwrap().items, [action]);
}

#[tokio::test]
async fn a_sweep_takes_a_bounded_piece_at_a_time_until_nothing_is_left() {
    let bench = bench().await;
    let start = Bucket::start_of(bench.clock.now());
    let series = |number: usize| Series::Clicks(format!("c{number}").parse().unwrap());
    let counts = (0..1_500).map(|number| (series(number), 1)).collect();
    bench.logbook.add([1; 16], &Bucket { start, counts }).await.unwrap();
    bench.logbook.enter(bench.action(1)).await.unwrap();
    bench.logbook.glimpse(&"spring".parse().unwrap(), &[bench.click("a")]).await.unwrap();
    assert_eq!(bench.logbook.sweep().await.unwrap(), 0);
    bench.clock.advance(ACTIONS_KEPT + BUCKET);
    let mut swept = Vec::new();
    while swept.last() != Some(&0) {
        swept.push(bench.logbook.sweep().await.unwrap());
    }
    assert_eq!(swept, [1_000, 503, 0]);
}

#[tokio::test]
async fn a_file_in_use_or_of_another_kind_is_refused() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::default());
    let first = open(dir.path(), &clock).unwrap();
    let refusal = open(dir.path(), &clock).err().unwrap();
    assert_eq!((refusal.kind(), refusal.reason()), (ErrorKind::FailedPrecondition, "STORE_IN_USE"));
    drop(first);
    std::fs::write(dir.path().join("logbook.redb"), "dear diary ".repeat(1000)).unwrap();
    assert_eq!(open(dir.path(), &clock).err().unwrap().kind(), ErrorKind::Internal);
    assert_eq!(
        open(&dir.path().join("logbook.redb/in"), &clock).err().unwrap().kind(),
        ErrorKind::Unavailable
    );
}
