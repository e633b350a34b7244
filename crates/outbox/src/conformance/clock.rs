//! What a clock does that runs far ahead for a while and is set right again.

use postback_core::{ports::Settlement, schedule};

use super::{
    Bench,
    bench::{DELIVERED, MINUTE, SECOND, days, words},
};

/// What was put off by a clock a month ahead does not wait for a month.
pub async fn a_lane_that_a_wrong_clock_put_off_is_due_when_the_clock_is_right(bench: &Bench) {
    let (_, retried) = bench.recorded("retried").await;
    bench.clock.advance(days(31));
    let claim = bench.claim_of(retried).await;
    bench.settle(&claim.fence, Settlement::Retry { at: bench.now() + MINUTE }).await;
    let (_, leased) = bench.recorded("leased").await;
    let lost = bench.claim_of(leased).await.fence;
    let lead = bench.lead("fresh", None);
    let mut fresh = bench.delivery(&lead);
    fresh.due_at = Some(bench.now() + MINUTE);
    bench.store.record(lead, fresh.clone(), words("first")).await.unwrap();
    bench.nothing_is_due().await;

    bench.clock.advance(-days(31));
    bench.nothing_is_due().await;
    bench.sweep().await;
    let claims = bench.claims(10).await.claims;
    let mut heads: Vec<_> = claims.iter().map(|claim| claim.delivery.id).collect();
    let mut want = [retried, leased, fresh.id];
    heads.sort_unstable();
    want.sort_unstable();
    assert_eq!(heads, want);
    assert!(!bench.store.start(&lost).await.unwrap(), "the lease is another one's by now");
    for claim in claims {
        bench.settle(&claim.fence, DELIVERED).await;
    }
    assert_eq!(bench.claims(10).await.next_due, None);
}

/// Waiting as long as a network may ask for is no mistake of a clock.
pub async fn the_longest_wait_of_the_schedule_is_kept(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let claim = bench.claim_of(delivery).await;
    bench.settle(&claim.fence, Settlement::Retry { at: bench.now() + schedule::LONGEST }).await;
    bench.sweep().await;
    bench.nothing_is_due().await;
    bench.clock.advance(schedule::LONGEST + SECOND);
    bench.claim_of(delivery).await;
}

/// The feed of changes does not begin with the same ones for a month.
pub async fn changes_that_a_wrong_clock_dated_leave_the_feed(bench: &Bench) {
    bench.clock.advance(days(31));
    let (lead, delivery) = bench.recorded("c1").await;
    bench.clock.advance(-days(31));
    let since = bench.now();
    assert_eq!(bench.store.changed_since(since, 10).await.unwrap().len(), 1);
    bench.sweep().await;
    assert!(bench.store.changed_since(since, 10).await.unwrap().is_empty());
    bench.end(delivery, DELIVERED).await;
    let told = bench.store.changed_since(since, 10).await.unwrap();
    assert_eq!(told.iter().map(|delivery| delivery.conversion).collect::<Vec<_>>(), [lead.id]);
}

/// What was settled by a clock that ran ahead is not kept for good, nor dated later than it is.
pub async fn what_a_wrong_clock_settled_is_removed_all_the_same(bench: &Bench) {
    bench.clock.advance(days(400));
    let (lead, delivery) = bench.recorded("c1").await;
    bench.end(delivery, DELIVERED).await;
    bench.clock.advance(-days(400));
    bench.sweep().await;
    let told = bench.store.delivery(delivery).await.unwrap().unwrap();
    assert!(told.updated_at <= bench.now(), "{}", told.updated_at);
    bench.clock.advance(days(80));
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [delivery]);
    bench.clock.advance(days(45));
    bench.sweep().await;
    assert_eq!(bench.store.story(lead.id).await.unwrap(), None);
}
