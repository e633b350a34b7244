//! What holds while the disk is full, and once there is room again.

use std::time::Duration;

use postback_core::{ErrorKind, Series};
use postback_redb_file::testing::Disk;

use super::*;
use crate::conformance::{Bench, ShiftedClock};

fn bench(disk: &Disk) -> Bench {
    let (clock, opened) = (Arc::<ShiftedClock>::default(), disk.clone());
    let file = RedbFile::over(move || opened.open(), Duration::ZERO).unwrap();
    let logbook = Embedded { file, clock: Arc::clone(&clock) as Arc<dyn Clock> };
    Bench { logbook: Arc::new(logbook), clock, held: Box::new(()) }
}

fn is_full<T: std::fmt::Debug>(answer: Result<T>) -> bool {
    let error = answer.unwrap_err();
    (error.kind(), error.reason()) == (ErrorKind::ResourceExhausted, "STORE_FULL")
}

fn spring() -> CampaignId {
    "spring".parse().unwrap()
}

/// One click, in the bucket of now.
fn one(bench: &Bench) -> Bucket {
    Bucket { start: Bucket::start_of(bench.clock.now()), counts: vec![(Series::Clicks(spring()), 1)] }
}

async fn history(bench: &Bench) -> Result<Vec<Bucket>> {
    bench.logbook.history(Timestamp::MIN, Timestamp::MAX).await
}

#[tokio::test]
async fn what_was_written_before_the_disk_was_full_is_there_when_space_is_back() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let (action, counts, click) = (bench.action(1), one(&bench), bench.click("a"));
    bench.logbook.enter(action.clone()).await.unwrap();
    bench.logbook.add([1; 16], &counts).await.unwrap();
    bench.logbook.glimpse(&spring(), std::slice::from_ref(&click)).await.unwrap();

    disk.fill_after(0);
    assert!(is_full(bench.logbook.enter(bench.action(2)).await));
    disk.make_room();
    assert_eq!(bench.logbook.actions(10, None).await.unwrap().items, [action]);
    assert_eq!(history(&bench).await.unwrap(), [counts]);
    assert_eq!(bench.logbook.latest(&spring(), 10, None).await.unwrap().items, [click]);
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_disk_is_full() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let click = bench.click("a");
    bench.logbook.glimpse(&spring(), std::slice::from_ref(&click)).await.unwrap();

    disk.fill_after(0);
    assert!(is_full(bench.logbook.enter(bench.action(1)).await));
    assert!(is_full(bench.logbook.add([1; 16], &one(&bench)).await));
    assert!(is_full(bench.logbook.glimpse(&spring(), &[bench.click("b")]).await));
    assert!(is_full(bench.logbook.forget(&spring(), &click.account, &click.id).await));
    assert!(is_full(bench.logbook.sweep().await));
    assert_eq!(history(&bench).await.unwrap_err().kind(), ErrorKind::Unavailable);

    disk.make_room();
    assert_eq!(history(&bench).await.unwrap(), []);
    assert_eq!(bench.logbook.actions(10, None).await.unwrap().items, []);
    assert_eq!(bench.logbook.latest(&spring(), 10, None).await.unwrap().items, [click]);
}

#[tokio::test]
async fn a_logbook_recovers_without_a_restart_whatever_the_disk_failed_at() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let counts = one(&bench);
    for changes in 0..24_u8 {
        disk.fail_once_after(u64::from(changes) % 8);
        for number in 0..3 {
            let batch = [3 * changes + number; 16];
            if let Err(error) = bench.logbook.add(batch, &counts).await {
                assert!(is_full::<()>(Err(error)));
                // It may have been added all the same: then the repeat counts nothing.
                bench.logbook.add(batch, &counts).await.unwrap();
            }
        }
        disk.make_room();
    }
    assert_eq!(history(&bench).await.unwrap()[0].counts, [(Series::Clicks(spring()), 72)]);
}
