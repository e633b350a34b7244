//! The delivery service.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use postback_core::{
    AccountId, Actor, DeliveryState, Error, Reason, Result,
    ports::{DeliveryFilter, Resolution},
};
use postback_hub::{AccountStanding, Selection, place_of};
use postback_proto::{count, parsed, time_from, timestamp, v1};
use tonic::{Request, Response, Status};

use crate::{Api, actor::actor, ending, page, status::status};

fn state(state: i32) -> Result<Option<&'static str>> {
    let nothing = || Reason::new("", "");
    let state = match v1::DeliveryState::try_from(state) {
        Ok(v1::DeliveryState::Unspecified) => return Ok(None),
        Ok(v1::DeliveryState::Pending) => DeliveryState::Pending,
        Ok(v1::DeliveryState::Waiting) => DeliveryState::Waiting,
        Ok(v1::DeliveryState::InDoubt) => DeliveryState::InDoubt(nothing()),
        Ok(v1::DeliveryState::Delivered) => DeliveryState::Delivered,
        Ok(v1::DeliveryState::Dead) => DeliveryState::Dead(nothing()),
        Err(_) => return Err(Error::invalid("state", format!("`{state}` is not a state of a delivery"))),
    };
    Ok(Some(state.as_str()))
}

fn resolution(resolution: i32) -> Result<Resolution> {
    match v1::Resolution::try_from(resolution) {
        Ok(v1::Resolution::Delivered) => Ok(Resolution::Delivered),
        Ok(v1::Resolution::Resend) => Ok(Resolution::Resend),
        Ok(v1::Resolution::Unspecified) | Err(_) => {
            let want = "is missing; want RESOLUTION_DELIVERED or RESOLUTION_RESEND";
            Err(Error::invalid("resolution", want).because("MISSING"))
        }
    }
}

fn time(field: &'static str, time: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    time.as_ref().map(|time| time_from(field, time)).transpose()
}

fn selection(selection: Option<v1::DeliverySelection>) -> Result<Selection> {
    let selection = selection.unwrap_or_default();
    Ok(Selection {
        account: parsed("selection.account", &selection.account)?,
        reason: Some(selection.reason).filter(|reason| !reason.is_empty()),
        since: time("selection.start_time", selection.start_time)?,
        until: time("selection.end_time", selection.end_time)?,
        previewed_at: time("selection.preview_time", selection.preview_time)?,
    })
}

fn standing(standing: &AccountStanding) -> v1::Account {
    v1::Account::of(standing.id.as_str(), standing.network, standing.paused.as_ref(), &standing.stats)
}

impl Api {
    async fn list_of(&self, request: v1::ListDeliveriesRequest) -> Result<v1::ListDeliveriesResponse> {
        let filter = DeliveryFilter {
            account: parsed("account", &request.account)?,
            conversion: parsed("conversion_id", &request.conversion_id)?,
            state: state(request.state)?,
            since: time("start_time", request.start_time)?,
            until: time("end_time", request.end_time)?,
        };
        let (limit, after) = (page::size(request.page_size)?, place_of(&request.page_token)?);
        let found = self.hub.deliveries(filter, limit, after).await?;
        let (deliveries, next_page_token) = page::told(&found, |delivery| *delivery.id.as_bytes());
        Ok(v1::ListDeliveriesResponse { deliveries, next_page_token })
    }

    async fn decide(&self, request: v1::ResolveDeliveryRequest, actor: &Actor) -> Result<v1::Delivery> {
        let (resolution, seen) = (resolution(request.resolution)?, time("update_time", request.update_time)?);
        let delivery = self.hub.resolve(request.delivery_id.parse()?, resolution, seen, actor).await?;
        Ok((&delivery).into())
    }

    async fn replay(&self, request: v1::ReplayDeliveryRequest, actor: &Actor) -> Result<v1::Delivery> {
        let seen = time("update_time", request.update_time)?;
        let delivery = self.hub.replay(request.delivery_id.parse()?, seen, actor).await?;
        Ok((&delivery).into())
    }

    async fn replay_all(
        &self,
        request: v1::ReplayDeliveriesRequest,
        actor: &Actor,
    ) -> Result<v1::ReplayDeliveriesResponse> {
        let selection = selection(request.selection)?;
        let decided = self.hub.replay_all(&selection, request.validate_only, actor).await?;
        Ok(v1::ReplayDeliveriesResponse {
            count: count(decided.count),
            refused: count(decided.refused),
            left: count(decided.left),
            preview_time: decided.previewed_at.map(timestamp),
        })
    }

    async fn resolve_all(
        &self,
        request: v1::ResolveDeliveriesRequest,
        actor: &Actor,
    ) -> Result<v1::ResolveDeliveriesResponse> {
        let (selection, resolution) = (selection(request.selection)?, resolution(request.resolution)?);
        let decided = self.hub.resolve_all(&selection, resolution, request.validate_only, actor).await?;
        Ok(v1::ResolveDeliveriesResponse {
            count: count(decided.count),
            refused: count(decided.refused),
            left: count(decided.left),
            preview_time: decided.previewed_at.map(timestamp),
        })
    }

    async fn standings(&self, request: v1::GetStatsRequest) -> Result<v1::Stats> {
        let only: Option<AccountId> = parsed("account", &request.account)?;
        let accounts = self.hub.stats(only.as_ref()).await?;
        let campaigns = self
            .hub
            .campaigns()
            .await?
            .into_iter()
            .filter(|campaign| only.as_ref().is_none_or(|account| *account == campaign.account));
        Ok(v1::Stats {
            accounts: accounts.iter().map(standing).collect(),
            campaigns: campaigns
                .map(|campaign| v1::CampaignStats {
                    campaign: campaign.id.to_string(),
                    account: campaign.account.to_string(),
                    clicks: count(campaign.clicks),
                    lost: campaign
                        .lost
                        .iter()
                        .map(|(why, &number)| (why.to_string(), count(number)))
                        .collect(),
                })
                .collect(),
        })
    }
}

#[tonic::async_trait]
impl v1::delivery_service_server::DeliveryService for Api {
    async fn list_deliveries(
        &self,
        request: Request<v1::ListDeliveriesRequest>,
    ) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        self.list_of(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn get_delivery(
        &self,
        request: Request<v1::GetDeliveryRequest>,
    ) -> Result<Response<v1::Delivery>, Status> {
        let id = request.into_inner().delivery_id.parse().map_err(status)?;
        let delivery = self.hub.delivery(id).await.map_err(status)?;
        Ok(Response::new((&delivery).into()))
    }

    async fn replay_delivery(
        &self,
        request: Request<v1::ReplayDeliveryRequest>,
    ) -> Result<Response<v1::Delivery>, Status> {
        let actor = actor(&request);
        self.replay(request.into_inner(), &actor).await.map(Response::new).map_err(status)
    }

    async fn resolve_delivery(
        &self,
        request: Request<v1::ResolveDeliveryRequest>,
    ) -> Result<Response<v1::Delivery>, Status> {
        let actor = actor(&request);
        self.decide(request.into_inner(), &actor).await.map(Response::new).map_err(status)
    }

    async fn replay_deliveries(
        &self,
        request: Request<v1::ReplayDeliveriesRequest>,
    ) -> Result<Response<v1::ReplayDeliveriesResponse>, Status> {
        let actor = actor(&request);
        self.replay_all(request.into_inner(), &actor).await.map(Response::new).map_err(status)
    }

    async fn resolve_deliveries(
        &self,
        request: Request<v1::ResolveDeliveriesRequest>,
    ) -> Result<Response<v1::ResolveDeliveriesResponse>, Status> {
        let actor = actor(&request);
        self.resolve_all(request.into_inner(), &actor).await.map(Response::new).map_err(status)
    }

    async fn pause_account(
        &self,
        request: Request<v1::PauseAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let actor = actor(&request);
        let request = request.into_inner();
        let account = request.account.parse().map_err(status)?;
        let paused = self.hub.pause(&account, &request.reason, &actor).await.map_err(status)?;
        Ok(Response::new(standing(&paused)))
    }

    async fn resume_account(
        &self,
        request: Request<v1::ResumeAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let actor = actor(&request);
        let account = request.into_inner().account.parse().map_err(status)?;
        let resumed = self.hub.resume(&account, &actor).await.map_err(status)?;
        Ok(Response::new(standing(&resumed)))
    }

    async fn get_stats(&self, request: Request<v1::GetStatsRequest>) -> Result<Response<v1::Stats>, Status> {
        self.standings(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type WatchDeliveriesStream = Pin<Box<dyn Stream<Item = Result<v1::Delivery, Status>> + Send>>;

    async fn watch_deliveries(
        &self,
        request: Request<v1::WatchDeliveriesRequest>,
    ) -> Result<Response<Self::WatchDeliveriesStream>, Status> {
        let request = request.into_inner();
        let account = parsed("account", &request.account).map_err(status)?;
        let since = time("start_time", request.start_time).map_err(status)?;
        let changes = self.hub.watch(account, since).await.map_err(status)?;
        let changes = changes.map(|delivery| delivery.map(|delivery| (&delivery).into()).map_err(status));
        Ok(Response::new(Box::pin(ending::until(self.shutdown.clone(), changes))))
    }
}
