//! The click service.

use std::net::IpAddr;

use postback_core::{Actor, Click, Error, Flags, Result};
use postback_hub::{ClickBy, ClicksOf, EraseSubject, Visit, is_bot, place_of};
use postback_proto::{time_from, timestamp, v1};
use tonic::{Request, Response, Status};

use crate::{Api, actor::actor, page, source, status::status};

const FOUND_USUAL: usize = 10;
const FOUND_MOST: usize = 100;

impl Api {
    fn shown(&self, click: &Click) -> Result<v1::Click> {
        let token = self.hub.token(&click.click)?.to_string();
        Ok(v1::Click { click_token: token, ..click.into() })
    }

    async fn capture(&self, request: v1::CaptureClickRequest) -> Result<v1::CaptureClickResponse> {
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let user_agent = some(&request.user_agent);
        let bot = user_agent.is_some_and(|agent| is_bot(agent.as_bytes()));
        let visit = Visit {
            campaign: &request.campaign,
            query: request.query.strip_prefix('?').unwrap_or(&request.query),
            ip: some(&request.ip).map(ip).transpose()?,
            user_agent,
            country: some(&request.country),
            device: some(&request.device),
            flags: Flags { bot, prefetch: request.prefetch },
        };
        let captured = if request.validate_only {
            self.hub.preview(visit).await?
        } else {
            self.hub.capture(visit).await?
        };
        Ok(v1::CaptureClickResponse {
            click: Some(self.shown(&captured.click)?),
            landing_url: captured.location,
            already_captured: captured.already,
        })
    }

    async fn find(&self, request: v1::FindClicksRequest) -> Result<v1::FindClicksResponse> {
        let since = request.since.as_ref().map(|since| time_from("since", since)).transpose()?;
        let limit = page::bounded(request.page_size, FOUND_USUAL, FOUND_MOST)?;
        let clicks = self.hub.find_clicks(&request.ip, &request.campaign, since, limit).await?;
        Ok(v1::FindClicksResponse {
            clicks: clicks.iter().map(|click| self.shown(click)).collect::<Result<_>>()?,
        })
    }

    async fn list_of_clicks(&self, request: v1::ListClicksRequest) -> Result<v1::ListClicksResponse> {
        let (limit, after) = (page::size(request.page_size)?, place_of(&request.page_token)?);
        let found = self.hub.latest_clicks(&clicks_of(request)?, limit, after).await?;
        Ok(v1::ListClicksResponse {
            clicks: found.items.iter().map(|click| self.shown(click)).collect::<Result<_>>()?,
            next_page_token: page::token(found.next),
        })
    }

    async fn forget(&self, request: v1::EraseRequest, actor: &Actor) -> Result<v1::EraseResponse> {
        use v1::erase_request::Subject;
        let subject = match request.subject {
            Some(Subject::UserId(user)) => EraseSubject::User(user),
            Some(Subject::ClickToken(token)) => EraseSubject::Click(ClickBy::Token(token)),
            Some(Subject::NetworkClick(click)) => EraseSubject::Click(source::network(click)),
            None => {
                let want = "is missing; want network_click, click_token or user_id";
                return Err(Error::invalid("subject", want).because("MISSING"));
            }
        };
        let erased = self.hub.erase(subject, actor).await?;
        Ok(v1::EraseResponse {
            found: erased.found,
            conversions: i32::try_from(erased.conversions).unwrap_or(i32::MAX),
        })
    }
}

fn ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid("ip", "is not an IPv4 or IPv6 address such as 192.0.2.1"))
}

fn clicks_of(request: v1::ListClicksRequest) -> Result<ClicksOf> {
    let v1::ListClicksRequest { campaign, user_id, ip, .. } = request;
    match (campaign.as_str(), user_id.as_str(), ip.as_str()) {
        ("", "", "") => {
            Err(Error::invalid("campaign", "is missing; want campaign, user_id or ip").because("MISSING"))
        }
        (_, "", "") => Ok(ClicksOf::Campaign(campaign)),
        ("", _, "") => Ok(ClicksOf::User(user_id)),
        (_, "", _) => Ok(ClicksOf::Ip { ip, campaign: Some(campaign).filter(|name| !name.is_empty()) }),
        _ => Err(Error::invalid("user_id", "cannot be looked for together with campaign or ip")),
    }
}

#[tonic::async_trait]
impl v1::click_service_server::ClickService for Api {
    async fn capture_click(
        &self,
        request: Request<v1::CaptureClickRequest>,
    ) -> Result<Response<v1::CaptureClickResponse>, Status> {
        self.capture(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn get_click(&self, request: Request<v1::GetClickRequest>) -> Result<Response<v1::Click>, Status> {
        use v1::get_click_request::Click as By;
        let by = request.into_inner().click.map(|by| match by {
            By::ClickToken(token) => ClickBy::Token(token),
            By::NetworkClick(click) => source::network(click),
        });
        let by = by.ok_or_else(source::no_click).map_err(status)?;
        let click = self.hub.click(by).await.map_err(status)?;
        self.shown(&click).map(Response::new).map_err(status)
    }

    async fn attach_user(
        &self,
        request: Request<v1::AttachUserRequest>,
    ) -> Result<Response<v1::AttachUserResponse>, Status> {
        use v1::attach_user_request::Click as By;
        let request = request.into_inner();
        let by = request.click.map(|by| match by {
            By::ClickToken(token) => ClickBy::Token(token),
            By::NetworkClick(click) => source::network(click),
        });
        let by = by.ok_or_else(source::no_click).map_err(status)?;
        let until = self.hub.attach_user(&request.user_id, by).await.map_err(status)?;
        Ok(Response::new(v1::AttachUserResponse { expire_time: Some(timestamp(until)) }))
    }

    async fn find_clicks(
        &self,
        request: Request<v1::FindClicksRequest>,
    ) -> Result<Response<v1::FindClicksResponse>, Status> {
        self.find(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn erase(&self, request: Request<v1::EraseRequest>) -> Result<Response<v1::EraseResponse>, Status> {
        let actor = actor(&request);
        self.forget(request.into_inner(), &actor).await.map(Response::new).map_err(status)
    }

    async fn list_clicks(
        &self,
        request: Request<v1::ListClicksRequest>,
    ) -> Result<Response<v1::ListClicksResponse>, Status> {
        self.list_of_clicks(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn get_link(&self, request: Request<v1::GetLinkRequest>) -> Result<Response<v1::Link>, Status> {
        let campaign = request.into_inner().campaign;
        let url = self.hub.link(&campaign).map_err(status)?;
        Ok(Response::new(v1::Link { campaign, url }))
    }
}
