//! What is listed, and what is told of changes.

use jiff::Timestamp;
use postback_core::{
    Conversion, ConversionId, DeliveryId, Kind, Status,
    ports::{ConversionFilter, DeliveryFilter, Settlement, Target},
};

use super::{
    Bench,
    bench::{DELIVERED, MINUTE, SECOND, days, dead, in_doubt},
};

/// All pages of conversions, each of at most `limit`.
async fn conversions(bench: &Bench, filter: &ConversionFilter, limit: usize) -> Vec<ConversionId> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let page = bench.store.conversions(filter, limit, after).await.unwrap();
        assert!(page.items.len() <= limit);
        all.extend(page.items.iter().map(|conversion| conversion.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
    panic!("a list ends")
}

/// The ids of all deliveries that a filter lists, page by page.
async fn deliveries(bench: &Bench, filter: &DeliveryFilter, limit: usize) -> Vec<DeliveryId> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let page = bench.store.deliveries(filter, limit, after).await.unwrap();
        assert!(page.items.len() <= limit);
        all.extend(page.items.iter().map(|delivery| delivery.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
    panic!("a list ends")
}

/// Pages join without a gap or a repeat, also while more is recorded.
pub async fn conversions_are_listed_the_latest_first_by_page(bench: &Bench) {
    let mut want = Vec::new();
    for number in 0..25 {
        want.insert(0, bench.recorded(&format!("c{number}")).await.0.id);
        bench.clock.advance(SECOND);
    }
    let all = ConversionFilter::default();
    for limit in [1, 7, 25, 100] {
        assert_eq!(conversions(bench, &all, limit).await, want, "by {limit}");
    }
    let page = bench.store.conversions(&all, 10, None).await.unwrap();
    bench.recorded("later").await;
    let rest = bench.store.conversions(&all, 100, page.next).await.unwrap();
    let rest: Vec<_> = rest.items.iter().map(|conversion| conversion.id).collect();
    assert_eq!(rest, want[10..]);
    let deliveries = deliveries(bench, &DeliveryFilter::default(), 7).await;
    assert_eq!(deliveries.len(), 26);
}

/// Each part of a filter counts.
pub async fn conversions_are_listed_by_what_they_are(bench: &Bench) {
    let (one, _) = bench.recorded("c1").await;
    bench.clock.advance(MINUTE);
    let middle = bench.now();
    let mut two = bench.lead("c2", None);
    two.campaign = Some("spring".parse().unwrap());
    two.details.kind = Kind::Order;
    bench.record(&two).await;
    bench.clock.advance(MINUTE);
    let three = bench.lead_of("other", "c1", None);
    bench.record(&three).await;
    bench.clock.advance(MINUTE);
    let (four, _) = bench.recorded("c1").await;

    let all = ConversionFilter::default;
    let lane = |of: &Conversion| Some(of.lane);
    for (filter, want) in [
        (all(), vec![four.id, three.id, two.id, one.id]),
        (ConversionFilter { account: Some(one.account.clone()), ..all() }, vec![four.id, two.id, one.id]),
        (ConversionFilter { account: Some("nobody".parse().unwrap()), ..all() }, vec![]),
        (ConversionFilter { campaign: two.campaign.clone(), ..all() }, vec![two.id]),
        (ConversionFilter { kind: Some(Kind::Order), ..all() }, vec![two.id]),
        (ConversionFilter { lane: lane(&one), ..all() }, vec![four.id, one.id]),
        (ConversionFilter { lane: lane(&one), account: Some(three.account.clone()), ..all() }, vec![]),
        (ConversionFilter { since: Some(middle), ..all() }, vec![four.id, three.id, two.id]),
        (ConversionFilter { until: Some(middle), ..all() }, vec![one.id]),
        (ConversionFilter { since: Some(middle), kind: Some(Kind::Lead), ..all() }, vec![four.id, three.id]),
    ] {
        assert_eq!(conversions(bench, &filter, 2).await, want, "{filter:?}");
    }
}

/// Operators find what needs them.
pub async fn deliveries_are_listed_by_where_they_stand(bench: &Bench) {
    let (first, doubted) = bench.recorded("c1").await;
    bench.end(doubted, in_doubt()).await;
    bench.clock.advance(MINUTE);
    let middle = bench.now();
    let (_, buried) = bench.recorded("c2").await;
    bench.end(buried, dead("bad_price")).await;
    bench.clock.advance(MINUTE);
    let (last, told) = bench.recorded("c3").await;
    bench.end(told, DELIVERED).await;
    bench.clock.advance(MINUTE);
    let behind = bench.changed(&first, Status::Hold).await;
    bench.clock.advance(MINUTE);
    let other = bench.lead_of("other", "c1", None);
    let elsewhere = bench.record(&other).await;

    let all = DeliveryFilter::default;
    let state = |state| DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    let account = Some(last.account.clone());
    for (filter, want) in [
        (all(), vec![elsewhere, behind, told, buried, doubted]),
        (state("pending"), vec![elsewhere, behind]),
        (state("in_doubt"), vec![doubted]),
        (state("delivered"), vec![told]),
        (state("dead"), vec![buried]),
        (state("waiting"), vec![]),
        (DeliveryFilter { account: account.clone(), ..all() }, vec![behind, told, buried, doubted]),
        (DeliveryFilter { account, ..state("pending") }, vec![behind]),
        (DeliveryFilter { conversion: Some(first.id), ..all() }, vec![behind, doubted]),
        (DeliveryFilter { conversion: Some(first.id), ..state("in_doubt") }, vec![doubted]),
        (DeliveryFilter { since: Some(middle), ..all() }, vec![elsewhere, behind, told, buried]),
        (DeliveryFilter { until: Some(middle), ..all() }, vec![doubted]),
    ] {
        assert_eq!(deliveries(bench, &filter, 2).await, want, "{filter:?}");
    }
}

/// What waits for a conversion is found by the id that its caller was promised.
pub async fn a_change_that_waits_is_listed_by_its_conversion(bench: &Bench) {
    let lead = bench.lead("c1", Some("t1"));
    let early = bench.change(&lead, Status::Hold);
    let put = bench.store.change(Target::Key(lead.key().unwrap()), early.clone()).await.unwrap();
    let filter = DeliveryFilter { conversion: Some(put.conversion), ..DeliveryFilter::default() };
    assert_eq!(deliveries(bench, &filter, 1).await, [early.id]);
    assert_eq!(bench.store.story(put.conversion).await.unwrap(), None);
}

/// A needle is found in more than one call looks at, and each call is bounded.
pub async fn a_list_goes_on_past_what_one_call_looks_at(bench: &Bench) {
    let mut needle = bench.lead("needle", None);
    needle.campaign = Some("spring".parse().unwrap());
    bench.record(&needle).await;
    bench.clock.advance(SECOND);
    let puts: Vec<_> = (0..600)
        .map(|number| {
            let lead = bench.lead(&format!("c{number}"), None);
            let (store, delivery) = (bench.store.clone(), bench.delivery(&lead));
            let first = super::bench::words("first");
            tokio::spawn(async move { store.record(lead, delivery, first).await.unwrap() })
        })
        .collect();
    for put in puts {
        put.await.unwrap();
    }
    let filter = ConversionFilter { campaign: needle.campaign.clone(), ..ConversionFilter::default() };
    let first = bench.store.conversions(&filter, 10, None).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some(), "one call looks at a bounded number");
    assert_eq!(conversions(bench, &filter, 10).await, [needle.id]);
    assert_eq!(deliveries(bench, &DeliveryFilter::default(), 1_000).await.len(), 601);
}

async fn changed(bench: &Bench, since: Timestamp, limit: usize) -> Vec<DeliveryId> {
    let all = bench.store.changed_since(since, limit).await.unwrap();
    all.iter().map(|delivery| delivery.id).collect()
}

/// However much changed since, each delivery is told once, by its last change.
pub async fn what_changed_again_is_told_by_its_last_change(bench: &Bench) {
    let begin = bench.now() - SECOND;
    let mut all = Vec::new();
    for number in 0..250 {
        all.push(bench.record(&bench.lead("c1", Some(&format!("t{number}")))).await);
    }
    assert_eq!(changed(bench, begin, 1_000).await.len(), 250);
    bench.clock.advance(SECOND);
    let middle = bench.now();
    for delivery in &all[..249] {
        bench.end(*delivery, DELIVERED).await;
    }
    let told = changed(bench, begin, 1_000).await;
    assert_eq!(told.len(), 250);
    assert_eq!(changed(bench, begin, 100).await.len(), 100);
    assert_eq!(changed(bench, middle, 1_000).await, told, "the last one became the head of its lane");
}

/// However much changes meanwhile, an answer is short only where there is no more.
pub async fn as_many_changes_are_told_as_were_asked_for(bench: &Bench) {
    let begin = bench.now() - SECOND;
    for number in 0..100 {
        bench.recorded(&format!("c{number}")).await;
    }
    let store = bench.store.clone();
    let working = tokio::spawn(async move {
        loop {
            let claims = store.claim(&"network".parse().unwrap(), 100, super::bench::LEASE).await.unwrap();
            for claim in claims.claims {
                let at = claim.delivery.created_at;
                store.settle(&claim.fence, None, Settlement::Retry { at }).await.unwrap();
            }
        }
    });
    let mut short = 0;
    for _ in 0..50 {
        short += usize::from(changed(bench, begin, 5).await.len() < 5);
    }
    working.abort();
    assert_eq!(short, 0, "100 were recorded and none was removed");
}

/// A watcher that asks again from the last change misses none.
pub async fn changes_are_told_in_their_order(bench: &Bench) {
    let begin = bench.now() - SECOND;
    let (lead, one) = bench.recorded("c1").await;
    bench.clock.advance(SECOND);
    let (_, two) = bench.recorded("c2").await;
    bench.clock.advance(SECOND);
    let three = bench.changed(&lead, Status::Hold).await;
    assert_eq!(changed(bench, begin, 10).await, [one, two, three]);
    assert_eq!(changed(bench, begin, 2).await, [one, two]);
    bench.clock.advance(SECOND);
    let middle = bench.now();
    bench.clock.advance(SECOND);
    for claim in bench.claims(10).await.claims {
        if claim.fence.delivery == one {
            bench.settle(&claim.fence, dead("bad_price")).await;
        }
    }
    let order = changed(bench, begin, 10).await;
    assert_eq!(order[0], two);
    assert_eq!(order.len(), 3);
    let mut latest = changed(bench, middle, 10).await;
    latest.sort_unstable();
    assert_eq!(latest, [one, three], "the lead died, and its change became the head");
    let told = bench.store.changed_since(middle, 10).await.unwrap();
    let told = told.iter().find(|delivery| delivery.id == one).unwrap();
    assert_eq!((told.state.as_str(), told.updated_at >= middle), ("dead", true));

    bench.clock.advance(days(2));
    bench.sweep().await;
    assert_eq!(changed(bench, begin, 10).await, []);
    let (_, four) = bench.recorded("c4").await;
    assert_eq!(changed(bench, begin, 10).await, [four]);
}
