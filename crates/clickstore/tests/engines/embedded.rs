//! The embedded engine.

use std::{path::Path, sync::Arc};

use jiff::SignedDuration;
use postback_clickstore::{
    Embedded,
    conformance::{Bench, ShiftedClock},
};
use postback_core::{
    CLICK_LIFE, ErrorKind,
    ports::{ClickStore, Clock},
};
use tempfile::TempDir;

postback_clickstore::conformance!(bench);

fn open(dir: &Path, clock: &Arc<ShiftedClock>) -> postback_core::Result<Embedded> {
    Embedded::open(dir, Arc::clone(clock) as Arc<dyn Clock>)
}

fn bench_in(dir: TempDir) -> Bench {
    let clock = Arc::new(ShiftedClock::default());
    let store = Arc::new(open(dir.path(), &clock).unwrap());
    Bench { store, clock, held: Box::new(dir) }
}

async fn bench() -> Bench {
    bench_in(tempfile::tempdir().unwrap())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopening() {
    let Bench { store, clock, held } = bench().await;
    let dir = held.downcast::<TempDir>().unwrap();
    let bench = Bench { store, clock, held: Box::new(()) };
    let click = bench.capture(bench.click("c1"), false).await.unwrap();
    let user = "user".parse().unwrap();
    bench.store.attach(&user, bench.attribution(&click)).await.unwrap();
    let clock = Arc::clone(&bench.clock);
    drop(bench);

    let again = open(dir.path(), &clock).unwrap();
    assert_eq!(again.click(&click.click.account, &click.click.id).await.unwrap(), Some(click.clone()));
    assert_eq!(again.clicks_of(&user).await.unwrap()[0].click, click.click);
}

#[tokio::test]
async fn a_file_in_use_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::default();
    let _first = open(dir.path(), &clock).unwrap();
    let refusal = open(dir.path(), &clock).err().unwrap();
    assert_eq!((refusal.kind(), refusal.reason()), (ErrorKind::FailedPrecondition, "STORE_IN_USE"));
    let expected = format!(
        "{} is held by another process; stop that one, or let both use Redis, which can be shared",
        dir.path().join("clicks.redb").display()
    );
    assert_eq!(refusal.to_string(), expected);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clicks.redb"), "dear diary ".repeat(1000)).unwrap();
    assert_eq!(open(dir.path(), &Arc::default()).err().unwrap().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refusal = open(&file.join("data"), &Arc::default()).err().unwrap();
    assert_eq!(refusal.kind(), ErrorKind::Unavailable);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_data_directory_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    open(&data, &Arc::default()).unwrap();
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn ps_2_a_sweep_takes_a_bounded_piece_at_a_time_until_nothing_is_left() {
    let bench = bench().await;
    let mut captures = tokio::task::JoinSet::new();
    for number in 0..2500 {
        let (store, click) = (Arc::clone(&bench.store), bench.click(&format!("c{number}")));
        captures.spawn(async move { store.capture(Arc::new(click), true).await.unwrap() });
    }
    captures.join_all().await;
    bench.clock.advance(CLICK_LIFE + SignedDuration::from_secs(1));
    let mut swept = Vec::new();
    while swept.last() != Some(&0) {
        swept.push(bench.store.sweep().await.unwrap());
    }
    assert_eq!(swept, [1000, 1000, 500, 0]);
}

#[tokio::test]
async fn a_caller_who_stops_waiting_disturbs_no_one() {
    let bench = bench().await;
    for number in 0..100 {
        let capture = bench.capture(bench.click(&format!("c{number}")), false);
        drop(tokio::time::timeout(std::time::Duration::ZERO, capture).await);
    }
    let click = bench.capture(bench.click("last"), false).await.unwrap();
    assert_eq!(bench.store.click(&click.click.account, &click.click.id).await.unwrap(), Some(click.clone()));
}
