//! What holds while the disk is full, and once there is room again.

use postback_core::{ErrorKind, Status};
use postback_redb_file::testing::Disk;

use super::*;
use crate::conformance::{Bench, ShiftedClock};

const LEASE: Duration = Duration::from_secs(30);

fn bench(disk: &Disk) -> Bench {
    let (clock, opened) = (Arc::<ShiftedClock>::default(), disk.clone());
    let file = RedbFile::over(move || opened.open(), Duration::ZERO).unwrap();
    let store = Embedded::over(file, Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(90 * 86_400));
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
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let claim = bench.store.claim(&lead.account, 10, LEASE).await.unwrap().claims.remove(0);

    disk.fill_after(0);
    let settlement = Settlement::Delivered { remote_id: None };
    assert!(is_full(bench.store.settle(&claim.fence, None, settlement.clone()).await));
    disk.make_room();
    assert!(bench.store.settle(&claim.fence, None, settlement).await.unwrap());
    let story = bench.store.story(lead.id).await.unwrap().unwrap();
    let told: Vec<_> = story.deliveries.iter().map(|told| (told.id, told.state.as_str())).collect();
    assert_eq!(told, [(one, "delivered"), (two, "pending")]);
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_disk_is_full() {
    let disk = Disk::default();
    let bench = bench(&disk);
    let (lead, delivery) = bench.recorded("c1").await;
    disk.fill_after(0);
    let (more, words) = (bench.lead("c2", None), Fingerprint::of(&["first"]));
    assert!(is_full(bench.store.record(more.clone(), bench.delivery(&more), words).await));
    let change = bench.change(&lead, Status::Hold);
    assert!(is_full(bench.store.change(Target::Conversion(lead.id), change).await));
    assert!(is_full(bench.store.pause(&lead.account, Reason::new("why", "in words")).await));
    assert!(is_full(bench.store.sweep().await));
    let unread = bench.store.delivery(delivery).await.unwrap_err();
    assert_eq!(unread.kind(), ErrorKind::Unavailable);

    disk.make_room();
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!((stats.conversions, stats.pending), (1, 1));
    assert_eq!(bench.store.paused(&lead.account).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_recovers_without_a_restart_whatever_the_disk_failed_at() {
    let disk = Disk::default();
    let bench = bench(&disk);
    for changes in 0..24 {
        disk.fail_once_after(changes % 8);
        for number in 0..3 {
            let lead = bench.lead(&format!("c{changes}-{number}"), None);
            let record =
                || bench.store.record(lead.clone(), bench.delivery(&lead), Fingerprint::of(&["first"]));
            if let Err(error) = record().await {
                assert!(is_full::<()>(Err(error)));
                // The repeat is answered as the first would have been.
                assert_eq!(record().await.unwrap().conversion, lead.id);
            }
        }
        disk.make_room();
    }
    let stats = bench.store.stats(&"network".parse().unwrap()).await.unwrap();
    assert_eq!((stats.conversions, stats.pending), (72, 72));
}
