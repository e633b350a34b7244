//! The fault campaign: real processes under load, a fault at random moments, and an audit that never asks the hub
//! what was counted.

mod audit;
mod door;
mod fault;
mod house;
mod hub;
mod isolation;
mod load;
mod outage;
mod passer;
mod plan;
mod report;
mod settle;
mod shim;
mod step;
mod store;
mod strike;
mod trial;
mod visitor;

use std::{
    io::{self, Write},
    process::ExitCode,
    thread::available_parallelism,
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Parser, ValueEnum};
use postback::cli::Cli;
use tokio::{task::JoinSet, time::timeout};

use self::{
    fault::Fault,
    plan::Plan,
    report::{Report, Row},
    store::Store,
    strike::failpoint,
};

/// Breaks the hub and its store under load, and audits what the networks counted.
///
/// Exit code 0 only if every fault struck, and nothing was lost, doubled, out of order, altered, given up or left
/// undelivered that the fault must leave untouched; under the lying disk, only if something was lost.
#[derive(Debug, Parser)]
struct Options {
    /// This fault alone.
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// Where the hub dies, for the fault kill-at: this point alone.
    #[arg(long, value_parser = failpoint::point)]
    point: Option<&'static str>,
    /// How many trials of each fault on each store.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    trials: u32,
    /// For how many seconds each trial is under load.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many trials run beside each other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    beside: u32,
    /// How many deliveries wait for a network that is away, for the fault outage.
    #[arg(long, default_value_t = 5_000)]
    waiting: usize,
    /// A tenth of the campaign: each fault on one of its stores, drawn by the seed, for two seconds; as many beside each
    /// other as there are cores, at most four.
    #[arg(long, conflicts_with_all = ["trials", "seconds", "beside", "waiting"])]
    tenth: bool,
    /// Where the random moments begin; drawn and printed where not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints one JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some(hub::WORD) {
        failpoint::prepare()?;
        return Ok(Cli::parse_from(std::iter::once("postback".to_owned()).chain(arguments)).run());
    }
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = run(&options) => report,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })?;
    report.print(options.json, &mut io::stdout())?;
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How much longer than its load a trial may take: a backlog is sent, and all settles.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// One trial that is to be run.
struct Trial {
    /// Its place in the report.
    row: usize,
    fault: Fault,
    store: Store,
    plan: Plan,
    seed: u64,
}

async fn run(options: &Options) -> anyhow::Result<Report> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    writeln!(io::stderr(), "seed {seed}")?;
    let cores = u32::try_from(available_parallelism()?.get())?;
    let (load, beside) = if options.tenth { (2, cores.min(4)) } else { (options.seconds, options.beside) };
    let (mut report, mut trials) = (Report { seed, rows: Vec::new() }, campaign(options, seed)?.into_iter());
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < beside as usize
            && let Some(Trial { row, fault, store, plan, seed }) = trials.next()
        {
            if report.rows.len() == row {
                report.rows.push(Row::of(fault, store));
            }
            under_way.spawn(async move {
                let trial = trial::run(fault, store, &plan, seed, Duration::from_secs(load));
                let found = timeout(PATIENCE + Duration::from_secs(load), trial).await;
                let found = found.unwrap_or_else(|_| Err(anyhow!("the trial does not end")));
                let found = found.with_context(|| format!("{fault} on {store}, seed {seed}"))?;
                writeln!(io::stderr(), "{fault} on {store}, seed {seed}: {found}")?;
                anyhow::Ok((row, plan, found))
            });
        }
        let Some(done) = under_way.join_next().await else { return Ok(report) };
        let (row, plan, found) = done??;
        report.rows[row].add(&plan, found);
    }
}

/// The trials that are asked for, those of one row after each other.
fn campaign(options: &Options, seed: u64) -> anyhow::Result<Vec<Trial>> {
    let (mut trials, mut row) = (Vec::new(), 0);
    let mut random = fastrand::Rng::with_seed(seed);
    for fault in Fault::value_variants().iter().copied() {
        if options.fault.is_some_and(|wanted| wanted != fault) {
            continue;
        }
        if let Err(why) = fault.is_possible() {
            ensure!(options.fault.is_none(), "{fault} cannot be tried here: {why:#}");
            writeln!(io::stderr(), "{fault} is left out: {why:#}")?;
            continue;
        }
        let one = random.choice(fault.stores().iter().copied());
        for store in fault.stores().iter().copied().filter(|store| !options.tenth || one == Some(*store)) {
            let mut plan = fault.plan(store);
            let waiting = if options.tenth { options.waiting / 10 } else { options.waiting };
            plan.waiting = plan.waiting.and(Some(waiting));
            plan.points.retain(|point| options.point.is_none_or(|wanted| wanted == *point));
            for trial in 0..u64::from(options.trials) {
                let (plan, seed) = (plan.clone(), seed.wrapping_add(trial));
                trials.push(Trial { row, fault, store, plan, seed });
            }
            row += 1;
        }
    }
    Ok(trials)
}
