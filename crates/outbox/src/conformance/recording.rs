//! What is taken in, once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postback_core::{
    ClickRef, Conversion, Customer, Delivery, DeliveryState, ErrorKind, Kind, Money, Shard, Status,
    ports::{Recorded, RequestKey, Reservation, Target},
};

use super::{
    Bench,
    bench::{DELIVERED, MINUTE, days, words},
};

/// The store can be asked, and promises something.
pub async fn the_store_answers_and_says_what_it_promises(bench: &Bench) {
    bench.store.ping().await.unwrap();
    assert!(!bench.store.promise().await.unwrap().words.is_empty());
}

/// A conversion with all that it can have.
pub(super) fn full(bench: &Bench, click: &str) -> Conversion {
    let mut lead = bench.lead(click, Some("order-42"));
    lead.campaign = Some("spring".parse().unwrap());
    lead.user = Some("user-7".parse().unwrap());
    lead.request_id = Some("request-1".parse().unwrap());
    let details = &mut lead.details;
    details.kind = Kind::Goal;
    details.goal = Some("deposit".parse().unwrap());
    details.value = Some(Money::parse("49.99", "EUR").unwrap());
    details.shipping = Some("4.99".parse().unwrap());
    details.tax = Some("0.10".parse().unwrap());
    details.payout = Some(Money::parse("2", "EUR").unwrap());
    details.status = Some(Status::Own("as_they_say".into()));
    details.customer = Customer {
        name: Some("Ada".into()),
        phone: Some("+33 1".into()),
        email: Some("ada@example.org".into()),
        country: Some("FR".into()),
    };
    details.fields =
        BTreeMap::from([("exto".into(), "order-17".into()), ("comment".into(), "call Ada".into())]);
    lead
}

/// Nothing of a record is lost or changed.
pub async fn every_field_of_a_conversion_and_its_delivery_is_kept(bench: &Bench) {
    let lead = full(bench, "c & = % \u{1f600}");
    let id = bench.record(&lead).await;
    let story = bench.store.story(lead.id).await.unwrap().unwrap();
    assert_eq!(story.conversion, lead);
    let [delivery] = story.deliveries.as_slice() else { panic!("want one: {:?}", story.deliveries) };
    assert_eq!(*delivery, bench.stands(id).await);
    let want = Delivery {
        id,
        created_at: delivery.created_at,
        updated_at: delivery.updated_at,
        expires_at: delivery.expires_at,
        due_at: delivery.due_at,
        ..bench.delivery(&lead)
    };
    assert_eq!(*delivery, want);
    assert!(delivery.due_at.is_some_and(|due| due <= bench.now()));
    let claim = bench.claim_of(id).await;
    assert_eq!((claim.conversion, claim.lead), (lead, DeliveryState::Pending));
}

/// Recording the same conversion again changes nothing.
pub async fn a_repeat_by_id_returns_the_first(bench: &Bench) {
    let (lead, first) = bench.recorded("c1").await;
    let again = bench.store.record(lead.clone(), bench.delivery(&lead), words("first")).await.unwrap();
    assert_eq!(again, Recorded { conversion: lead.id, delivery: first, fresh: false });
    assert_eq!(bench.told(lead.id).await, [first]);
}

/// A transaction id tells a repeat, whatever its ids are.
pub async fn a_repeat_by_key_returns_the_first(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    let first = bench.record(&lead).await;
    bench.end(first, DELIVERED).await;
    bench.clock.advance(days(36));
    bench.sweep().await;
    let repeat = bench.lead("c1", Some("t1"));
    let again = bench.store.record(repeat.clone(), bench.delivery(&repeat), words("first")).await.unwrap();
    assert_eq!(again, Recorded { conversion: lead.id, delivery: first, fresh: false });
    assert_eq!(bench.store.story(repeat.id).await.unwrap(), None);
    bench.nothing_is_due().await;
    let other = Conversion { account: "other".parse().unwrap(), ..bench.lead_of("other", "c1", Some("t1")) };
    bench.record(&other).await;
}

/// One key with two contents is an error that names the field.
pub async fn the_same_key_with_other_content_is_refused(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    let first = bench.record(&lead).await;
    let other = bench.lead("c1", Some("t1"));
    // A caller that settled its transaction before comes with the first one's id.
    for id in [other.id, lead.id] {
        let other = Conversion { id, ..other.clone() };
        let refused =
            bench.store.record(other.clone(), bench.delivery(&other), words("other")).await.unwrap_err();
        assert_eq!((refused.kind(), refused.field()), (ErrorKind::AlreadyExists, Some("transaction_id")));
    }
    assert_eq!(bench.told(lead.id).await, [first]);
    assert_eq!(bench.store.story(other.id).await.unwrap(), None);
}

/// Conversions of which the caller says nothing that tells them apart are never taken for one.
pub async fn without_a_transaction_id_every_conversion_is_new(bench: &Bench) {
    let (one, _) = bench.recorded("c1").await;
    let (other, _) = bench.recorded("c1").await;
    assert_ne!(one.id, other.id);
    let stats = bench.store.stats(&one.account).await.unwrap();
    assert_eq!((stats.conversions, stats.pending), (2, 2));
}

/// The same request sent by many at once is recorded once, and all are told the same.
pub async fn sixty_four_records_at_once_are_one(bench: &Bench) {
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let lead = bench.lead("c1", Some("t1"));
            let (store, delivery) = (bench.store.clone(), bench.delivery(&lead));
            tokio::spawn(async move { store.record(lead, delivery, words("first")).await.unwrap() })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    assert_eq!(all.iter().filter(|recorded| recorded.fresh).count(), 1);
    assert!(all.iter().all(|one| (one.conversion, one.delivery) == (all[0].conversion, all[0].delivery)));
    assert_eq!(bench.told(all[0].conversion).await, [all[0].delivery]);
}

fn reservation(id: u8, at: Timestamp, click: Option<ClickRef>) -> Reservation {
    Reservation { fingerprint: words("what was said"), id: [id; 16], at, click }
}

/// A request resolves to what it was resolved to first.
pub async fn a_reservation_keeps_what_came_first_for_thirty_seven_days(bench: &Bench) {
    let at: Timestamp = bench.now();
    let click = ClickRef { account: "network".parse().unwrap(), id: "c1".parse().unwrap(), captured_at: at };
    let first = reservation(1, at, Some(click));
    let (key, other) = (RequestKey::of(&["network", "r1"]), RequestKey::of(&["network", "r2"]));
    assert_eq!(bench.store.reserve(key, first.clone()).await.unwrap(), first);
    let second = reservation(2, at, None);
    assert_eq!(bench.store.reserve(key, second.clone()).await.unwrap(), first);
    assert_eq!(bench.store.reserve(other, second.clone()).await.unwrap(), second);
    assert_eq!(bench.store.reserved(other).await.unwrap(), Some(second.clone()));

    bench.clock.advance(days(37) - MINUTE);
    bench.sweep().await;
    assert_eq!(bench.store.reserve(key, reservation(3, bench.now(), None)).await.unwrap(), first);
    assert_eq!(bench.store.reserved(key).await.unwrap(), Some(first));
    bench.clock.advance(MINUTE * 2);
    assert_eq!(bench.store.reserved(key).await.unwrap(), None);
    let late = reservation(4, bench.now(), None);
    assert_eq!(bench.store.reserve(key, late.clone()).await.unwrap(), late);
    bench.sweep().await;
    assert_eq!(bench.store.reserve(key, second.clone()).await.unwrap(), late);
    let after = reservation(5, bench.now(), None);
    assert_eq!(bench.store.reserve(other, after.clone()).await.unwrap(), after);
}

/// Who only looks leaves nothing.
pub async fn a_look_at_a_reservation_reserves_nothing(bench: &Bench) {
    let key = RequestKey::of(&["network", "r1"]);
    assert_eq!(bench.store.reserved(key).await.unwrap(), None);
    let mine = reservation(1, bench.now(), None);
    assert_eq!(bench.store.reserve(key, mine.clone()).await.unwrap(), mine);
    assert_eq!(bench.store.reserved(key).await.unwrap(), Some(mine));
}

/// Of many that reserve one key at once, all are told the same.
pub async fn sixteen_reservations_at_once_keep_one(bench: &Bench) {
    let key = RequestKey::of(&["network", "r1"]);
    let tasks: Vec<_> = (0..16)
        .map(|id| {
            let (store, mine) = (bench.store.clone(), reservation(id, bench.now(), None));
            tokio::spawn(async move { store.reserve(key, mine).await.unwrap() })
        })
        .collect();
    let mut kept = Vec::new();
    for task in tasks {
        kept.push(task.await.unwrap().id);
    }
    kept.dedup();
    assert_eq!(kept.len(), 1);
}

/// A change is found by its conversion's id and by its key, and is told after it.
pub async fn a_change_follows_its_conversion(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    let first = bench.record(&lead).await;
    let second = bench.changed(&lead, Status::Hold).await;
    let stranger = Conversion { id: bench.lead("c1", None).id, ..lead.clone() };
    let change = bench.change(&stranger, Status::Approved);
    let third = bench.store.change(Target::Key(lead.key().unwrap()), change.clone()).await.unwrap();
    assert_eq!(third, Recorded { conversion: lead.id, delivery: change.id, fresh: true });
    assert_eq!(bench.told(lead.id).await, [first, second, change.id]);
    let kept = bench.stands(change.id).await;
    assert_eq!((kept.conversion, kept.event, kept.state), (lead.id, change.event, DeliveryState::Pending));
    bench.claim_of(first).await;
}

/// A change needs something to change.
pub async fn a_change_of_an_unknown_conversion_is_not_found(bench: &Bench) {
    let lead = bench.lead("c1", None);
    let change = bench.change(&lead, Status::Hold);
    let refused = bench.store.change(Target::Conversion(lead.id), change.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(bench.store.delivery(change.id).await.unwrap(), None);
}

/// A repeated change is told once.
pub async fn a_change_that_came_twice_is_put_once(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    bench.record(&lead).await;
    let change = bench.change(&lead, Status::Hold);
    for (target, fresh) in [(Target::Conversion(lead.id), true), (Target::Key(lead.key().unwrap()), false)] {
        let put = bench.store.change(target, change.clone()).await.unwrap();
        assert_eq!(put, Recorded { conversion: lead.id, delivery: change.id, fresh });
    }
    assert_eq!(bench.told(lead.id).await.len(), 2);
}

/// Lets a change of `lead` wait for it, which is not recorded.
async fn awaits(bench: &Bench, lead: &Conversion, status: Status) -> Delivery {
    let change = bench.change(lead, status);
    let put = bench.store.change(Target::Key(lead.key().unwrap()), change.clone()).await.unwrap();
    assert!(put.fresh);
    let kept = bench.stands(put.delivery).await;
    assert_eq!((kept.state.clone(), kept.due_at), (DeliveryState::Waiting, None));
    kept
}

/// A change that is early loses nothing: its conversion takes the id that it was promised.
pub async fn changes_wait_for_their_conversion_and_follow_it(bench: &Bench) {
    let promised = bench.lead("c1", Some("t1"));
    let one = awaits(bench, &promised, Status::Hold).await;
    let two = awaits(bench, &bench.lead("c1", Some("t1")), Status::Approved).await;
    assert_eq!((one.conversion, two.conversion), (promised.id, promised.id));
    bench.nothing_is_due().await;
    assert_eq!(bench.store.stats(&one.account).await.unwrap().waiting, 2);
    assert_eq!(bench.store.story(promised.id).await.unwrap(), None);

    let lead = bench.lead("c1", Some("t1"));
    let delivery = bench.delivery(&lead);
    for fresh in [true, false] {
        let recorded = bench.store.record(lead.clone(), delivery.clone(), words("first")).await.unwrap();
        assert_eq!(recorded, Recorded { conversion: promised.id, delivery: delivery.id, fresh });
    }
    let order = [delivery.id, one.id, two.id];
    assert_eq!(bench.told(promised.id).await, order);
    for head in order {
        let claim = bench.claim_of(head).await;
        assert_eq!((claim.conversion.id, claim.delivery.conversion), (promised.id, promised.id));
        bench.settle(&claim.fence, DELIVERED).await;
    }
    bench.nothing_is_due().await;
}

/// The id that an early change was answered with names its conversion, also before that comes.
pub async fn a_change_by_the_awaited_id_waits_with_the_others(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    let one = awaits(bench, &lead, Status::Hold).await;
    let two = bench.changed(&lead, Status::Approved).await;
    assert_eq!(bench.state(two).await, "waiting");
    let first = bench.record(&lead).await;
    assert_eq!(bench.told(lead.id).await, [first, one.id, two]);
}

/// Nothing waits for ever.
pub async fn a_change_whose_conversion_never_comes_dies(bench: &Bench) {
    let change = awaits(bench, &bench.lead("c1", Some("t1")), Status::Hold).await;
    bench.clock.advance(days(30) - MINUTE);
    assert_eq!(bench.sweep().await, []);
    assert_eq!(bench.state(change.id).await, "waiting");
    bench.clock.advance(MINUTE * 2);
    assert_eq!(bench.sweep().await, std::slice::from_ref(&change.account));
    let DeliveryState::Dead(reason) = bench.stands(change.id).await.state else { panic!("want it dead") };
    assert_eq!(reason.code, "lead_never_came");
    let refused = bench.store.replay(change.id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);
    bench.clock.advance(days(91));
    assert_eq!(bench.sweep().await, []);
    assert_eq!(bench.store.delivery(change.id).await.unwrap(), None);
    assert_eq!(bench.store.stats(&change.account).await.unwrap().dead, 0);
}

/// What was promised once stays promised.
pub async fn a_conversion_that_comes_after_its_changes_died_takes_their_id(bench: &Bench) {
    let promised = bench.lead("c1", Some("t1"));
    let change = awaits(bench, &promised, Status::Hold).await;
    bench.clock.advance(days(31));
    bench.sweep().await;
    let lead = bench.lead("c1", Some("t1"));
    let recorded = bench.store.record(lead.clone(), bench.delivery(&lead), words("first")).await.unwrap();
    assert_eq!((recorded.conversion, recorded.fresh), (promised.id, true));
    assert_eq!(bench.told(promised.id).await, [recorded.delivery, change.id]);
    bench.claim_of(recorded.delivery).await;
}

/// One source cannot fill the store.
pub async fn a_lane_is_bounded(bench: &Bench) {
    let (lead, _) = bench.recorded("c1").await;
    let puts: Vec<_> = (0..1_010)
        .map(|_| {
            let (store, change) = (bench.store.clone(), bench.change(&lead, Status::Hold));
            let target = Target::Conversion(lead.id);
            tokio::spawn(async move { store.change(target, change).await })
        })
        .collect();
    let mut refused = Vec::new();
    for put in puts {
        refused.extend(put.await.unwrap().err());
    }
    assert_eq!(refused.len(), 11);
    assert!(refused.iter().all(|error| error.kind() == ErrorKind::ResourceExhausted), "{refused:?}");
    assert_eq!(bench.store.stats(&lead.account).await.unwrap().pending, 1_000);
    let other = bench.lead("c1", None);
    let full = bench.store.record(other.clone(), bench.delivery(&other), words("first")).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::ResourceExhausted);
    assert_eq!(bench.store.story(other.id).await.unwrap(), None);
}

/// An id must say where its record lies.
pub async fn records_apart_from_their_lane_are_refused(bench: &Bench) {
    let lead = bench.lead("c1", None);
    let elsewhere = Shard::from_byte(lead.lane.shard().byte().wrapping_add(1));
    let apart = postback_core::ConversionId::new(uuid::Uuid::now_v7(), elsewhere);
    let wrong = Conversion { id: apart, ..lead.clone() };
    let refused =
        bench.store.record(wrong.clone(), bench.delivery(&wrong), words("first")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::InvalidArgument, Some("conversion_id")));
    let apart = postback_core::DeliveryId::new(uuid::Uuid::now_v7(), elsewhere);
    let wrong = Delivery { id: apart, ..bench.delivery(&lead) };
    let refused = bench.store.record(lead.clone(), wrong, words("first")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::InvalidArgument, Some("delivery_id")));
    assert_eq!(bench.store.story(lead.id).await.unwrap(), None);
}
