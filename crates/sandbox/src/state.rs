//! Everything that calls change, under one lock: the networks' books, the faults, the journal, the counters.

use http::{HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Answer, FaultKind, FaultSeen, IssueClicks, Meant, Network, SandboxError, Seed, Stats,
    altercpa::Altercpa,
    call::Call,
    clock,
    fault_list::FaultList,
    journal::{Journal, Seen},
    powerspace::Powerspace,
    reply::{Outcome, Reply},
    trafficstars::Trafficstars,
};

pub(crate) struct State {
    powerspace: Powerspace,
    trafficstars: Trafficstars,
    pub(crate) altercpa: Altercpa,
    pub(crate) faults: FaultList,
    /// Decides which calls meet a fault.
    rng: fastrand::Rng,
    pub(crate) journal: Journal,
    pub(crate) stats: Stats,
    /// How far the sandbox's clock is from its source's.
    pub(crate) shift: SignedDuration,
}

/// What is to be sent to a client, and how.
pub(crate) struct Verdict {
    pub(crate) seq: u64,
    pub(crate) reply: Reply,
    pub(crate) fault: Option<FaultKind>,
}

impl State {
    pub(crate) fn new(seed: &Seed, now: Timestamp) -> Result<Self, SandboxError> {
        let life = SignedDuration::from_hours(24 * i64::from(seed.click_days));
        let mut rng = fastrand::Rng::with_seed(seed.random);
        Ok(Self {
            powerspace: Powerspace::new(&seed.powerspace, life, now, rng.fork())?,
            trafficstars: Trafficstars::new(&seed.trafficstars, life, now, rng.fork())?,
            altercpa: Altercpa::new(&seed.altercpa, life, now, rng.fork())?,
            faults: FaultList::default(),
            rng,
            journal: Journal::new(seed.journal_entries),
            stats: Stats::default(),
            shift: SignedDuration::ZERO,
        })
    }

    pub(crate) fn issue(&mut self, order: &IssueClicks, now: Timestamp) -> Result<Vec<String>, SandboxError> {
        order.check_fields()?;
        let at = clock::before(now, SignedDuration::from_secs(order.age_seconds.into()));
        match order.network {
            Network::Powerspace => self.powerspace.issue(order, at, now),
            Network::Trafficstars => self.trafficstars.issue(order, at, now),
            Network::Altercpa => self.altercpa.issue(order, at, now),
        }
    }

    /// Takes a call: decides it, counts it, writes it down.
    pub(crate) fn take(&mut self, mut call: Call, now: Timestamp) -> Verdict {
        let fault = self.faults.meet(call.network, &call.path, &mut self.rng);
        let lost = fault.as_ref().is_some_and(|kind| !kind.lets_count());
        let outcome = if lost {
            Outcome::new(Reply::text(StatusCode::OK, ""), Meant::Untouched)
        } else if let Some((reply, why)) = call.unreadable.take() {
            Outcome::refused(reply, why)
        } else {
            self.decide(&call, now)
        };
        let reply = match &fault {
            Some(kind) => kind.disturb(outcome.reply),
            None => outcome.reply,
        };
        self.stats.count(call.network, &outcome.meant, fault.is_some());
        let seen = Seen {
            answer: answer(&reply, fault.as_ref()),
            meant: outcome.meant,
            fault: fault.as_ref().map(|kind| FaultSeen { kind: kind.as_str(), counted: kind.lets_count() }),
            remarks: call.remarks.drain(..).chain(outcome.remarks).collect(),
        };
        let seq = self.journal.write(call, now, seen);
        Verdict { seq, reply, fault }
    }

    fn decide(&mut self, call: &Call, now: Timestamp) -> Outcome {
        match call.network {
            Network::Powerspace => self.powerspace.answer(call, now),
            Network::Trafficstars => self.trafficstars.answer(call, now),
            Network::Altercpa => self.altercpa.answer(call, now),
        }
    }
}

/// Begins like a page of some proxy, and is no UTF-8.
const GARBAGE: &[u8] = b"<html>\xff\xfe\x00\x9f\x92\x96 {\"ok\"";

impl FaultKind {
    /// What the client sees in place of the honest reply.
    fn disturb(&self, honest: Reply) -> Reply {
        match self {
            Self::Status { code, retry_after } => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let reply = Reply::text(status, status.canonical_reason().unwrap_or("fault"));
                match retry_after {
                    Some(seconds) => reply.with(header::RETRY_AFTER, HeaderValue::from(*seconds)),
                    None => reply,
                }
            }
            Self::Garbage => Reply::text(StatusCode::OK, GARBAGE),
            Self::EndlessBody => Reply::text(StatusCode::OK, ""),
            Self::Redirect(location) => {
                let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
                Reply::text(StatusCode::FOUND, "").with(header::LOCATION, location)
            }
            Self::Answer(body) => Reply::guessed(StatusCode::OK, body.clone().into()),
            Self::Delay(_) | Self::SlowBody(_) | Self::DropBefore | Self::DropAfter => honest,
        }
    }
}

fn answer(reply: &Reply, fault: Option<&FaultKind>) -> Option<Answer> {
    match fault {
        Some(FaultKind::DropBefore | FaultKind::DropAfter) => None,
        _ => Some(Answer {
            status: reply.status.as_u16(),
            body: String::from_utf8_lossy(&reply.body).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;

    fn call(network: Network, path: &str, query: Vec<(String, String)>) -> Call {
        Call {
            network,
            method: Method::GET,
            path: path.to_owned(),
            query,
            form: Vec::new(),
            headers: [("x-forwarded-proto".to_owned(), "https".to_owned())].into(),
            peer: None,
            remarks: Vec::new(),
            unreadable: None,
        }
    }

    fn pair() -> impl Strategy<Value = (String, String)> {
        let name = prop_oneof![
            "[a-z_]{0,9}",
            proptest::sample::select(vec![
                "qci", "ov", "clickid", "value", "price", "lead_code", "key", "goalid", "token", "click",
                "exto", "flow", "code", "order", "status", "stid", "accept", "sta", "stn", "auto", "wm",
                "pp", "pd", "pay", "cc", "goal", "gid", "ip", "to", "id", "offer", "time",
            ])
            .prop_map(str::to_owned),
        ];
        let value = prop_oneof![
            ".{0,12}",
            "-?[0-9]{0,30}(\\.[0-9]{0,30})?(e[0-9]{1,3})?",
            proptest::sample::select(vec![
                "abc123xyz789",
                "12-abc",
                "1234",
                "5FAC-D4E8",
                "approve",
                "new",
                "1",
                "203.0.113.7",
                "USD",
                "reg",
                "79228162514264337593543950335",
                "c86b8a88b91228911e723b93c65a5900bb49bc99",
                "123456789012345678901234567890abcdef",
            ])
            .prop_map(str::to_owned),
        ];
        (name, value)
    }

    proptest! {
        #[test]
        fn whatever_is_sent_the_answer_is_a_documented_one(
            calls in proptest::collection::vec((0_usize..9, proptest::collection::vec(pair(), 0..8)), 1..12)
        ) {
            let now = Timestamp::UNIX_EPOCH;
            let mut state = State::new(&Seed::documented(), now).unwrap();
            for (path, mut query) in calls {
                let path = [
                    "/ld", "/ord", "/api/v1/cpa/action",
                    "/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99", "/api/site/click.json",
                    "/api/site/status.json", "/api/site/fetch.json", "/api/site/flow.json", "/api/site/offer.json",
                ][path];
                query.insert(0, ("token".to_owned(), "12-abc".to_owned()));
                let network = Network::of_path(path).unwrap();
                let verdict = state.take(call(network, path, query), now);
                let status = verdict.reply.status.as_u16();
                match network {
                    Network::Powerspace => prop_assert!([200, 400, 404].contains(&status)),
                    Network::Trafficstars | Network::Altercpa => {
                        prop_assert_eq!(status, 200);
                        let body: serde_json::Value = serde_json::from_slice(&verdict.reply.body).unwrap();
                        prop_assert!(body["ok"] == true || body["error"].is_object() || body["status"].is_string());
                    }
                }
            }
            for network in Network::ALL {
                let stats = state.stats.of(network);
                let sum = stats.counted + stats.duplicates + stats.changed + stats.looked_up + stats.refused
                    + stats.untouched;
                prop_assert_eq!(stats.calls, sum);
            }
        }
    }
}
