//! A repeat of what was taken before an account was set otherwise.

use std::sync::Arc;

use postback_core::{Account, Change, ErrorKind};
use postback_hub::{ChangeReport, ChangeTarget, Registry};

use crate::doubles::*;

/// Account `near` is set otherwise: its network takes neither the field `colour` nor changes now.
fn set_otherwise(house: &House) {
    let mut accounts = house.hub.registry().accounts().clone();
    let near = accounts[&id("near")].clone();
    accounts.insert(id("near"), Account { adapter: Arc::new(FakeNetwork { flows: true }), ..near });
    let campaigns = house.hub.registry().campaigns().cloned().collect();
    house.hub.replace(Registry::new(accounts, campaigns).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_repeat_brings_the_first_answer_though_its_account_takes_no_such_thing_now() {
    let house = house();
    let mut details = lead();
    details.fields.insert("colour".into(), "red".into());
    let asked = under("r-1", report(house.token("a").await, details.clone()));
    house.attach("u", "b").await;
    let order = order("10", "T-1");
    let order = postback_core::Details { fields: details.fields, ..order };
    let (by_user, by_click) =
        (report(user("u"), order.clone()), report(house.token("d").await, order.clone()));
    for asked in [asked, by_user, by_click] {
        let first = house.record(asked.clone()).await;
        set_otherwise(&house);
        let repeat = house.record(asked.clone()).await;
        assert_eq!((repeat.delivery, repeat.already), (first.delivery, true));
        assert!(repeat.rendered.call.is_empty());
        assert!(repeat.rendered.warnings[0].contains("is unknown"), "{:?}", repeat.rendered);
        let mut other = asked.clone();
        other.details.fields.insert("code".into(), "K-1".into());
        assert_eq!(house.refuse(other).await.kind(), ErrorKind::AlreadyExists);
        let new = under("r-2", report(house.token("c").await, asked.details));
        assert_eq!(why(&house.refuse(new).await), ("INVALID_VALUE", "details.fields[colour]"));
        house.hub.replace(registry(&["spring", "app"]).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_change_brings_the_first_answer_though_its_account_takes_no_changes_now() {
    let house = house();
    let lead = house.record(report(house.token("a").await, lead())).await;
    let cancelled = |request: &str| ChangeReport {
        target: ChangeTarget::Conversion(lead.conversion),
        change: Change { status: Some(postback_core::Status::Cancelled), ..Change::default() },
        request_id: request.parse().ok(),
    };
    let first = house.hub.change(cancelled("c-1")).await.unwrap();
    set_otherwise(&house);
    let repeat = house.hub.change(cancelled("c-1")).await.unwrap();
    assert_eq!((repeat.delivery, repeat.already), (first.delivery, true));
    assert_eq!(house.hub.change(cancelled("c-2")).await.unwrap_err().reason(), "NO_STATUS_CHANGES");
}
