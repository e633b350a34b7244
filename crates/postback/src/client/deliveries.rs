//! `postback deliveries`

use clap::Args;
use comfy_table::Table;
use postback_proto::v1::{Delivery, DeliveryState, GetDeliveryRequest, ListDeliveriesRequest};

use super::{
    Desk, Work,
    failure::Failure,
    next::Next,
    pages, story,
    time::{Window, shown},
    words::{Word, parser},
};
use crate::table::{Column, table};

/// Which deliveries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postback deliveries --account ps --state in_doubt
  postback deliveries --state dead --reason expired_click --since 24h
  postback deliveries 0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77")]
pub(crate) struct Deliveries {
    /// One delivery, with each call as sent and each answer.
    #[arg(value_name = "ID", conflicts_with_all = ["account", "conversion", "state", "reason", "since", "until"])]
    id: Option<String>,
    /// Of this account.
    #[arg(long)]
    account: Option<String>,
    /// Of this conversion.
    #[arg(long, value_name = "ID")]
    conversion: Option<String>,
    /// In this state.
    #[arg(long, value_parser = parser::<DeliveryState>())]
    state: Option<DeliveryState>,
    /// In doubt or dead for this reason's word, such as expired_click.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    window: Window,
    /// At most so many, the latest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Work for Deliveries {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        if let Some(delivery_id) = self.id {
            let request = GetDeliveryRequest { delivery_id };
            let delivery = desk.api.deliveries.get_delivery(request).await?.into_inner();
            let next = desk.next(std::slice::from_ref(&delivery)).await?;
            let people = |delivery: &Delivery| story::delivery(delivery, &next).trim_end().to_owned();
            return desk.show("Delivery", &delivery, people);
        }
        let request = ListDeliveriesRequest {
            account: self.account.unwrap_or_default(),
            conversion_id: self.conversion.unwrap_or_default(),
            state: self.state.unwrap_or_default().into(),
            start_time: self.window.start(),
            end_time: self.window.end(),
            ..ListDeliveriesRequest::default()
        };
        let next = async |desk: &mut Desk<'_>, page_size, page_token| {
            let request = ListDeliveriesRequest { page_size, page_token, ..request.clone() };
            let page = desk.api.deliveries.list_deliveries(request).await?.into_inner();
            Ok((page.deliveries, page.next_page_token))
        };
        let code = |delivery: &Delivery| delivery.reason.as_ref().map(|reason| reason.code.clone());
        let wanted = |delivery: &Delivery| self.reason.is_none() || code(delivery) == self.reason;
        let found = pages::first(desk, self.limit, next, wanted).await?;
        if found.is_empty() {
            desk.knows(&request.account).await?;
        }
        let next = desk.next(&found).await?;
        desk.list("Delivery", &found, |found| sheet(found, &next))
    }
}

/// Deliveries as a table.
pub(super) fn sheet(deliveries: &[Delivery], next: &Next) -> Table {
    table(
        [
            Column::Text("delivery"),
            Column::Text("taken in"),
            Column::Text("account"),
            Column::Text("tells"),
            Column::Text("state"),
            Column::Number("attempts"),
            Column::Text("next, or why"),
        ],
        deliveries.iter().map(|delivery| row(delivery, next)),
    )
}

fn row(delivery: &Delivery, next: &Next) -> [String; 7] {
    let next = match delivery.state() {
        DeliveryState::Pending => next.words(delivery),
        _ => story::why(delivery),
    };
    [
        delivery.delivery_id.clone(),
        shown(delivery.create_time.as_ref()),
        delivery.account.clone(),
        story::tells(delivery.change.as_ref()),
        delivery.state().word(),
        delivery.attempts.len().to_string(),
        next,
    ]
}
