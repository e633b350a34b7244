//! An outage: a network is away for hours while conversions gather, and then it is back.

use std::{fmt, time::Duration};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use postback_proto::v1::{DeliveryState, ListDeliveriesRequest};
use postback_sandbox::{Fault as Misdeed, FaultKind};
use postback_tests::Caller;
use tokio::time::{Instant, sleep};

use crate::{
    audit::Books,
    house::House,
    load::{Acknowledged, Crowd, Load, caller},
    settle::every,
    step::NETWORKS,
    trial::Told,
};

/// How many report at once while conversions gather.
const GATHERERS: usize = 64;
/// How many report new ones while the old ones are sent: far fewer than can be sent.
const NEWCOMERS: usize = 3;
/// For how many hours the network is away, by the clock of the hub and of Redis.
const HOURS: i64 = 6;
/// How long each of these hours takes.
const HOUR: Duration = Duration::from_millis(1_200);
/// How fast the network answers once it is back.
const ANSWERS_IN: Duration = Duration::from_millis(5);
/// How many calls an account has under way at once where its config does not say.
const CONCURRENCY: u64 = 16;
/// The calls that open the breaker, those under way beside them, and its probes while conversions gather.
const FAILURES: usize = 64;
/// How long all that waited may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// How an outage went.
#[derive(Debug)]
pub(crate) struct Outage {
    name: &'static str,
    /// How many deliveries waited at its end, and how long they took to be recorded.
    waited: usize,
    gathered_in: Duration,
    /// How often the network was called in vain.
    failures: usize,
    /// How long all that waited took to be counted.
    drained_in: Duration,
    /// The longest that the other networks' deliveries took meanwhile.
    pub(crate) beside: Duration,
    /// The longest that new deliveries took while the old ones were sent.
    fresh: Duration,
    most_at_once: u64,
    /// The most memory that the hub had, in MiB.
    memory: u64,
}

/// Lets so many deliveries gather, and be sent.
pub(crate) async fn run(
    house: &mut House,
    waiting: usize,
    random: &mut fastrand::Rng,
) -> anyhow::Result<Told> {
    let place = random.choice(NETWORKS).context("there are networks")?;
    let (network, name, _) = place;
    house.door(network).close().await;

    let began = Instant::now();
    let crowd = Crowd { places: vec![place], callers: GATHERERS, rest_ms: 1 };
    let mut load = Load::of(house, &crowd, random)?;
    while load.told() < waiting {
        load.check().await?;
        sleep(Duration::from_millis(20)).await;
    }
    let (mut journal, mut seen) = load.end().await?;
    let (waited, gathered_in) = (journal.len(), began.elapsed());

    let crowd = Crowd {
        places: NETWORKS.into_iter().filter(|other| other.0 != network).collect(),
        ..Crowd::default()
    };
    let load = Load::of(house, &crowd, random)?;
    for hour in 1..=HOURS {
        clock(house, hour)?;
        sleep(HOUR).await;
    }
    let (others, more) = load.end().await?;
    seen.add(more);
    let failures = failures(&caller(house)?, name).await?;

    house.sandbox.inject(Misdeed::new(network, FaultKind::Delay(ANSWERS_IN))?)?;
    clock(house, HOURS + 1)?;
    let back = Timestamp::now();
    house.door(network).open().await?;
    let crowd = Crowd { places: vec![place], callers: NEWCOMERS, ..Crowd::default() };
    let load = Load::of(house, &crowd, random)?;
    let mut books = Books::default();
    let drained = drain(house, &journal, &mut books).await?;
    let (fresh, more) = load.end().await?;
    seen.add(more);
    house.sandbox.clear_faults(None);
    // The last of the new ones are counted while the audit waits for quiescence; their waits are among the rest.
    sleep(HOUR).await;
    books.read_on(&house.sandbox)?;
    let outage = Outage {
        name,
        waited,
        gathered_in,
        failures,
        drained_in: drained.duration_since(back).try_into().unwrap_or_default(),
        beside: longest(&others, &books),
        fresh: longest(&fresh, &books),
        most_at_once: house.sandbox.stats().of(network).most_at_once,
        memory: house.victim().memory()?,
    };
    ensure!(outage.most_at_once <= CONCURRENCY, "more calls at once than the account allows: {outage}");
    ensure!(outage.failures > 0, "the network was never away: {outage}");
    ensure!(outage.failures <= FAILURES, "attempts were burnt while the network was away: {outage}");
    journal.extend(others);
    journal.extend(fresh);
    Ok(Told { faults: 1, journal, books, outage: Some(outage), seen })
}

/// Sets the clock so many hours ahead.
fn clock(house: &House, hours: i64) -> anyhow::Result<()> {
    house.clock.as_ref().context("this trial has a clock of its own")?.set(3_600 * hours)
}

/// Waits until all that waited is counted; returns when the last was.
async fn drain(house: &House, journal: &[Acknowledged], books: &mut Books) -> anyhow::Result<Timestamp> {
    let began = Instant::now();
    let mut left: Vec<&Acknowledged> = journal.iter().collect();
    while !left.is_empty() {
        ensure!(began.elapsed() < PATIENCE, "{} deliveries still wait after the outage", left.len());
        sleep(Duration::from_millis(200)).await;
        books.read_on(&house.sandbox)?;
        left.retain(|one| books.arrived(one).is_none());
    }
    journal.iter().filter_map(|one| books.arrived(one)).max().context("something waited")
}

/// The longest from acknowledged to counted.
fn longest(journal: &[Acknowledged], books: &Books) -> Duration {
    let waits = journal.iter().filter_map(|one| books.waited(one));
    waits.max().unwrap_or_default()
}

/// How many attempts the deliveries that wait have behind them.
async fn failures(caller: &Caller, account: &str) -> anyhow::Result<usize> {
    let state = DeliveryState::Pending.into();
    let request =
        ListDeliveriesRequest { account: account.to_owned(), state, ..ListDeliveriesRequest::default() };
    Ok(every(caller, request).await?.iter().map(|delivery| delivery.attempts.len()).sum())
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, waited, failures, most_at_once, memory, .. } = self;
        let per_second = |time: Duration| (*waited as f64 / time.as_secs_f64().max(0.001)) as u64;
        write!(f, "{waited} deliveries waited for {name}, taken in at {}/s, ", per_second(self.gathered_in))?;
        write!(f, "{failures} failed attempts; counted in {} ms, ", self.drained_in.as_millis())?;
        write!(f, "{}/s, {most_at_once} at once; ", per_second(self.drained_in))?;
        write!(f, "new ones waited {} ms at most, ", self.fresh.as_millis())?;
        write!(f, "the other networks' {} ms; {memory} MiB", self.beside.as_millis())
    }
}
