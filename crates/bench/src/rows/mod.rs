//! The rows, by groups that are measured together.
//!
//! A further group is a file here with a `GROUP`, named in [`GROUPS`]. Its `run` starts what it measures
//! ([`Redis`](crate::redis::Redis), [`Hub`](crate::hub::Hub), a [`peer`](crate::peer); all end when they are
//! dropped), sends load ([`Load`](crate::load::Load)) or does its own measuring, and returns its [`Row`]s:
//!
//! - figures that are compared come from [`take_turns`](crate::turns::take_turns) and [`compare`]; one that
//!   stands alone is a [`Row::alone`];
//! - a figure that is aimed at has its [`Target`];
//! - anything that goes wrong is an error, which fails the group: a server that fails has no figures;
//! - [`Bench::quick`] says whether a few seconds must do.
//!
//! A server of our own to compare with is a file in `peer/`, a further kind of load one in `load/`. A foreign
//! program lies in `peers/` beside `src/`; what it takes to run it is the group's `needs`.

mod delivery;
mod edge;
mod growth;
mod latency;
mod memory;
mod orders;
mod record;
mod start;
mod stock;

use std::cell::OnceCell;

use anyhow::Context;

pub(crate) use self::stock::Stock;

use crate::{
    bench::Bench,
    install::Need,
    load::Report,
    row::{Row, Target},
    turns::{Contender, compare, median},
};

/// Rows that are measured together.
pub(crate) struct Group {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What it measures.
    pub(crate) about: &'static str,
    /// What it takes.
    pub(crate) needs: &'static [Need],
    /// Measures it, over what is filled for more groups than one.
    pub(crate) run: fn(&Bench, &OnceCell<Stock>) -> anyhow::Result<Vec<Row>>,
}

/// All groups, in the order in which they are run.
pub(crate) const GROUPS: &[&Group] = &[
    &edge::REDIS,
    &edge::EMBEDDED,
    &record::REDIS,
    &record::EMBEDDED,
    &delivery::GROUP,
    &latency::GROUP,
    &memory::GROUP,
    &growth::GROUP,
    &start::GROUP,
];

/// The groups of these names; all where there are none.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Group>> {
    if names.is_empty() {
        return Ok(GROUPS.to_vec());
    }
    let of = |name: &String| GROUPS.iter().copied().find(|group| group.name == name);
    let all = || GROUPS.iter().map(|group| group.name).collect::<Vec<_>>().join(", ");
    names
        .iter()
        .map(|name| of(name).with_context(|| format!("--only: there is no `{name}`; want one of {}", all())))
        .collect()
}

/// A server beside a peer under the same load: requests per second, CPU time per request, and that of the
/// store where both have one.
fn beside(
    ours: &Contender<'_, Report>,
    theirs: &Contender<'_, Report>,
    rate: Option<Target>,
    cpu: Option<Target>,
) -> Vec<Row> {
    let cpu_us = median(&ours.figures(|round| round.cpu_us[0]));
    let row = |name, unit, figure: fn(&Report) -> f64, target| Row {
        target,
        cpu_us: Some(cpu_us),
        ..compare(name, unit, &ours.figures(figure), theirs.name, &theirs.figures(figure))
    };
    let mut rows = vec![
        row("rate", "requests/s", Report::rate, rate),
        row("CPU", "us/request", |round| round.cpu_us[0], cpu),
    ];
    if [ours, theirs].iter().all(|side| side.rounds.iter().all(|round| round.cpu_us.len() > 1)) {
        rows.push(row("CPU of Redis", "us/request", |round| round.cpu_us[1], None));
    }
    rows
}
