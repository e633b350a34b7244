//! What holds while the disk is full, and once there is room again.

use std::time::Duration;

use postback_core::ErrorKind;
use postback_redb_file::testing::Disk;

use super::*;
use crate::conformance::{Bench, ShiftedClock};

fn bench(disk: &Disk) -> Bench {
    let (clock, opened) = (Arc::<ShiftedClock>::default(), disk.clone());
    let file = RedbFile::over(move || opened.open(), Duration::ZERO).unwrap();
    let store = Embedded { file, clock: Arc::clone(&clock) as Arc<dyn Clock> };
    Bench { store: Arc::new(store), clock, held: Box::new(()) }
}

fn is_full<T: std::fmt::Debug>(answer: Result<T>) -> bool {
    let error = answer.unwrap_err();
    (error.kind(), error.reason()) == (ErrorKind::ResourceExhausted, "STORE_FULL")
}

#[tokio::test]
async fn what_was_acknowledged_before_the_disk_was_full_is_there_when_space_is_back() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let click = bench.capture(bench.click("c1"), true).await.unwrap();
    let user = "user".parse().unwrap();
    bench.store.attach(&user, bench.attribution(&click)).await.unwrap();

    disk.fill_after(0);
    assert!(is_full(bench.capture(bench.click("c2"), true).await));
    disk.make_room();
    let kept = bench.store.click(&click.click.account, &click.click.id).await.unwrap();
    assert_eq!(kept, Some(click.clone()));
    assert_eq!(bench.store.clicks_of(&user).await.unwrap()[0].click, click.click);
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_disk_is_full() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let click = bench.capture(bench.click("c1"), false).await.unwrap();
    let (account, id) = (&click.click.account, &click.click.id);
    let user = "user".parse().unwrap();

    disk.fill_after(0);
    assert!(is_full(bench.capture(bench.click("c2"), false).await));
    assert!(is_full(bench.store.attach(&user, bench.attribution(&click)).await));
    assert!(is_full(bench.store.erase_click(account, id).await));
    assert!(is_full(bench.store.ping().await));
    assert_eq!(bench.store.click(account, id).await.unwrap_err().kind(), ErrorKind::Unavailable);

    disk.make_room();
    let second = bench.click("c2").click;
    assert_eq!(bench.store.click(&second.account, &second.id).await.unwrap(), None);
    assert_eq!(bench.store.clicks_of(&user).await.unwrap(), []);
    assert_eq!(bench.store.click(account, id).await.unwrap(), Some(click.clone()));
}

#[tokio::test]
async fn a_store_recovers_without_a_restart_whatever_the_disk_failed_at() {
    let disk = Disk::default();
    let bench = bench(&disk);
    for changes in 0..24 {
        disk.fail_once_after(changes % 8);
        for number in 0..3 {
            let click = bench.click(&format!("c{changes}-{number}"));
            if let Err(error) = bench.capture(click.clone(), true).await {
                assert!(is_full::<()>(Err(error)));
                assert_eq!(bench.capture(click.clone(), true).await.unwrap(), click);
            }
            let kept = bench.store.click(&click.click.account, &click.click.id).await.unwrap();
            assert_eq!(kept, Some(click));
        }
        disk.make_room();
    }
}
