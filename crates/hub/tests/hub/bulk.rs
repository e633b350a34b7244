//! Many deliveries decided at once.

use postback_core::{Change, DeliveryState, Reason, Status, ports::Clock as _};
use postback_hub::{ChangeReport, ChangeTarget, Decided, Selection};

use crate::doubles::*;

#[tokio::test(start_paused = true)]
async fn a_change_that_was_replayed_with_its_lead_counts_as_replayed() {
    let house = house();
    let lead = house.record(report(house.token("a").await, lead())).await;
    let approved = ChangeReport {
        target: ChangeTarget::Conversion(lead.conversion),
        change: Change { status: Some(Status::Approved), ..Change::default() },
        request_id: None,
    };
    let change = house.hub.change(approved).await.unwrap().delivery;
    for (id, code) in [(lead.delivery, "rejected"), (change, "lead_not_delivered")] {
        house.outbox.set(id, DeliveryState::Dead(Reason::new(code, "no")), house.clock.now());
    }
    let all = Selection { previewed_at: Some(house.clock.now()), ..Selection::default() };
    let decided = house.hub.replay_all(&all, false, &operator()).await.unwrap();
    assert_eq!(decided, Decided { count: 2, ..Decided::default() });
}
