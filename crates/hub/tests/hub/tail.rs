//! The deliveries that changed last.

use jiff::SignedDuration;
use postback_core::{DeliveryState, ports::Clock as _};

use crate::doubles::*;

#[tokio::test(start_paused = true)]
async fn of_a_burst_the_latest_changes_are_shown() {
    let house = house();
    let token = house.token("a").await;
    for _ in 0..1_300 {
        house.record(report(token.clone(), lead())).await;
    }
    // Of one instant are more than are read at once.
    let mut ids = Vec::new();
    for (place, delivery) in house.outbox.deliveries().into_iter().enumerate() {
        let late = i64::try_from(place).unwrap().max(700);
        house.outbox.set(
            delivery.id,
            DeliveryState::Pending,
            house.clock.now() + SignedDuration::from_millis(late),
        );
        ids.push(delivery.id);
    }
    house.clock.pass(SignedDuration::from_secs(2));
    let latest = house.hub.latest_deliveries(1_000).await.unwrap();
    ids.reverse();
    assert!(latest.iter().map(|delivery| delivery.id).eq(ids.into_iter().take(500)));
}
