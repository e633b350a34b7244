//! The logbook service.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use postback_core::{CampaignId, Error, LatencyBin, Result, ports::BUCKET};
use postback_hub::{AccountCounts, CampaignCounts, Period, Registry, place_of};
use postback_proto::{count, parsed, time_from, timestamp, v1};
use tonic::{Request, Response, Status};

use crate::{Api, page, status::status};

/// How far back a history reaches where nothing is said.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Counts by the word of what was counted.
fn by_word<T: ToString>(counts: &BTreeMap<T, u64>) -> BTreeMap<String, i64> {
    counts.iter().map(|(what, &many)| (what.to_string(), count(many))).collect()
}

fn step(step: Option<prost_types::Duration>) -> Result<SignedDuration> {
    let Some(step) = step else { return Ok(BUCKET) };
    let wrong = || Error::invalid("step", "is not a positive span of time");
    let step = Duration::try_from(step).map_err(|_| wrong())?;
    SignedDuration::try_from(step).map_err(|_| wrong())
}

fn duration(span: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(span).ok()
}

fn of_account(account: impl ToString, counts: &AccountCounts) -> v1::AccountCounts {
    let bin = |bin: LatencyBin| v1::LatencyBin {
        at_most: bin.at_most().and_then(duration),
        count: count(counts.latency.get(&bin).copied().unwrap_or_default()),
    };
    v1::AccountCounts {
        account: account.to_string(),
        conversions: count(counts.conversions),
        attempts: counts.attempts.iter().map(|(it, &n)| (it.as_str().to_owned(), count(n))).collect(),
        delivered: count(counts.delivered),
        in_doubt: count(counts.in_doubt),
        dead: count(counts.dead),
        latency: LatencyBin::all().map(bin).collect(),
        refused: by_word(&counts.refused),
    }
}

fn of_campaign(registry: &Registry, id: &CampaignId, counts: &CampaignCounts) -> v1::CampaignCounts {
    let known = registry.campaign(id.as_str()).ok();
    v1::CampaignCounts {
        campaign: id.to_string(),
        account: known.map(|campaign| campaign.account.to_string()).unwrap_or_default(),
        clicks: count(counts.clicks),
        lost: by_word(&counts.lost),
    }
}

fn bucket(registry: &Registry, period: &Period) -> v1::Bucket {
    v1::Bucket {
        start_time: Some(timestamp(period.start)),
        accounts: period.accounts.iter().map(|(id, counts)| of_account(id, counts)).collect(),
        campaigns: period.campaigns.iter().map(|(id, counts)| of_campaign(registry, id, counts)).collect(),
        refused: by_word(&period.refused),
    }
}

impl Api {
    async fn history_of(&self, request: v1::GetHistoryRequest) -> Result<v1::History> {
        let account = parsed("account", &request.account)?;
        let until = match &request.end_time {
            Some(time) => time_from("end_time", time)?,
            None => self.hub.clock().now(),
        };
        let since = match &request.start_time {
            Some(time) => time_from("start_time", time)?,
            None => until.saturating_sub(DAY).unwrap_or(until),
        };
        let step = step(request.step)?;
        let periods = self.hub.history(account.as_ref(), since, until, step).await?;
        let registry = self.hub.registry();
        Ok(v1::History {
            step: Duration::try_from(step).ok().and_then(duration),
            buckets: periods.iter().map(|period| bucket(&registry, period)).collect(),
        })
    }

    async fn actions_of(&self, request: v1::ListActionsRequest) -> Result<v1::ListActionsResponse> {
        let (limit, after) = (page::size(request.page_size)?, place_of(&request.page_token)?);
        let found = self.hub.actions(limit, after).await?;
        Ok(v1::ListActionsResponse {
            actions: found.items.iter().map(Into::into).collect(),
            next_page_token: page::token(found.next),
        })
    }
}

#[tonic::async_trait]
impl v1::logbook_service_server::LogbookService for Api {
    async fn get_history(
        &self,
        request: Request<v1::GetHistoryRequest>,
    ) -> Result<Response<v1::History>, Status> {
        self.history_of(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        self.actions_of(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
