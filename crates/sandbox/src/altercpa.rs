//! AlterCPA: leads created and changed, clicks, flows and offers looked up; every answer is HTTP 200 and JSON.

mod access;
mod answer;
mod asked;
mod details;
mod edit;
mod lead;
mod ledger;
mod look_up;
mod seed;
mod source;
mod status;
mod terms;
mod write;

use std::net::{IpAddr, Ipv4Addr};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

pub(crate) use self::seed::CpaSeed;
use self::{
    answer::Failure,
    asked::Asked,
    ledger::Ledger,
    seed::{Click, Flow, Offer},
};
pub use self::{
    details::Details,
    lead::{Lead, Step},
    source::Source,
    status::Status,
    terms::{Commission, Terms},
};
use crate::{
    IssueClicks, SandboxError,
    call::Call,
    click_book::ClickBook,
    clock,
    params::short,
    reply::{Outcome, Reply},
};

/// One installation.
pub(crate) struct Altercpa {
    seed: CpaSeed,
    clicks: ClickBook<u64, Click>,
    last_click: u64,
    leads: Ledger,
    rng: fastrand::Rng,
}

impl Altercpa {
    pub(crate) fn new(
        seed: &CpaSeed,
        life: SignedDuration,
        now: Timestamp,
        rng: fastrand::Rng,
    ) -> Result<Self, SandboxError> {
        let mut clicks = ClickBook::new(life);
        for click in &seed.clicks {
            let at = clock::before(now, SignedDuration::from_secs(click.age_seconds.into()));
            clicks.issue(click.id, click.clone(), Some(at), now)?;
        }
        let past = clock::before(now, life + SignedDuration::from_secs(1));
        let flow = seed.flows.first().map_or(0, |flow| flow.id);
        for id in &seed.expired {
            clicks.issue(*id, Click::new(*id, flow), Some(past), now)?;
        }
        let last_click = seed.clicks.iter().map(|click| click.id).chain(seed.expired.iter().copied()).max();
        Ok(Self {
            leads: Ledger::new(seed.first_lead),
            last_click: last_click.unwrap_or(0),
            seed: seed.clone(),
            clicks,
            rng,
        })
    }

    pub(crate) fn issue(
        &mut self,
        order: &IssueClicks,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<String>, SandboxError> {
        let flow = match order.flow {
            Some(id) => {
                self.flow(id).ok_or_else(|| SandboxError::invalid("flow", format!("{id} is unknown")))?
            }
            None => {
                self.seed.flows.first().ok_or_else(|| SandboxError::invalid("flow", "the seed has none"))?
            }
        };
        let mut click = Click::new(0, flow.id);
        click.ip = order.ip.unwrap_or(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))).to_canonical();
        click.geo = order
            .geo
            .clone()
            .or_else(|| self.seed.offer(flow.offer)?.geo.first().cloned())
            .unwrap_or_default();
        let two_letters = |geo: &String| geo.len() == 2 && geo.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !order.geo.as_ref().is_none_or(two_letters) {
            return Err(SandboxError::invalid("geo", "want two letters"));
        }
        let (last, rng) = (&mut self.last_click, &mut self.rng);
        let ids = order.ids_or(|| {
            *last += rng.u64(1..=97);
            last.to_string()
        })?;
        for id in &ids {
            let id =
                seed::number(id).ok_or_else(|| SandboxError::invalid("ids", "want numbers such as 1234"))?;
            let click = Click { id, ..click.clone() };
            self.clicks.issue(id, click, Some(at), now)?;
            self.last_click = self.last_click.max(id);
        }
        Ok(ids)
    }

    pub(crate) fn lead(&self, id: u64) -> Option<&Lead> {
        self.leads.get(id)
    }

    pub(crate) fn answer(&mut self, call: &Call, now: Timestamp) -> Outcome {
        if call.method != Method::GET && call.method != Method::POST {
            return Outcome::refused(Reply::only("GET, POST"), "the method is neither GET nor POST");
        }
        let mut asked = Asked::new(call, now);
        let decided = match call.path.as_str() {
            "/api/site/click.json" => self.create(&mut asked),
            "/api/site/status.json" => self.change(&mut asked),
            "/api/site/fetch.json" => self.fetch(&mut asked),
            "/api/site/flow.json" => self.find_flow(&mut asked),
            "/api/site/offer.json" => self.find_offer(&mut asked),
            other => {
                let reply = Reply::text(StatusCode::NOT_FOUND, "not found");
                return Outcome::refused(reply, format!("no such path: {}", short(other)));
            }
        };
        let outcome = decided.unwrap_or_else(Failure::outcome);
        outcome.remarking(asked.remarks())
    }

    fn flow(&self, id: u64) -> Option<&Flow> {
        self.seed.flows.iter().find(|flow| flow.id == id)
    }

    fn flow_by_code(&self, code: &str) -> Option<&Flow> {
        self.seed.flows.iter().find(|flow| flow.code == code)
    }

    fn offer(&self, id: u64) -> Result<&Offer, Failure> {
        self.seed.offer(id).ok_or_else(|| Failure::db("the offer is gone"))
    }
}
