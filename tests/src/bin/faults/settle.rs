//! Quiescence: waits until the hub has nothing left to send, and decides what is in doubt as an operator would.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use anyhow::Context;
use postback_proto::v1::{
    Delivery, DeliveryState, ListDeliveriesRequest, Resolution, ResolveDeliveryRequest,
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
    let known = journal.iter().map(|one| (one.delivery_id.as_str(), one)).collect();
    let mut opinion = Opinion::default();
    let began = Instant::now();
    sleep(FLIGHT).await;
    loop {
        let over = began.elapsed() >= patience;
        match look(caller, &known, sandbox, books, &mut opinion).await {
            Ok(quiet) if quiet || over => return Ok(opinion),
            Err(error) if over => return Err(error),
            // A store may still be on its way back.
            Ok(_) | Err(_) => sleep(FLIGHT / 8).await,
        }
    }
}

/// Resolves what is in doubt, and asks what else there is; whether nothing is to be sent any more.
async fn look(
    caller: &Caller,
    known: &HashMap<&str, &Acknowledged>,
    sandbox: &Sandbox,
    books: &mut Books,
    opinion: &mut Opinion,
) -> anyhow::Result<bool> {
    let doubts = list(caller, DeliveryState::InDoubt).await?;
    books.read_on(sandbox)?;
    for delivery in doubts {
        let one = known.get(delivery.as_str()).context("a delivery in doubt that no caller asked for")?;
        let resolution = if books.has(one) { Resolution::Delivered } else { Resolution::Resend };
        opinion.in_doubt.insert(delivery.clone());
        resolve(caller, &delivery, resolution).await?;
    }
    opinion.pending.clear();
    for state in [DeliveryState::Pending, DeliveryState::Waiting, DeliveryState::InDoubt] {
        opinion.pending.extend(list(caller, state).await?);
    }
    opinion.dead = list(caller, DeliveryState::Dead).await?;
    Ok(opinion.pending.is_empty())
}

async fn resolve(caller: &Caller, delivery: &str, resolution: Resolution) -> anyhow::Result<()> {
    let (delivery_id, resolution) = (delivery.to_owned(), resolution.into());
    let request = ResolveDeliveryRequest { delivery_id, resolution, update_time: None };
    caller.deliveries.clone().resolve_delivery(request).await?;
    Ok(())
}

async fn list(caller: &Caller, state: DeliveryState) -> anyhow::Result<BTreeSet<String>> {
    let request = ListDeliveriesRequest { state: state.into(), ..ListDeliveriesRequest::default() };
    Ok(every(caller, request).await?.into_iter().map(|delivery| delivery.delivery_id).collect())
}

/// All deliveries that are asked for, from the first page to the last.
pub(crate) async fn every(caller: &Caller, request: ListDeliveriesRequest) -> anyhow::Result<Vec<Delivery>> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListDeliveriesRequest { page_size: 1_000, page_token, ..request.clone() };
        let page = caller.deliveries.clone().list_deliveries(request).await?.into_inner();
        all.extend(page.deliveries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}
