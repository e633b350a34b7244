//! One trial: load, faults at random moments, quiescence, audit.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    audit::{Books, Findings},
    fault::Fault,
    house::{House, LEASE},
    isolation::Waits,
    load::{Acknowledged, Crowd, Load, caller},
    outage::{self, Outage},
    plan::Plan,
    settle::{Opinion, settle},
    store::Store,
    visitor::Seen,
};

/// How much longer a fault that has not struck as often as it must is tried.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a trial leaves to be audited.
pub(crate) struct Told {
    pub(crate) faults: u64,
    pub(crate) journal: Vec<Acknowledged>,
    /// The networks' books as far as they were read.
    pub(crate) books: Books,
    pub(crate) outage: Option<Outage>,
    pub(crate) seen: Seen,
}

/// What a trial showed.
pub(crate) struct Found {
    pub(crate) faults: u64,
    /// How often the hub died at each point.
    pub(crate) deaths: BTreeMap<&'static str, u64>,
    /// Conversions that were acknowledged.
    pub(crate) conversions: u64,
    /// Changes of them that were acknowledged.
    pub(crate) changes: u64,
    pub(crate) opinion: Opinion,
    pub(crate) findings: Findings,
    /// How the networks were isolated from each other, where the fault was theirs.
    waits: Option<Waits>,
    outage: Option<Outage>,
    pub(crate) seen: Seen,
}

/// Runs a trial that is so long under load. Where it found something wrong, its folder is kept and named.
pub(crate) async fn run(
    fault: Fault,
    store: Store,
    plan: &Plan,
    seed: u64,
    load: Duration,
) -> anyhow::Result<Found> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut house = House::start(plan, store, seed).await?;
    let told = match plan.waiting {
        Some(waiting) => outage::run(&mut house, waiting, &mut random).await,
        None => under_load(fault, plan, &mut house, load, &mut random).await,
    };
    let audited = match told {
        Ok(told) => audit(&house, plan, told).await,
        Err(error) => Err(error),
    };
    let wrong = match &audited {
        Ok(found) => !plan.must_lose && !found.is_clean(plan),
        Err(_) => true,
    };
    if wrong {
        writeln!(io::stderr(), "{fault} on {store}, seed {seed}: evidence in {}", house.folder().display())?;
    }
    let ended = house.end(wrong).await;
    audited.and_then(|found| ended.map(|()| found))
}

/// Lets the load run, and the fault strike at random moments, as often as it must.
async fn under_load(
    fault: Fault,
    plan: &Plan,
    house: &mut House,
    long: Duration,
    random: &mut fastrand::Rng,
) -> anyhow::Result<Told> {
    let mut load = Load::of(house, &Crowd::default(), random)?;
    let (began, mut faults) = (Instant::now(), 0);
    while began.elapsed() < long || faults < plan.faults && began.elapsed() < long + PATIENCE {
        sleep(Duration::from_millis(random.u64(plan.rest_ms.clone()))).await;
        faults += fault.strike(house, random).await?;
        load.check().await?;
    }
    let (journal, seen) = load.end().await?;
    Ok(Told { faults, journal, seen, books: Books::default(), outage: None })
}

async fn audit(house: &House, plan: &Plan, told: Told) -> anyhow::Result<Found> {
    let Told { faults, journal, seen, mut books, outage } = told;
    let opinion = settle(&caller(house)?, &journal, plan.patience, &house.sandbox, &mut books).await?;
    books.read_on(&house.sandbox)?;
    let findings = books.audit(&journal, &opinion);
    let waits = (!house.strikes.is_empty()).then(|| Waits::of(&house.strikes, &journal, &books));
    let changes = journal.iter().filter(|one| one.step.is_change()).count() as u64;
    let conversions = journal.len() as u64 - changes;
    let deaths = house.deaths.count.clone();
    Ok(Found { faults, deaths, conversions, changes, opinion, findings, waits, outage, seen })
}

impl Found {
    /// Whether everything that its fault must leave untouched was.
    pub(crate) fn is_clean(&self, plan: &Plan) -> bool {
        let Self { opinion, seen, .. } = self;
        self.findings.kinds().iter().all(|(_, lines)| lines.is_empty())
            && opinion.pending.is_empty()
            && (opinion.dead.is_empty() || !plan.spares_deliveries)
            && (opinion.in_doubt.is_empty() || !plan.spares_answers)
            && (seen.strays == 0 || !plan.spares_redirects)
            && (seen.failures == 0 || !plan.spares_requests)
            // What waits for neither network nor store says how slow the machine is.
            && self.beside() <= LEASE + 4 * seen.slowest_bare
    }

    /// The longest that a delivery took at a network that was well while another was broken.
    pub(crate) fn beside(&self) -> Duration {
        let waits = self.waits.as_ref().map(|waits| waits.beside);
        waits.max(self.outage.as_ref().map(|outage| outage.beside)).unwrap_or_default()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { findings, opinion, .. } = self;
        write!(f, "{} faults, {} conversions, {} changes, ", self.faults, self.conversions, self.changes)?;
        for (name, lines) in findings.kinds() {
            write!(f, "{} {name}, ", lines.len())?;
        }
        let Opinion { in_doubt, dead, pending } = opinion;
        write!(f, "{} in doubt, {} dead, {} pending", in_doubt.len(), dead.len(), pending.len())?;
        self.waits.iter().try_for_each(|waits| write!(f, "\n  {waits}"))?;
        self.outage.iter().try_for_each(|outage| write!(f, "\n  {outage}"))?;
        let mut lines = findings.kinds().into_iter().flat_map(|(_, lines)| lines.iter().take(3));
        lines.try_for_each(|line| write!(f, "\n  {line}"))?;
        self.seen.last.iter().try_for_each(|last| write!(f, "\n  last failure outside: {last}"))
    }
}
