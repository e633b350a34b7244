//! Traffic Stars: one address for every conversion, judged by the JSON in the body.

mod asked;
mod price;
mod refusal;

use std::collections::HashSet;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::{
    asked::{Asked, is_hex40, is_opaque},
    refusal::Refusal,
};
use crate::{
    Hidden, IssueClicks, Kind, Meant, SandboxError,
    call::Call,
    click_book::ClickBook,
    reply::{Outcome, Reply},
};

/// The most conversions that are remembered to tell repeats; past it the network answers 503.
const MOST: usize = 1_000_000;

/// What Traffic Stars knows at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficstarsSeed {
    /// The HTTP status of an error; the document names none.
    error_status: u16,
    /// Whether TLS ends in front of the sandbox without a header that says so.
    tls_in_front: bool,
    accounts: Vec<Account>,
}

/// One advertiser.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    name: String,
    key: Hidden,
    /// Whether several leads on one click are allowed.
    several_leads: bool,
    ids: Form,
    /// The goals beside the default one, 0.
    goals: Vec<u32>,
    clicks: Vec<String>,
    expired: Vec<String>,
}

/// The form of an account's click ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// 40 characters of `[0-9a-f]`.
    Hex40,
    /// 1 to 512 visible ASCII characters.
    Opaque,
}

impl TrafficstarsSeed {
    pub(crate) fn check(&self) -> Result<(), String> {
        if StatusCode::from_u16(self.error_status).is_err() {
            return Err("trafficstars.error_status: want an HTTP status".to_owned());
        }
        if self.accounts.is_empty() {
            return Err("trafficstars.accounts: want at least one".to_owned());
        }
        let mut keys = HashSet::new();
        match self.accounts.iter().find(|account| !keys.insert(account.key.reveal())) {
            Some(double) => {
                Err(format!("trafficstars.accounts: the key of `{}` is another's too", double.name))
            }
            None => Ok(()),
        }
    }
}

/// A click, and what was counted on it.
struct Click {
    account: usize,
    codes: HashSet<String>,
}

pub(crate) struct Trafficstars {
    error_status: StatusCode,
    tls_in_front: bool,
    accounts: Vec<Account>,
    clicks: ClickBook<String, Click>,
    remembered: usize,
    rng: fastrand::Rng,
}

impl Trafficstars {
    pub(crate) fn new(
        seed: &TrafficstarsSeed,
        life: SignedDuration,
        now: Timestamp,
        rng: fastrand::Rng,
    ) -> Result<Self, SandboxError> {
        let error_status = StatusCode::from_u16(seed.error_status).unwrap_or(StatusCode::OK);
        let mut network = Self {
            error_status,
            tls_in_front: seed.tls_in_front,
            accounts: seed.accounts.clone(),
            clicks: ClickBook::new(life),
            remembered: 0,
            rng,
        };
        let past = crate::clock::before(now, life + SignedDuration::from_secs(1));
        for (at, account) in seed.accounts.iter().enumerate() {
            for (ids, time) in [(&account.clicks, now), (&account.expired, past)] {
                for id in ids {
                    network.add(id, at, time, now)?;
                }
            }
        }
        Ok(network)
    }

    pub(crate) fn issue(
        &mut self,
        order: &IssueClicks,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<String>, SandboxError> {
        let account = match &order.account {
            None => 0,
            Some(name) => self
                .accounts
                .iter()
                .position(|account| account.name == *name)
                .ok_or_else(|| SandboxError::invalid("account", format!("`{name}` is unknown")))?,
        };
        let form = self.accounts[account].ids;
        let rng = &mut self.rng;
        let ids = order.ids_or(|| match form {
            Form::Hex40 => (0..40).map(|_| rng.digit(16)).collect(),
            Form::Opaque => (0..120).map(|_| rng.alphanumeric()).collect(),
        })?;
        for id in &ids {
            self.add(id, account, at, now)?;
        }
        Ok(ids)
    }

    fn add(&mut self, id: &str, account: usize, at: Timestamp, now: Timestamp) -> Result<(), SandboxError> {
        let (fits, want) = match self.accounts[account].ids {
            Form::Hex40 => (is_hex40(id), "want 40 characters of [0-9a-f]"),
            Form::Opaque => (is_opaque(id), "want 1 to 512 visible ASCII characters"),
        };
        if !fits {
            return Err(SandboxError::invalid("ids", want));
        }
        let click = Click { account, codes: HashSet::new() };
        let before = self.clicks.len();
        self.clicks.issue(id.to_owned(), click, Some(at), now)?;
        if self.clicks.len() <= before {
            // Clicks that had expired made room, and their codes went with them.
            self.remembered = self.clicks.all_living(now).map(|(.., click)| click.codes.len()).sum();
        }
        Ok(())
    }

    pub(crate) fn answer(&mut self, call: &Call, now: Timestamp) -> Outcome {
        let Some(asked) = Asked::read(call) else {
            return Outcome::refused(Reply::text(StatusCode::NOT_FOUND, "not found"), "no such path");
        };
        if call.method != Method::GET {
            return Outcome::refused(Reply::only("GET"), "the method is not GET");
        }
        let https = self.tls_in_front || call.forwarded_https();
        let mut remarks = asked.remarks();
        let outcome = match self.book(&asked, https, now, &mut remarks) {
            Ok(meant) => Outcome::new(Reply::json(StatusCode::OK, &Success { ok: true }), meant),
            Err(Refusal::Full) => {
                let reply = Reply::text(StatusCode::SERVICE_UNAVAILABLE, "try again later");
                Outcome::refused(reply, Refusal::Full.why())
            }
            Err(refusal) => {
                let body = Failure { error: Message { msg: refusal.to_string() } };
                Outcome::refused(Reply::json(self.error_status, &body), refusal.why())
            }
        };
        outcome.remarking(remarks)
    }

    fn book(
        &mut self,
        asked: &Asked<'_>,
        https: bool,
        now: Timestamp,
        remarks: &mut Vec<String>,
    ) -> Result<Meant, Refusal> {
        let known = self.clicks.knows(&*asked.click);
        asked.check_form(known)?;
        let code = asked.code(https)?;
        if let Some((_, key)) = code
            && !self.accounts.iter().any(|account| account.key.reveal() == key)
        {
            return Err(Refusal::Key("the key is no account's"));
        }
        asked.check_amounts()?;
        let full = self.remembered >= MOST;
        let click = self.clicks.living_mut(&*asked.click, now).map_err(Refusal::Click)?;
        let account = &self.accounts[click.account];
        if let Some((_, key)) = code {
            account.permits(key)?;
        }
        let goal = account.goal(asked.goal(), remarks);
        let booking = asked.booking(goal);
        // Nothing documented tells a repeat but the lead code: without one, each call counts.
        let Some((code, _)) = code else { return Ok(Meant::Counted(booking)) };
        let counted = click.codes.contains(code);
        if counted && !asked.allows_duplicates() {
            return Ok(Meant::Duplicate(booking));
        }
        if full && !counted {
            return Err(Refusal::Full);
        }
        self.remembered += usize::from(click.codes.insert(code.to_owned()));
        Ok(Meant::Counted(booking))
    }
}

impl Account {
    fn permits(&self, key: &str) -> Result<(), Refusal> {
        if self.key.reveal() != key {
            return Err(Refusal::Key("the key is another account's"));
        }
        if !self.several_leads {
            return Err(Refusal::Key("the account may not send several leads on one click"));
        }
        Ok(())
    }

    /// The kind of conversion, and the goal where it is not the default one.
    fn goal(&self, asked: Option<&str>, remarks: &mut Vec<String>) -> (Kind, Option<String>) {
        match asked.map(|goal| (goal, goal.parse::<u32>())) {
            None | Some((_, Ok(0))) => (Kind::Lead, None),
            Some((_, Ok(goal))) if self.goals.contains(&goal) => (Kind::Goal, Some(goal.to_string())),
            Some(_) => {
                remarks.push("the goal is unknown: the default goal is taken".to_owned());
                (Kind::Lead, None)
            }
        }
    }
}

#[derive(Serialize)]
struct Success {
    ok: bool,
}

#[derive(Serialize)]
struct Failure {
    error: Message,
}

#[derive(Serialize)]
struct Message {
    msg: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_forgotten_with_the_clicks_on_which_they_were_counted() {
        let seed = serde_json::json!({ "error_status": 200, "tls_in_front": true, "accounts": [{
            "name": "a", "key": "k", "several_leads": true, "ids": "opaque", "goals": [], "clicks": [],
            "expired": [],
        }] });
        let seed: TrafficstarsSeed = serde_json::from_value(seed).unwrap();
        let (life, start) = (SignedDuration::from_secs(1), Timestamp::UNIX_EPOCH);
        let mut network = Trafficstars::new(&seed, life, start, fastrand::Rng::with_seed(1)).unwrap();
        let issued = (0..).map(|n| n.to_string()).take_while(|id| network.add(id, 0, start, start).is_ok());
        let issued = issued.count();
        network.remembered = MOST;
        let later = start + life * 2;
        network.add("next", 0, later, later).unwrap();
        assert_eq!((issued > 0, network.clicks.len(), network.remembered), (true, 1, 0));
    }
}
