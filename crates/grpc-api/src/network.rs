//! The network service: look-ups at the networks that have them.

use postback_core::{AccountId, Error, Found, LookUp, LookUpSource, Result};
use postback_proto::{parsed, time_from, v1};
use tonic::{Request, Response, Status};

use crate::{Api, status::status};

fn positive(field: &'static str, number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::invalid(field, format!("`{number}` is negative")))
}

fn missing(want: &str) -> Error {
    Error::invalid("by", format!("is missing; want {want}")).because("MISSING")
}

fn fetch(request: &v1::FetchNetworkClickRequest) -> Result<LookUp> {
    Ok(LookUp::Click {
        ip: request
            .ip
            .parse()
            .map_err(|_| Error::invalid("ip", "is not an IPv4 or IPv6 address such as 192.0.2.1"))?,
        offer: Some(positive("offer", request.offer)?).filter(|&offer| offer > 0),
        flow: parsed("flow_id", &request.flow_id)?,
        code: parsed("flow_code", &request.flow_code)?,
        since: request.since.as_ref().map(|since| time_from("since", since)).transpose()?,
    })
}

fn flow(request: v1::GetFlowRequest) -> Result<LookUp> {
    use v1::get_flow_request::By;
    Ok(LookUp::Flow(match request.by {
        None => return Err(missing("click_id, flow_id or flow_code")),
        Some(By::ClickId(id)) => LookUpSource::Click(id.parse()?),
        Some(By::FlowId(id)) => LookUpSource::Flow(id.parse()?),
        Some(By::FlowCode(code)) => LookUpSource::FlowCode(code.parse()?),
    }))
}

fn offer(request: v1::GetOfferRequest) -> Result<LookUp> {
    use v1::get_offer_request::By;
    Ok(LookUp::Offer(match request.by {
        None => return Err(missing("offer_id, click_id, flow_id or flow_code")),
        Some(By::OfferId(id)) => LookUpSource::Offer(positive("offer_id", id)?),
        Some(By::ClickId(id)) => LookUpSource::Click(id.parse()?),
        Some(By::FlowId(id)) => LookUpSource::Flow(id.parse()?),
        Some(By::FlowCode(code)) => LookUpSource::FlowCode(code.parse()?),
    }))
}

fn other() -> Error {
    Error::internal("the network's adapter answered another look-up than was asked")
}

impl Api {
    async fn ask(&self, account: Result<AccountId>, ask: Result<LookUp>) -> Result<Found> {
        self.hub.look_up(&account?, ask?).await
    }
}

#[tonic::async_trait]
impl v1::network_service_server::NetworkService for Api {
    async fn fetch_network_click(
        &self,
        request: Request<v1::FetchNetworkClickRequest>,
    ) -> Result<Response<v1::FoundClick>, Status> {
        let request = request.into_inner();
        match self.ask(request.account.parse(), fetch(&request)).await.map_err(status)? {
            Found::Click(click) => Ok(Response::new(click.into())),
            Found::Flow(_) | Found::Offer(_) => Err(status(other())),
        }
    }

    async fn get_flow(
        &self,
        request: Request<v1::GetFlowRequest>,
    ) -> Result<Response<v1::FoundFlow>, Status> {
        let request = request.into_inner();
        match self.ask(request.account.parse(), flow(request)).await.map_err(status)? {
            Found::Flow(flow) => Ok(Response::new(flow.into())),
            Found::Click(_) | Found::Offer(_) => Err(status(other())),
        }
    }

    async fn get_offer(
        &self,
        request: Request<v1::GetOfferRequest>,
    ) -> Result<Response<v1::FoundOffer>, Status> {
        let request = request.into_inner();
        match self.ask(request.account.parse(), offer(request)).await.map_err(status)? {
            Found::Offer(offer) => Ok(Response::new(offer.into())),
            Found::Click(_) | Found::Flow(_) => Err(status(other())),
        }
    }
}
