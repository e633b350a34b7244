//! Quiescence: waits until the hub has nothing left to send, and decides what is in doubt as an operator would.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use anyhow::Context;
use postback_proto::v1::{
    DeliveryState, GetStatsRequest, ListDeliveriesRequest, Resolution, ResolveDeliveryRequest,
};
use postback_sandbox::Sandbox;
use postback_tests::Caller;
use tokio::time::{Instant, sleep};

use crate::{audit::Books, load::Acknowledged};

/// How long a call that was on its way when its sender died may still take to arrive.
const FLIGHT: Duration = Duration::from_secs(2);

/// What the hub says of deliveries that it does not call delivered, by id.
#[derive(Debug, Default)]
pub(crate) struct Opinion {
    /// Those that were in doubt before an operator decided.
    pub(crate) in_doubt: BTreeSet<String>,
    /// Those that are dead.
    pub(crate) dead: BTreeSet<String>,
    /// Those that are still to be sent.
    pub(crate) pending: BTreeSet<String>,
}

/// Waits until nothing is pending, or for as long as `patience`. What is in doubt is resolved by the networks' own
/// books: delivered where they have it, else sent again, so that what waits behind it goes on.
pub(crate) async fn settle(
    caller: &Caller,
    journal: &[Acknowledged],
    patience: Duration,
    sandbox: &Sandbox,
    books: &mut Books,
) -> anyhow::Result<Opinion> {
    let known: HashMap<&str, &Acknowledged> =
        journal.iter().map(|one| (one.delivery_id.as_str(), one)).collect();
    let mut opinion = Opinion::default();
    let began = Instant::now();
    sleep(FLIGHT).await;
    while began.elapsed() < patience {
        let doubts = list(caller, DeliveryState::InDoubt).await?;
        books.read_on(sandbox)?;
        for delivery in doubts {
            let one = known.get(delivery.as_str()).context("a delivery in doubt that no caller asked for")?;
            let resolution = if books.has(one) { Resolution::Delivered } else { Resolution::Resend };
            resolve(caller, &delivery, resolution).await?;
            opinion.in_doubt.insert(delivery);
        }
        if is_quiet(caller).await? {
            break;
        }
        sleep(FLIGHT / 8).await;
    }
    opinion.dead = list(caller, DeliveryState::Dead).await?;
    opinion.pending = list(caller, DeliveryState::Pending).await?;
    opinion.pending.extend(list(caller, DeliveryState::Waiting).await?);
    opinion.pending.extend(list(caller, DeliveryState::InDoubt).await?);
    Ok(opinion)
}

async fn resolve(caller: &Caller, delivery: &str, resolution: Resolution) -> anyhow::Result<()> {
    let request = ResolveDeliveryRequest { delivery_id: delivery.to_owned(), resolution: resolution.into() };
    caller.deliveries.clone().resolve_delivery(request).await?;
    Ok(())
}

async fn is_quiet(caller: &Caller) -> anyhow::Result<bool> {
    let stats = caller.deliveries.clone().get_stats(GetStatsRequest::default()).await?.into_inner();
    Ok(stats.accounts.iter().all(|account| account.pending + account.waiting + account.in_doubt == 0))
}

async fn list(caller: &Caller, state: DeliveryState) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = ListDeliveriesRequest {
            state: state.into(),
            page_size: 1_000,
            page_token,
            ..ListDeliveriesRequest::default()
        };
        let page = caller.deliveries.clone().list_deliveries(request).await?.into_inner();
        found.extend(page.deliveries.into_iter().map(|delivery| delivery.delivery_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}
