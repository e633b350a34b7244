//! What happens next with a pending delivery, or what holds it.

use std::collections::{BTreeMap, HashMap};

use postback_proto::v1::{Delivery, DeliveryState, GetStatsRequest, ListDeliveriesRequest};

use super::{Desk, failure::Failure, pages, time::shown};

/// The most deliveries in doubt that are looked at.
const MOST: usize = 200_000;

/// The deliveries in doubt of an account, or of all: by their lanes, which they hold.
pub(super) struct Doubts(HashMap<String, String>);

impl Doubts {
    pub(super) async fn of(account: &str, desk: &mut Desk<'_>) -> Result<Self, Failure> {
        let state = DeliveryState::InDoubt.into();
        let request =
            ListDeliveriesRequest { account: account.to_owned(), state, ..ListDeliveriesRequest::default() };
        let next = async |page_size, page_token| {
            let request = ListDeliveriesRequest { page_size, page_token, ..request.clone() };
            let page = desk.api.deliveries.list_deliveries(request).await?.into_inner();
            Ok((page.deliveries, page.next_page_token))
        };
        let mut lanes = HashMap::new();
        let take = |delivery: Delivery| {
            lanes.insert(delivery.lane, delivery.delivery_id);
            lanes.len() < MOST
        };
        pages::all(next, take).await?;
        Ok(Self(lanes))
    }

    /// Which one holds a pending delivery; that one is due once it is the first of its lane.
    pub(super) fn before(&self, delivery: &Delivery) -> Option<&str> {
        let waits = delivery.state() == DeliveryState::Pending && delivery.due_time.is_none();
        self.0.get(&delivery.lane).filter(|_| waits).map(String::as_str)
    }
}

/// What is known of the accounts and lanes of some deliveries; by default nothing.
#[derive(Default)]
pub(super) struct Next {
    /// Of each account of the config, whether it is paused.
    accounts: Option<BTreeMap<String, bool>>,
    doubts: Option<Doubts>,
}

impl Next {
    /// Looks up what the pending ones of some deliveries need.
    pub(super) async fn of(deliveries: &[Delivery], desk: &mut Desk<'_>) -> Result<Self, Failure> {
        let mut pending = deliveries.iter().filter(|it| it.state() == DeliveryState::Pending).peekable();
        let Some(first) = pending.peek().map(|it| it.account.clone()) else { return Ok(Self::default()) };
        let standings =
            desk.api.deliveries.get_stats(GetStatsRequest::default()).await?.into_inner().accounts;
        let accounts = standings.into_iter().map(|it| (it.account, it.pause_time.is_some())).collect();
        let one = deliveries.iter().all(|it| it.account == first);
        let doubts = match pending.any(|it| it.due_time.is_none()) {
            true => Some(Doubts::of(if one { &first } else { "" }, desk).await?),
            false => None,
        };
        Ok(Self { accounts: Some(accounts), doubts })
    }

    /// When a pending delivery is sent, or what holds it; empty for any other.
    pub(super) fn words(&self, delivery: &Delivery) -> String {
        if delivery.state() != DeliveryState::Pending {
            return String::new();
        }
        let paused = self.accounts.as_ref().map(|accounts| accounts.get(&delivery.account));
        let doubt = self.doubts.as_ref().and_then(|doubts| doubts.before(delivery));
        match (paused, doubt) {
            (Some(None), _) => "account is not in the config".to_owned(),
            (_, Some(doubt)) => format!("behind {doubt}, in doubt"),
            (Some(Some(true)), None) => "account paused".to_owned(),
            _ if delivery.due_time.is_none() => "behind another one of its click".to_owned(),
            _ => shown(delivery.due_time.as_ref()),
        }
    }
}
