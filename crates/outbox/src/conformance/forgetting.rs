//! What is erased and removed.

use postback_core::{Change, Event, Status, ports::AccountStats};
use postback_core::{
    Customer,
    ports::{ConversionFilter, Resolution, Swept, Target},
};

use super::{
    Bench,
    bench::{DELIVERED, MINUTE, SECOND, days, dead, in_doubt, words},
    recording::full,
};

/// Names are kept only while they are needed.
pub async fn a_customer_is_forgotten_once_all_is_settled(bench: &Bench) {
    let lead = full(bench, "c1");
    let one = bench.record(&lead).await;
    let two = bench.changed(&lead, Status::Hold).await;
    bench.end(one, DELIVERED).await;
    let customer = async || bench.store.story(lead.id).await.unwrap().unwrap().conversion.details.customer;
    assert_eq!(customer().await, lead.details.customer);
    assert_eq!(bench.claim_of(two).await.conversion, lead);
    bench.clock.advance(MINUTE);
    bench.end(two, DELIVERED).await;
    assert_eq!(customer().await, Customer { country: Some("FR".into()), ..Customer::default() });
    let kept = bench.store.story(lead.id).await.unwrap().unwrap().conversion;
    assert_eq!((&kept.user, &kept.details.fields), (&lead.user, &lead.details.fields));
}

/// A dead letter may be replayed as long as its click lives, and tells the customer then.
pub async fn a_customer_is_kept_as_long_as_a_dead_letter_may_be_replayed(bench: &Bench) {
    let lead = full(bench, "c1");
    let one = bench.record(&lead).await;
    let two = bench.changed(&lead, Status::Hold).await;
    bench.end(one, dead("bad-id")).await;
    bench.clock.advance(days(30) - MINUTE);
    bench.end(two, DELIVERED).await;
    bench.sweep().await;
    bench.store.replay(one).await.unwrap();
    assert_eq!(bench.claim_of(one).await.conversion, lead);
    bench.clock.advance(SECOND * 31);
    bench.end(one, dead("bad-id")).await;

    let customer = async || bench.store.story(lead.id).await.unwrap().unwrap().conversion.details.customer;
    assert_eq!(customer().await, lead.details.customer);
    let was = bench.stands(one).await;
    bench.clock.advance(MINUTE);
    bench.sweep().await;
    assert!(customer().await.is_anonymous());
    assert_eq!(bench.stands(one).await, was);
}

/// What dies after its click's life needs no customer; what is open then still does.
pub async fn a_dead_letter_of_a_click_that_is_over_keeps_no_customer(bench: &Bench) {
    let lead = full(bench, "c1");
    let one = bench.record(&lead).await;
    let two = bench.changed(&lead, Status::Hold).await;
    let customer = async || bench.store.story(lead.id).await.unwrap().unwrap().conversion.details.customer;
    bench.end(one, dead("bad-id")).await;
    bench.clock.advance(days(31));
    bench.sweep().await;
    assert_eq!(customer().await, lead.details.customer);
    bench.end(two, dead("expired")).await;
    assert!(customer().await.is_anonymous());
}

/// A change that came before its conversion needs the customer as well, and so does one in doubt.
pub async fn a_customer_is_kept_for_a_change_that_came_first(bench: &Bench) {
    let lead = full(bench, "c1");
    let change = bench.change(&lead, Status::Hold);
    let early = bench.store.change(Target::Key(lead.key().unwrap()), change.clone()).await.unwrap();
    let put = bench.store.record(lead.clone(), bench.delivery(&lead), words("first")).await.unwrap();
    assert_eq!(put.conversion, early.conversion);
    let customer =
        async || bench.store.story(put.conversion).await.unwrap().unwrap().conversion.details.customer;
    bench.end(put.delivery, DELIVERED).await;
    assert_eq!(customer().await, lead.details.customer);
    bench.end(change.id, in_doubt()).await;
    assert_eq!(customer().await, lead.details.customer);
    bench.store.resolve(change.id, Resolution::Delivered).await.unwrap();
    assert!(customer().await.is_anonymous());
}

/// A person asked to be forgotten, by the click.
pub async fn erasing_a_click_leaves_nothing_of_a_person(bench: &Bench) {
    let lead = full(bench, "c1");
    bench.record(&lead).await;
    let mut change = bench.change(&lead, Status::Hold);
    let fields = [("comment".into(), "call Ada".into()), ("stid".into(), "4".into())].into();
    change.event = Event::Changed(Change { status: Some(Status::Hold), fields, ..Change::default() });
    bench.store.change(Target::Conversion(lead.id), change.clone()).await.unwrap();
    let bare = bench.lead("c1", None);
    bench.record(&bare).await;
    let other = full(bench, "c2");
    bench.record(&other).await;

    let click = "c1".parse().unwrap();
    assert_eq!(bench.store.erase_click(&lead.account, &click).await.unwrap(), 1);
    assert_eq!(bench.store.erase_click(&lead.account, &click).await.unwrap(), 0);
    let kept = bench.store.story(lead.id).await.unwrap().unwrap();
    let mut want = lead.clone();
    want.user = None;
    want.details.fields.remove("comment");
    want.details.customer.erase();
    assert_eq!(kept.conversion, want);
    let fields = [("stid".into(), "4".into())].into();
    let left = Change { status: Some(Status::Hold), fields, ..Change::default() };
    assert_eq!(kept.deliveries[1].event, Event::Changed(left));
    assert_eq!(bench.store.story(other.id).await.unwrap().unwrap().conversion, other);
    assert_eq!(bench.claims(10).await.claims.len(), 2, "what is to be told is told all the same");

    let repeat = bench.store.record(lead.clone(), bench.delivery(&lead), words("first")).await.unwrap();
    assert!(!repeat.fresh, "an erased conversion is still known");
}

/// A dead letter keeps its customer, and not from a person who asked to be forgotten.
pub async fn erasing_a_click_reaches_what_a_dead_letter_keeps(bench: &Bench) {
    let lead = full(bench, "c1");
    let one = bench.record(&lead).await;
    bench.end(one, dead("bad-id")).await;
    assert_eq!(bench.store.erase_click(&lead.account, &"c1".parse().unwrap()).await.unwrap(), 1);
    bench.store.replay(one).await.unwrap();
    assert!(bench.claim_of(one).await.conversion.details.customer.is_anonymous());
}

/// A change may come before its conversion, and bring words about a person.
pub async fn erasing_a_click_reaches_a_change_that_waits_for_its_conversion(bench: &Bench) {
    let lead = bench.lead("c1", Some("order-42"));
    let mut change = bench.change(&lead, Status::Hold);
    let fields = [("comment".into(), "call Ada".into())].into();
    change.event = Event::Changed(Change { status: Some(Status::Hold), fields, ..Change::default() });
    bench.store.change(Target::Key(lead.key().unwrap()), change.clone()).await.unwrap();
    let click = "c1".parse().unwrap();
    assert_eq!(bench.store.erase_click(&lead.account, &click).await.unwrap(), 1);
    assert_eq!(bench.store.erase_click(&lead.account, &click).await.unwrap(), 0);
    let left = Change { status: Some(Status::Hold), ..Change::default() };
    assert_eq!(bench.stands(change.id).await.event, Event::Changed(left));

    let lane = ConversionFilter { lane: Some(lead.lane), ..ConversionFilter::default() };
    let listed = async || bench.store.conversions(&lane, 10, None).await.unwrap().items.len();
    assert_eq!(listed().await, 0, "what is awaited is no conversion yet");
    bench.record(&lead).await;
    assert_eq!(listed().await, 1);
    assert_eq!(bench.store.erase_click(&lead.account, &click).await.unwrap(), 0);
}

/// A person asked to be forgotten, by the user.
pub async fn erasing_a_user_leaves_nothing_of_a_person(bench: &Bench) {
    let (one, two) = (full(bench, "c1"), full(bench, "c2"));
    let mut other = full(bench, "c3");
    other.user = Some("user-8".parse().unwrap());
    for lead in [&one, &two, &other] {
        bench.record(lead).await;
    }
    let user = one.user.clone().unwrap();
    assert_eq!(bench.store.erase_user(&user).await.unwrap(), 2);
    assert_eq!(bench.store.erase_user(&user).await.unwrap(), 0);
    for lead in [&one, &two] {
        let kept = bench.store.story(lead.id).await.unwrap().unwrap().conversion;
        assert!(kept.user.is_none() && kept.details.customer.is_anonymous());
        assert_eq!(kept.details.fields, [("exto".to_owned(), "order-17".to_owned())].into());
        assert_eq!(kept.details.customer.country.as_deref(), Some("FR"));
    }
    assert_eq!(bench.store.story(other.id).await.unwrap().unwrap().conversion, other);
    assert_eq!(bench.store.erase_user(&"nobody".parse().unwrap()).await.unwrap(), 0);
}

/// After its time a conversion is gone with everything of it, and nothing else is.
pub async fn what_is_settled_is_removed_after_its_retention(bench: &Bench) {
    let lead = full(bench, "c1");
    let one = bench.record(&lead).await;
    let two = bench.changed(&lead, Status::Hold).await;
    bench.end(one, DELIVERED).await;
    bench.end(two, DELIVERED).await;
    bench.clock.advance(days(90) - MINUTE);
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [one, two]);
    let (young, last) = bench.recorded("c1").await;
    bench.end(last, DELIVERED).await;
    bench.clock.advance(MINUTE * 2);
    bench.sweep().await;
    assert_eq!(bench.store.story(lead.id).await.unwrap(), None);
    assert_eq!(bench.store.delivery(one).await.unwrap(), None);
    assert_eq!(bench.told(young.id).await, [last]);
    let listed = bench.store.conversions(&Default::default(), 10, None).await.unwrap();
    assert_eq!(listed.items.iter().map(|conversion| conversion.id).collect::<Vec<_>>(), [young.id]);
    let listed = bench.store.deliveries(&Default::default(), 10, None).await.unwrap();
    assert_eq!(listed.items.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [last]);
    let stats = bench.store.stats(&lead.account).await.unwrap();
    assert_eq!(stats, AccountStats { conversions: 1, delivered: 1, ..AccountStats::default() });
    assert_eq!(bench.store.erase_user(lead.user.as_ref().unwrap()).await.unwrap(), 0);

    let again = bench.lead("c1", Some("order-42"));
    assert!(bench.store.record(again.clone(), bench.delivery(&again), words("other")).await.unwrap().fresh);
}

/// What a person must decide waits for the person.
pub async fn what_is_not_settled_is_never_removed(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    bench.end(one, in_doubt()).await;
    let (_, two) = bench.recorded("c2").await;
    bench.clock.advance(days(400));
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [one]);
    bench.claim_of(two).await;
}

/// A late change keeps its conversion.
pub async fn a_change_starts_the_retention_anew(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    bench.end(one, DELIVERED).await;
    bench.clock.advance(days(80));
    let two = bench.changed(&lead, Status::Hold).await;
    bench.clock.advance(days(20));
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [one, two]);
    bench.end(two, DELIVERED).await;
    bench.clock.advance(days(80));
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [one, two]);
    bench.clock.advance(days(11));
    bench.sweep().await;
    assert_eq!(bench.store.story(lead.id).await.unwrap(), None);
}

/// What was decided after years is kept for its retention from then on.
pub async fn what_was_decided_late_is_removed_after_its_retention(bench: &Bench) {
    let (lead, one) = bench.recorded("c1").await;
    bench.end(one, in_doubt()).await;
    bench.clock.advance(days(400));
    bench.sweep().await;
    bench.store.resolve(one, Resolution::Delivered).await.unwrap();
    bench.clock.advance(days(89));
    bench.sweep().await;
    assert_eq!(bench.told(lead.id).await, [one]);
    bench.clock.advance(days(2));
    bench.sweep().await;
    assert_eq!(bench.store.story(lead.id).await.unwrap(), None);
}

/// There is an end to sweeping.
pub async fn a_sweep_of_nothing_touches_nothing(bench: &Bench) {
    bench.recorded("c1").await;
    assert_eq!(bench.store.sweep().await.unwrap(), Swept::default());
}
