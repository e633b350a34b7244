//! What workers do: claim, start, settle, give back.

use std::collections::HashSet;

use jiff::SignedDuration;
use postback_core::{
    DeliveryId, DeliveryState, Outcome, Reason, Status,
    ports::{Claim, Settlement},
};

use super::{
    Bench,
    bench::{DELIVERED, LEASE, MINUTE, SECOND, dead, in_doubt},
};

/// How long a lease of the checks is, and a second more.
const PAST_LEASE: SignedDuration = SignedDuration::from_secs(LEASE.as_secs() as i64 + 1);

/// A new conversion waits for nobody.
pub async fn what_is_recorded_is_due_at_once(bench: &Bench) {
    let (lead, delivery) = bench.recorded("c1").await;
    let claim = bench.claim_of(delivery).await;
    assert_eq!((claim.conversion.id, claim.fence.lane), (lead.id, lead.lane));
    assert_eq!((claim.lead, claim.delivery.started_at), (DeliveryState::Pending, None));
    assert!(claim.delivery.attempts.is_empty());
}

/// A delivery may be put with a time of its own.
pub async fn what_is_due_later_is_not_claimed_before(bench: &Bench) {
    let lead = bench.lead("c1", None);
    let mut delivery = bench.delivery(&lead);
    let due = bench.now() + MINUTE * 10;
    delivery.due_at = Some(due);
    bench.store.record(lead.clone(), delivery.clone(), super::bench::words("first")).await.unwrap();
    let claims = bench.claims(10).await;
    assert!(claims.claims.is_empty());
    let next = claims.next_due.expect("something is due some day");
    assert!(next >= due && next < due + SECOND, "{next} is not {due}");
    bench.clock.advance(MINUTE * 10 + SECOND);
    bench.claim_of(delivery.id).await;
}

/// While one works on a lane, no other does; a crashed worker's lane becomes due by itself.
pub async fn a_lane_is_leased_to_one_worker(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let first = bench.claim_of(delivery).await;
    let none = bench.claims(10).await;
    assert!(none.claims.is_empty());
    let next = none.next_due.expect("the lease ends");
    let lease = next.duration_since(bench.now());
    assert!(lease <= PAST_LEASE && lease > PAST_LEASE - SECOND * 10, "{lease:?}");
    bench.clock.advance(PAST_LEASE);
    let second = bench.claim_of(delivery).await;
    assert!(second.fence.token > first.fence.token);
}

/// A worker that was away too long changes nothing.
pub async fn a_lease_that_ran_out_is_lost(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let lost = bench.claim_of(delivery).await.fence;
    bench.clock.advance(PAST_LEASE);
    assert!(!bench.store.start(&lost).await.unwrap(), "nobody may send after the lease");
    let held = bench.claim_of(delivery).await.fence;
    let before = bench.stands(delivery).await;
    assert!(!bench.store.start(&lost).await.unwrap());
    let attempt = bench.attempt("GET /", Outcome::Accepted);
    assert!(!bench.store.settle(&lost, Some(attempt), DELIVERED).await.unwrap());
    assert!(!bench.store.release(&lost, bench.now()).await.unwrap());
    assert_eq!(bench.stands(delivery).await, before);
    bench.nothing_is_due().await;
    assert!(bench.store.start(&held).await.unwrap());
    bench.settle(&held, DELIVERED).await;
    assert_eq!(bench.state(delivery).await, "delivered");
}

/// A change never overtakes its lead, nor a later conversion of a click an earlier one.
pub async fn a_lane_goes_first_in_first_out(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let (_, three) = bench.recorded("c1").await;
    let four = bench.changed(&lead, Status::Approved).await;
    for head in [one, two, three, four] {
        let claim = bench.claim_of(head).await;
        bench.nothing_is_due().await;
        bench.settle(&claim.fence, DELIVERED).await;
    }
    assert_eq!(bench.claims(10).await.next_due, None);
}

/// A failed delivery holds its lane until it is tried again.
pub async fn a_retry_waits_for_its_time_at_the_head(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    bench.changed(&lead, Status::Hold).await;
    let claim = bench.claim_of(one).await;
    let at = bench.now() + MINUTE;
    bench.settle(&claim.fence, Settlement::Retry { at }).await;
    let kept = bench.stands(one).await;
    assert_eq!((kept.state, kept.attempts.len()), (DeliveryState::Pending, 1));
    assert!(kept.due_at.is_some_and(|due| due >= at && due < at + MINUTE));
    bench.nothing_is_due().await;
    bench.clock.advance(MINUTE + SECOND);
    let again = bench.claim_of(one).await;
    assert_eq!(again.delivery.attempts.len(), 1);
    bench.settle(&again.fence, DELIVERED).await;
}

/// What may have been counted is not sent again by itself, and nothing after it.
pub async fn a_delivery_in_doubt_stops_its_lane(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let claim = bench.claim_of(one).await;
    bench.settle(&claim.fence, in_doubt()).await;
    bench.clock.advance(SignedDuration::from_hours(24 * 20));
    assert_eq!(bench.claims(10).await.next_due, None);
    bench.nothing_is_due().await;
    let kept = bench.stands(one).await;
    assert_eq!(kept.state, DeliveryState::InDoubt(Reason::new("timeout", "no answer came")));
    assert_eq!((kept.due_at, kept.started_at), (None, None));
    assert_eq!(bench.state(two).await, "pending");
}

/// A refused lead does not hold up what comes after it, which is told.
pub async fn a_dead_letter_lets_its_lane_go_on_and_see_it(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let claim = bench.claim_of(one).await;
    bench.settle(&claim.fence, dead("bad_price")).await;
    let change = bench.claim_of(two).await;
    assert_eq!(change.lead, DeliveryState::Dead(Reason::new("bad_price", "in words")));
    bench.settle(&change.fence, dead("lead_not_delivered")).await;
    bench.nothing_is_due().await;
}

/// An attempt of which nobody knows the end is not forgotten.
pub async fn a_mark_without_an_outcome_is_seen_by_the_next_worker(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let crashed = bench.claim_of(delivery).await;
    assert!(bench.store.start(&crashed.fence).await.unwrap());
    let marked = bench.stands(delivery).await.started_at.expect("it is marked");
    assert!(marked <= bench.now() && marked > bench.now() - MINUTE);
    bench.clock.advance(PAST_LEASE);
    let next = bench.claim_of(delivery).await;
    assert_eq!(next.delivery.started_at, Some(marked));
    assert!(bench.store.settle(&next.fence, None, in_doubt()).await.unwrap());
    assert_eq!(bench.stands(delivery).await.started_at, Some(marked));
}

/// Giving a claim back says that this worker sent nothing; it cannot say so of another.
pub async fn a_release_takes_back_its_own_mark_and_no_other(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let first = bench.claim_of(delivery).await.fence;
    assert!(bench.store.start(&first).await.unwrap());
    assert!(bench.store.release(&first, bench.now() + MINUTE).await.unwrap());
    let kept = bench.stands(delivery).await;
    assert_eq!((kept.started_at, kept.attempts.len(), kept.state.as_str()), (None, 0, "pending"));
    bench.nothing_is_due().await;

    bench.clock.advance(MINUTE + SECOND);
    let crashed = bench.claim_of(delivery).await.fence;
    assert!(bench.store.start(&crashed).await.unwrap());
    let mark = bench.stands(delivery).await.started_at;
    bench.clock.advance(PAST_LEASE);
    let third = bench.claim_of(delivery).await.fence;
    assert!(bench.store.start(&third).await.unwrap());
    assert_ne!(bench.stands(delivery).await.started_at, mark);
    assert!(bench.store.release(&third, bench.now() - SECOND).await.unwrap());
    assert_eq!(bench.stands(delivery).await.started_at, mark);
    assert_eq!(bench.claim_of(delivery).await.delivery.started_at, mark);
}

/// A repeated start is the same one, and no start is a change that is told.
pub async fn starting_twice_is_starting_once(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let recorded_at = bench.stands(delivery).await.updated_at;
    bench.clock.advance(SECOND);
    let claim = bench.claim_of(delivery).await;
    assert!(bench.store.start(&claim.fence).await.unwrap());
    let mark = bench.stands(delivery).await.started_at;
    assert_eq!(bench.stands(delivery).await.updated_at, recorded_at);
    assert_eq!(bench.store.changed_since(bench.now(), 10).await.unwrap(), []);
    bench.clock.advance(SECOND);
    assert!(bench.store.start(&claim.fence).await.unwrap());
    assert_eq!(bench.stands(delivery).await.started_at, mark);
}

/// A settlement whose answer was lost can be made again, whatever the lane did meanwhile.
pub async fn settling_twice_is_settling_once(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    let two = bench.changed(&lead, Status::Hold).await;
    let claim = bench.claim_of(one).await;
    let attempt = bench.attempt("GET /", Outcome::Accepted);
    let settlement = Settlement::Delivered { remote_id: Some("42".into()) };
    for _ in 0..2 {
        assert!(bench.store.settle(&claim.fence, Some(attempt.clone()), settlement.clone()).await.unwrap());
    }
    let next = bench.claim_of(two).await;
    assert!(bench.store.settle(&claim.fence, Some(attempt.clone()), settlement.clone()).await.unwrap());
    bench.settle(&next.fence, DELIVERED).await;
    assert!(bench.store.settle(&claim.fence, Some(attempt.clone()), settlement).await.unwrap());
    assert!(!bench.store.release(&claim.fence, bench.now()).await.unwrap(), "it was not given back");
    let kept = bench.stands(one).await;
    assert_eq!(kept.attempts, [attempt]);
    assert_eq!((kept.state, kept.remote_id.as_deref()), (DeliveryState::Delivered, Some("42")));
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!((stats.pending, stats.delivered), (0, 2));
}

/// A claim that was given back twice is given back once.
pub async fn releasing_twice_is_releasing_once(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    let first = bench.claim_of(delivery).await.fence;
    for _ in 0..2 {
        assert!(bench.store.release(&first, bench.now() - SECOND).await.unwrap());
    }
    let second = bench.claim_of(delivery).await.fence;
    assert!(bench.store.release(&first, bench.now() + MINUTE).await.unwrap());
    assert!(!bench.store.settle(&first, None, DELIVERED).await.unwrap(), "it was not settled");
    assert!(!bench.store.start(&first).await.unwrap());
    bench.settle(&second, DELIVERED).await;
}

/// Records `many` leads of clicks of their own.
async fn leads(bench: &Bench, name: &str, many: usize) -> HashSet<DeliveryId> {
    let mut all = HashSet::new();
    for number in 0..many {
        all.insert(bench.recorded(&format!("{name}-{number}")).await.1);
    }
    all
}

/// After an outage the old work does not bury the new, and neither leaves a place empty.
pub async fn new_work_is_not_starved_by_old_retries(bench: &Bench) {
    let old = leads(bench, "old", 30).await;
    let at = bench.now();
    for claim in bench.claims(30).await.claims {
        bench.settle(&claim.fence, Settlement::Retry { at }).await;
    }
    let new = leads(bench, "new", 20).await;
    let count = |claims: &[Claim], of: &HashSet<DeliveryId>| {
        claims.iter().filter(|claim| of.contains(&claim.fence.delivery)).count()
    };
    let claims = bench.claims(10).await.claims;
    assert_eq!((count(&claims, &new), count(&claims, &old)), (8, 2));
    let claims = bench.claims(20).await.claims;
    assert_eq!((count(&claims, &new), count(&claims, &old)), (12, 8));
    let claims = bench.claims(10).await.claims;
    assert_eq!((count(&claims, &new), count(&claims, &old)), (0, 10));
}

/// After an outage what is new does not wait until all that waited is sent, however few are claimed at once.
pub async fn new_work_does_not_wait_for_a_whole_backlog(bench: &Bench) {
    leads(bench, "old", 100).await;
    for limit in [10, 1] {
        bench.clock.advance(SECOND);
        let (_, new) = bench.recorded(&format!("new-{limit}")).await;
        is_claimed_within(bench, new, limit, 60).await;
    }
}

/// What follows an old delivery in its lane is as old, and does not stand before what is new.
pub async fn what_follows_an_old_delivery_is_no_new_work(bench: &Bench) {
    for old in 0..60 {
        let (lead, _) = bench.recorded(&format!("old-{old}")).await;
        bench.changed(&lead, Status::Hold).await;
    }
    bench.clock.advance(MINUTE);
    let claims = bench.claims(30).await.claims;
    let (_, new) = bench.recorded("new").await;
    bench.clock.advance(SECOND);
    for claim in claims {
        bench.settle(&claim.fence, DELIVERED).await;
    }
    is_claimed_within(bench, new, 1, 40).await;
}

async fn is_claimed_within(bench: &Bench, wanted: DeliveryId, limit: usize, most: usize) {
    let (mut claims, mut found) = (0, false);
    while !found {
        let claimed = bench.claims(limit).await.claims;
        found = claimed.iter().any(|claim| claim.fence.delivery == wanted);
        claims += claimed.len();
        assert!(claims <= most, "it waits behind {claims} of the backlog");
    }
}

/// Accounts have nothing in common.
pub async fn an_account_is_worked_on_alone(bench: &Bench) {
    let other = bench.lead_of("other", "c1", None);
    let delivery = bench.record(&other).await;
    let claims = bench.claims(10).await;
    assert!(claims.claims.is_empty() && claims.next_due.is_none());
    let claims = bench.store.claim(&other.account, 10, LEASE).await.unwrap();
    assert_eq!(claims.claims[0].fence.delivery, delivery);
    assert_eq!(claims.claims[0].fence.account, other.account);
}

/// A pause keeps everything, and lets running work end.
pub async fn nothing_of_a_paused_account_is_leased(bench: &Bench) {
    let (_, running) = bench.recorded("c1").await;
    let claim = bench.claim_of(running).await;
    let account = claim.fence.account.clone();
    let reason = Reason::new("misconfigured", "the key is wrong");
    assert_eq!(bench.store.paused(&account).await.unwrap(), None);
    assert!(bench.store.pause(&account, reason.clone()).await.unwrap());
    assert!(!bench.store.pause(&account, Reason::new("operator", "lunch")).await.unwrap());
    let paused = bench.store.paused(&account).await.unwrap().expect("it is paused");
    assert_eq!(paused.reason, reason);
    assert!(paused.since <= bench.now() && paused.since > bench.now() - MINUTE);

    let (_, delivery) = bench.recorded("c2").await;
    bench.nothing_is_due().await;
    bench.settle(&claim.fence, DELIVERED).await;
    assert!(bench.store.resume(&account).await.unwrap());
    assert!(!bench.store.resume(&account).await.unwrap());
    assert_eq!(bench.store.paused(&account).await.unwrap(), None);
    bench.claim_of(delivery).await;
    assert!(bench.store.pause(&account, reason).await.unwrap());
}

/// A pause is seen at once, though a moment ago more was due than was claimed.
pub async fn a_busy_worker_sees_a_pause_at_once(bench: &Bench) {
    leads(bench, "c", 20).await;
    let claims = bench.claims(1).await.claims;
    let account = &claims[0].fence.account;
    bench.store.pause(account, Reason::new("operator", "lunch")).await.unwrap();
    assert!(bench.claims(1).await.claims.is_empty());
    bench.store.resume(account).await.unwrap();
    assert_eq!(bench.claims(20).await.claims.len(), 19);
}

/// What became due since a busy worker's last claim is found before it is told that no more is.
pub async fn a_busy_worker_finds_what_came_meanwhile(bench: &Bench) {
    let mut all = leads(bench, "early", 20).await;
    let first = bench.claims(5).await;
    assert_eq!(first.claims.len(), 5);
    assert!(first.next_due.is_some_and(|due| due <= bench.now() + SECOND), "more is due");
    all.extend(leads(bench, "late", 20).await);
    let rest = bench.claims(50).await;
    assert_eq!(rest.claims.len(), 35);
    for claim in first.claims.iter().chain(&rest.claims) {
        assert!(all.remove(&claim.fence.delivery), "{:?} was leased twice", claim.fence);
    }
    assert!(rest.next_due.is_some_and(|due| due > bench.now() + SECOND), "the first lease ends");
}

/// A delivery that fails for weeks keeps a bounded proof.
pub async fn the_first_and_the_latest_attempts_are_kept(bench: &Bench) {
    let (_, delivery) = bench.recorded("c1").await;
    for number in 0..70 {
        let claim = bench.claim_of(delivery).await;
        let attempt = bench.attempt(&number.to_string(), Outcome::Retry);
        let at = bench.now();
        assert!(bench.store.settle(&claim.fence, Some(attempt), Settlement::Retry { at }).await.unwrap());
        bench.clock.advance(SECOND);
    }
    let calls: Vec<String> =
        bench.stands(delivery).await.attempts.into_iter().map(|attempt| attempt.call).collect();
    let want: Vec<String> = [0].into_iter().chain(7..70).map(|number: i32| number.to_string()).collect();
    assert_eq!(calls, want);
    assert_eq!(bench.claim_of(delivery).await.delivery.attempts.len(), 64);
}

/// Many workers find all the work, and no piece twice.
pub async fn workers_at_once_never_share_a_lane(bench: &Bench) {
    let mut all = leads(bench, "c", 40).await;
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let store = bench.store.clone();
            tokio::spawn(
                async move { store.claim(&"network".parse().unwrap(), 5, LEASE).await.unwrap().claims },
            )
        })
        .collect();
    for worker in workers {
        for claim in worker.await.unwrap() {
            assert!(all.remove(&claim.fence.delivery), "{:?} was leased twice", claim.fence);
        }
    }
    while !all.is_empty() {
        let claims = bench.claims(5).await.claims;
        assert!(!claims.is_empty(), "{} are still due", all.len());
        for claim in claims {
            assert!(all.remove(&claim.fence.delivery), "{:?} was leased twice", claim.fence);
        }
    }
    bench.nothing_is_due().await;
}
