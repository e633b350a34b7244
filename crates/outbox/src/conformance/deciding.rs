//! What operators decide: resolve, replay; and the counts they look at.

use postback_core::{
    Conversion, ConversionId, DeliveryId, DeliveryState, ErrorKind, Status,
    ports::{AccountStats, Resolution, Settlement},
};
use uuid::Uuid;

use super::{
    Bench,
    bench::{DELIVERED, MINUTE, SECOND, days, dead, in_doubt},
};

/// A lead in doubt with a change behind it.
async fn doubted(bench: &Bench) -> (Conversion, DeliveryId, DeliveryId) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let claim = bench.claim_of(one).await;
    assert!(bench.store.start(&claim.fence).await.unwrap());
    assert!(bench.store.settle(&claim.fence, None, in_doubt()).await.unwrap());
    (lead, one, two)
}

/// Somebody looked at the network: it has it.
pub async fn a_delivery_in_doubt_is_resolved_as_delivered(bench: &Bench) {
    let (_, one, two) = doubted(bench).await;
    let resolved = bench.store.resolve(one, Resolution::Delivered).await.unwrap();
    assert_eq!(resolved, bench.stands(one).await);
    assert_eq!((resolved.state, resolved.started_at), (DeliveryState::Delivered, None));
    let claim = bench.claim_of(two).await;
    assert_eq!(claim.lead, DeliveryState::Delivered);
}

/// Somebody looked at the network: it does not have it.
pub async fn a_delivery_in_doubt_is_sent_again(bench: &Bench) {
    let (_, one, two) = doubted(bench).await;
    bench.clock.advance(MINUTE);
    let resolved = bench.store.resolve(one, Resolution::Resend).await.unwrap();
    assert_eq!(resolved, bench.stands(one).await);
    assert_eq!((&resolved.state, resolved.started_at), (&DeliveryState::Pending, None));
    assert_eq!(resolved.due_at, Some(resolved.updated_at), "it is due when it was decided");
    let claim = bench.claim_of(one).await;
    assert_eq!(claim.delivery.started_at, None);
    bench.settle(&claim.fence, DELIVERED).await;
    bench.claim_of(two).await;
}

/// A decision is about a doubt.
pub async fn only_a_delivery_in_doubt_can_be_resolved(bench: &Bench) {
    let (_, one, _) = doubted(bench).await;
    bench.store.resolve(one, Resolution::Delivered).await.unwrap();
    let refused = bench.store.resolve(one, Resolution::Resend).await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "NOT_IN_DOUBT"));
    let unknown = DeliveryId::new(Uuid::now_v7(), one.shard());
    assert_eq!(
        bench.store.resolve(unknown, Resolution::Resend).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// A mended cause lets a dead letter live again, after what came since.
pub async fn a_dead_letter_is_replayed_at_the_end_of_its_lane(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let claim = bench.claim_of(one).await;
    bench.settle(&claim.fence, dead("lead_not_delivered")).await;
    let two = bench.changed(&lead, Status::Hold).await;
    let three = bench.changed(&lead, Status::Approved).await;
    let replayed = bench.store.replay(one).await.unwrap();
    assert_eq!(replayed, bench.stands(one).await);
    assert_eq!((replayed.state, replayed.attempts.len()), (DeliveryState::Pending, 1));
    for head in [two, three, one] {
        bench.end(head, DELIVERED).await;
    }
    bench.nothing_is_due().await;
}

/// Changes that died with their lead live again with it; those that died alone do not.
pub async fn a_replayed_lead_brings_its_changes_in_order(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let mut changes = Vec::new();
    for status in [Status::Processing, Status::Hold, Status::Approved] {
        changes.push(bench.changed(&lead, status).await);
    }
    bench.end(one, dead("bad_price")).await;
    bench.end(changes[0], dead("lead_not_delivered")).await;
    bench.end(changes[1], dead("bad_status")).await;
    bench.end(changes[2], dead("lead_not_delivered")).await;
    bench.nothing_is_due().await;
    bench.store.replay(one).await.unwrap();
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!((stats.pending, stats.dead), (3, 1));
    for head in [one, changes[0], changes[2]] {
        bench.end(head, DELIVERED).await;
    }
    bench.nothing_is_due().await;

    assert_eq!(bench.store.replay(changes[1]).await.unwrap().id, changes[1]);
    bench.end(changes[1], DELIVERED).await;
}

/// A change whose turn comes while its replayed lead waits behind it does not die of that: it follows.
pub async fn a_replayed_lead_is_followed_by_the_changes_that_stood_in_line(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Processing).await;
    let three = bench.changed(&lead, Status::Hold).await;
    let four = bench.changed(&lead, Status::Approved).await;
    bench.end(one, dead("bad_price")).await;
    bench.end(two, dead("lead_not_delivered")).await;
    let claim = bench.claim_of(three).await;
    bench.store.replay(one).await.unwrap();
    let five = bench.changed(&lead, Status::Cancelled).await;
    bench.settle(&claim.fence, dead("lead_not_delivered")).await;
    assert!(
        bench.store.settle(&claim.fence, None, dead("lead_not_delivered")).await.unwrap(),
        "once is enough"
    );
    bench.end(four, dead("lead_not_delivered")).await;
    for head in [one, two, three, four, five] {
        bench.end(head, DELIVERED).await;
    }
    bench.nothing_is_due().await;
    assert_eq!(bench.stands(three).await.attempts.len(), 1);
}

/// A replay is for what is dead and can still count.
pub async fn only_a_dead_letter_within_its_clicks_life_can_be_replayed(bench: &Bench) {
    let (_, one) = bench.recorded("c1").await;
    let refused = bench.store.replay(one).await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "NOT_DEAD"));
    let unknown = DeliveryId::new(Uuid::now_v7(), one.shard());
    assert_eq!(bench.store.replay(unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    bench.end(one, dead("bad_price")).await;
    bench.clock.advance(days(30));
    let refused = bench.store.replay(one).await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::FailedPrecondition, "CLICK_EXPIRED"));
    assert_eq!(bench.state(one).await, "dead");
}

/// The counts are right after every step, and the oldest pending delivery is known.
pub async fn counts_follow_every_step(bench: &Bench) {
    let account = "network".parse().unwrap();
    let want = async |conversions, pending, in_doubt, delivered, dead| {
        let stats = bench.store.stats(&account).await.unwrap();
        let counts =
            AccountStats { conversions, pending, in_doubt, delivered, dead, ..AccountStats::default() };
        assert_eq!(AccountStats { oldest_pending: None, ..stats.clone() }, counts);
        assert_eq!(stats.oldest_pending.is_some(), pending > 0);
        stats.oldest_pending
    };
    want(0, 0, 0, 0, 0).await;
    let (lead, one) = bench.recorded("c1").await;
    let first = bench.stands(one).await.created_at;
    bench.clock.advance(MINUTE);
    let two = bench.changed(&lead, Status::Hold).await;
    let second = bench.stands(two).await.created_at;
    assert_eq!(want(1, 2, 0, 0, 0).await, Some(first));
    let claim = bench.claim_of(one).await;
    bench.settle(&claim.fence, Settlement::Retry { at: bench.now() }).await;
    assert_eq!(want(1, 2, 0, 0, 0).await, Some(first));
    bench.clock.advance(SECOND);
    bench.end(one, in_doubt()).await;
    assert_eq!(want(1, 1, 1, 0, 0).await, Some(second));
    bench.store.resolve(one, Resolution::Delivered).await.unwrap();
    want(1, 1, 0, 1, 0).await;
    bench.end(two, dead("bad_status")).await;
    want(1, 0, 0, 1, 1).await;
    bench.store.replay(two).await.unwrap();
    want(1, 1, 0, 1, 0).await;
    bench.end(two, DELIVERED).await;
    want(1, 0, 0, 2, 0).await;
    assert_eq!(bench.store.stats(&"other".parse().unwrap()).await.unwrap(), AccountStats::default());
    assert_eq!(bench.told(ConversionId::from_bytes(*lead.id.as_bytes())).await, [one, two]);
}
