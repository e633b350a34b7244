//! What the hub costs, beside peers that do the same work: side by side in one run, on one machine.
//!
//! Every contender is a process of its own. Servers and their Redis share one core, the load has the other.
//! What is compared takes turns, round by round, so that the machine's noise falls on all alike.

mod bench;
mod cpu;
mod hub;
mod install;
mod load;
mod peer;
mod process;
mod redis;
mod row;
mod rows;
mod seed;
mod turns;

use std::{
    cell::OnceCell,
    env,
    fs::File,
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

use crate::bench::Bench;

/// Measures the hub beside peers that do the same work. Prints one table.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Writes the rows as a JSON array to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs this row alone; more than one where it is given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Runs all in under a minute, with more noise.
    #[arg(long)]
    quick: bool,
    /// Says which rows there are.
    #[arg(long)]
    list: bool,
    /// Measures this hub instead of building one.
    #[arg(long, value_name = "PATH", hide = true)]
    hub: Option<PathBuf>,
}

/// What the benchmark starts of itself, as processes with their own CPU account.
#[derive(Debug, Subcommand)]
enum Part {
    /// Serves as a hub is compared with.
    #[command(hide = true)]
    Peer(peer::Options),
    /// Sends load and measures what comes of it.
    #[command(hide = true)]
    Load(load::Options),
    /// Measures, in a session of its own.
    #[command(hide = true)]
    Measure(Options),
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Peer(options)) => alone(peer::run(options))?,
        Some(Part::Load(options)) => alone(load::run(options))?,
        Some(Part::Measure(options)) => {
            process::own_session()?;
            measure(options)?;
        }
        None if cli.options.list => list()?,
        None => return measured_apart(),
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures in a child, which ends with this process: what is set for its session ends with both.
fn measured_apart() -> anyhow::Result<ExitCode> {
    let mut child = Command::new(env::current_exe()?);
    let ended = child.arg("measure").args(env::args_os().skip(1)).status()?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs on one thread, as one core is all that a part is given.
fn alone(part: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, part)
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for group in rows::GROUPS {
        writeln!(out, "{:<16}{}", group.name, group.about)?;
    }
    Ok(())
}

fn measure(options: Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let chosen = rows::chosen(&options.only)?;
    let json = options
        .json
        .map(|file| File::create(&file).with_context(|| format!("`{}` cannot be written", file.display())));
    let json = json.transpose()?;
    install::needed(chosen.iter().flat_map(|group| group.needs))?;
    let bench = Bench::new(options.hub, options.quick)?;
    let (stock, mut rows, mut failed) = (OnceCell::new(), Vec::new(), Vec::new());
    for group in chosen {
        bench.say(format_args!("{}: {}", group.name, group.about));
        match (group.run)(&bench, &stock) {
            Ok(measured) => rows.extend(measured.into_iter().map(|row| row.of(group.name))),
            Err(error) => {
                bench.say(format_args!("{} failed: {error:#}", group.name));
                failed.push(group.name);
            }
        }
    }
    drop(stock);
    writeln!(out, "{}", row::table(&rows))?;
    writeln!(out, "{}", bench.conditions()?)?;
    if let Some(mut json) = json {
        json.write_all(&serde_json::to_vec_pretty(&rows)?).context("the rows cannot be written")?;
    }
    ensure!(failed.is_empty(), "without {}, as said above", failed.join(", "));
    Ok(())
}
