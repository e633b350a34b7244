//! The embedded engine.

use std::{sync::Arc, time::Duration};

use postback_core::{
    DeliveryId, ErrorKind, Status,
    ports::{Clock, DeliveryFilter, Outbox, Settlement, Target},
};
use postback_outbox::{
    Embedded,
    conformance::{Bench, ShiftedClock},
};
use tempfile::TempDir;

use crate::redis::{sweep_for_long, swept_later};

postback_outbox::conformance!(bench);

const RETENTION: Duration = Duration::from_secs(90 * 86_400);

async fn open(dir: &TempDir, clock: &Arc<ShiftedClock>) -> postback_core::Result<Embedded> {
    Embedded::open(dir.path(), Arc::clone(clock) as Arc<dyn Clock>, RETENTION).await
}

pub(crate) async fn bench() -> Bench {
    let (dir, clock) = (TempDir::new().unwrap(), Arc::default());
    Bench { store: Arc::new(open(&dir, &clock).await.unwrap()), clock, held: Box::new(dir) }
}

#[tokio::test]
async fn a_file_that_is_in_use_is_refused_with_what_to_do() {
    let (dir, clock) = (TempDir::new().unwrap(), Arc::default());
    let first = open(&dir, &clock).await.unwrap();
    let refused = open(&dir, &clock).await.err().unwrap();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "STORE_IN_USE"));
    let path = dir.path().join("outbox.redb");
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is held by another process; stop that one, or let both use Redis, which can be shared",
            path.display()
        )
    );
    drop(first);
    open(&dir, &clock).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_unavailable() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let clock: Arc<ShiftedClock> = Arc::default();
    let refused = Embedded::open(&dir.path().join("file/data"), clock, RETENTION).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (dir, clock) = (TempDir::new().unwrap(), Arc::default());
    let bench = Bench {
        store: Arc::new(open(&dir, &clock).await.unwrap()),
        clock: clock.clone(),
        held: Box::new(()),
    };
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let account = lead.account.clone();
    let claims = bench.store.claim(&account, 10, Duration::from_secs(30)).await.unwrap();
    let fence = claims.claims[0].fence.clone();
    drop(bench);

    let store = open(&dir, &clock).await.unwrap();
    let story = store.story(lead.id).await.unwrap().unwrap();
    assert_eq!(story.deliveries.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [one, two]);
    assert!(store.settle(&fence, None, Settlement::Delivered { remote_id: None }).await.unwrap());
    let next = store.claim(&account, 10, Duration::from_secs(30)).await.unwrap();
    assert_eq!(next.claims[0].fence.delivery, two);
    assert!(next.claims[0].fence.token > fence.token);
}

#[tokio::test]
async fn a_refusal_harms_none_of_the_steps_made_with_it() {
    let bench = bench().await;
    let steps: Vec<_> = (0..64)
        .map(|number| {
            let lead = bench.lead(&format!("c{number}"), None);
            let (store, delivery) = (bench.store.clone(), bench.delivery(&lead));
            let change = bench.change(&bench.lead("unknown", None), Status::Hold);
            tokio::spawn(async move {
                if number % 2 == 0 {
                    let unknown = Target::Conversion(change.conversion);
                    store.change(unknown, change).await.unwrap_err();
                } else {
                    let words = postback_core::Fingerprint::of(&["first"]);
                    assert!(store.record(lead, delivery, words).await.unwrap().fresh);
                }
            })
        })
        .collect();
    for step in steps {
        step.await.unwrap();
    }
    let stats = bench.store.stats(&"network".parse().unwrap()).await.unwrap();
    assert_eq!((stats.conversions, stats.pending), (32, 32));
}

/// Damages the records of some deliveries in a store that nobody has open.
fn damage(dir: &TempDir, deliveries: &[DeliveryId]) {
    let database = redb::Database::open(dir.path().join("outbox.redb")).unwrap();
    let table = redb::TableDefinition::<[u8; 16], &[u8]>::new("deliveries");
    let transaction = database.begin_write().unwrap();
    for id in deliveries {
        transaction.open_table(table).unwrap().insert(id.as_bytes(), b"\x7f".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_damaged_record_stops_its_own_lane_and_no_other() {
    let (dir, clock) = (TempDir::new().unwrap(), Arc::default());
    let bench = Bench {
        store: Arc::new(open(&dir, &clock).await.unwrap()),
        clock: clock.clone(),
        held: Box::new(()),
    };
    let (_, damaged) = bench.recorded("c1").await;
    let (lead, whole) = bench.recorded("c2").await;
    drop(bench);
    damage(&dir, &[damaged]);

    let store = open(&dir, &clock).await.unwrap();
    let claims = store.claim(&lead.account, 10, Duration::from_secs(30)).await.unwrap().claims;
    assert_eq!(claims.iter().map(|claim| claim.fence.delivery).collect::<Vec<_>>(), [whole]);
    assert!(store.settle(&claims[0].fence, None, Settlement::Delivered { remote_id: None }).await.unwrap());
    assert_eq!(store.delivery(damaged).await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(store.claim(&lead.account, 10, Duration::from_secs(30)).await.unwrap().next_due, None);
    let listed = store.deliveries(&DeliveryFilter::default(), 10, None).await.unwrap().items;
    assert_eq!(listed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [whole]);
}

#[tokio::test]
async fn a_damaged_record_stops_no_other_from_being_swept() {
    let (dir, clock) = (TempDir::new().unwrap(), Arc::default());
    let on = async || Bench {
        store: Arc::new(open(&dir, &clock).await.unwrap()),
        clock: clock.clone(),
        held: Box::new(()),
    };
    let bench = on().await;
    let (_, damaged) = swept_later(&bench, "damaged").await;
    let whole = swept_later(&bench, "whole").await;
    drop(bench);
    damage(&dir, &damaged);
    sweep_for_long(&on().await, whole).await;
}
