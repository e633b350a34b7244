//! A hub over doubles of its ports, and short words for what tests do with it.

mod clicks;
mod logbook;
mod network;
mod outbox;

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Account, AccountId, Accounts, Actor, Details, Error, Key, Keyring, Kind, Money, ports::Clock,
};
use postback_hub::{
    Campaign, Hub, Landing, LandingTemplate, Parts, Pick, RecordedConversion, Registry, Report, Settings,
    SourceBy, Visit,
};
use tokio::sync::{Notify, watch};

pub(crate) use clicks::{Clicks, Mode};
pub(crate) use logbook::Book;
pub(crate) use network::{FakeNetwork, Line};
pub(crate) use outbox::Ledger;

pub(crate) const START: &str = "2026-03-04T05:06:07.5Z";
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A clock that a test moves.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A hub and what lies under it.
pub(crate) struct House {
    pub(crate) hub: Hub,
    pub(crate) clicks: Arc<Clicks>,
    pub(crate) outbox: Arc<Ledger>,
    pub(crate) logbook: Arc<Book>,
    pub(crate) line: Arc<Line>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) wake: Arc<Notify>,
}

pub(crate) fn house() -> House {
    house_with(Settings::default())
}

pub(crate) fn house_with(settings: Settings) -> House {
    let clock = Arc::new(TestClock(Mutex::new(START.parse().unwrap())));
    let (clicks, outbox) = (Arc::new(Clicks::new(clock.clone())), Arc::new(Ledger::new(clock.clone())));
    let line = Arc::<Line>::default();
    let (logbook, wake) = (Arc::<Book>::default(), Arc::new(Notify::new()));
    let hub = Hub::new(Parts {
        clicks: clicks.clone(),
        outbox: outbox.clone(),
        logbook: logbook.clone(),
        tally: Arc::default(),
        caller: line.clone(),
        clock: clock.clone(),
        keyring: Keyring::new(Key::new(1, [7; 32]), []).unwrap(),
        registry: registry(&["spring", "app"]).unwrap(),
        accounts: watch::channel(Accounts::new()).0,
        wake: wake.clone(),
        public_url: "https://go.example/".parse().ok(),
        settings,
    });
    House { hub, clicks, outbox, logbook, line, clock, wake }
}

/// Accounts `near` and `far`, and of the campaigns `spring` (near) and `app` (far, by address) those named.
pub(crate) fn registry(campaigns: &[&str]) -> Result<Registry, Error> {
    let account = |name: &str, flows| Account {
        id: id(name),
        adapter: Arc::new(FakeNetwork { flows }),
        concurrency: 1.try_into().unwrap(),
        per_second: None,
        settings: 0,
    };
    let accounts = [("near", false), ("far", true)].map(|(name, flows)| (id(name), account(name, flows)));
    let spring = Campaign {
        id: "spring".parse().unwrap(),
        account: id("near"),
        landing: LandingTemplate::parse("https://shop.example/l?t={click_token}&c={click_id}&q={param:q}")
            .unwrap(),
        parameter: None,
        find_by_ip: false,
    };
    let app = Campaign {
        id: "app".parse().unwrap(),
        account: id("far"),
        parameter: Some("sub".into()),
        find_by_ip: true,
        ..spring.clone()
    };
    let chosen = [spring, app].into_iter().filter(|campaign| campaigns.contains(&campaign.id.as_str()));
    Registry::new(accounts.into(), chosen.collect())
}

pub(crate) fn id(name: &str) -> AccountId {
    name.parse().unwrap()
}

pub(crate) fn operator() -> Actor {
    "night".parse().unwrap()
}

pub(crate) fn visit<'a>(campaign: &'a str, query: &'a str) -> Visit<'a> {
    Visit { campaign, query, ip: Some("192.0.2.77".parse().unwrap()), ..Visit::default() }
}

impl House {
    /// A visitor of `spring` with this click id.
    pub(crate) async fn land(&self, click: &str) -> Landing {
        self.hub.land(visit("spring", &format!("click={click}"))).await.unwrap()
    }

    /// The token of a fresh click of `spring`.
    pub(crate) async fn token(&self, click: &str) -> SourceBy {
        SourceBy::Token(self.land(click).await.token.unwrap().to_string())
    }

    /// Attaches a click of `spring` to a user; the next one is a second later.
    pub(crate) async fn attach(&self, user: &str, click: &str) {
        self.land(click).await;
        let by = postback_hub::ClickBy::Network { account: "near".into(), click_id: click.into() };
        self.hub.attach_user(user, by).await.unwrap();
        self.clock.pass(SignedDuration::from_secs(1));
    }

    /// Likewise a click of `app`, at another network.
    pub(crate) async fn attach_far(&self, user: &str, click: &str) {
        let token = self.hub.capture(visit("app", &format!("sub={click}"))).await.unwrap().token;
        self.hub.attach_user(user, postback_hub::ClickBy::Token(token.to_string())).await.unwrap();
        self.clock.pass(SignedDuration::from_secs(1));
    }

    pub(crate) async fn record(&self, report: Report) -> RecordedConversion {
        self.hub.record(&report).await.unwrap()
    }

    pub(crate) async fn refuse(&self, report: Report) -> Error {
        self.hub.record(&report).await.unwrap_err()
    }
}

pub(crate) fn near(click: &str) -> SourceBy {
    SourceBy::Network { account: "near".into(), click_id: click.into() }
}

pub(crate) fn flow() -> SourceBy {
    SourceBy::Flow { account: id("far"), id: "1234".parse().unwrap() }
}

pub(crate) fn user(name: &str) -> SourceBy {
    SourceBy::User { user: name.parse().unwrap(), account: None, pick: Pick::Last }
}

pub(crate) fn report(source: SourceBy, details: Details) -> Report {
    Report { source, details, occurred_at: None, request_id: None }
}

pub(crate) fn lead() -> Details {
    Details::new(Kind::Lead)
}

pub(crate) fn order(value: &str, transaction: &str) -> Details {
    Details {
        value: Some(Money::parse(value, "EUR").unwrap()),
        transaction_id: Some(transaction.parse().unwrap()),
        ..Details::new(Kind::Order)
    }
}

pub(crate) fn under(request: &str, report: Report) -> Report {
    Report { request_id: Some(request.parse().unwrap()), ..report }
}

/// Reason and field of a refusal.
pub(crate) fn why(error: &Error) -> (&str, &str) {
    (error.reason(), error.field().unwrap_or_default())
}
