//! The table: one row for each fault on each store.

use std::{collections::BTreeMap, io::Write, time::Duration};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::{fault::Fault, plan::Plan, store::Store, trial::Found};

/// The campaign's result.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) rows: Vec<Row>,
}

/// All trials of one fault on one store.
#[derive(Serialize)]
pub(crate) struct Row {
    fault: Fault,
    store: Store,
    trials: u64,
    faults: u64,
    /// How often the hub died at each point.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    deaths: BTreeMap<&'static str, u64>,
    conversions: u64,
    changes: u64,
    lost: u64,
    doubled: u64,
    inverted: u64,
    altered: u64,
    in_doubt: u64,
    /// Those of them whose network knows a repeat.
    held: u64,
    dead: u64,
    pending: u64,
    redirects: u64,
    /// Visitors who reached the edge and were not sent on.
    strays: u64,
    /// Requests that reached the hub and were answered by an error, or not.
    failures: u64,
    /// The slowest redirect, and the slowest of those that store nothing.
    worst_redirect_ms: u64,
    worst_bare_ms: u64,
    /// The slowest delivery at a network that was well while another was broken.
    worst_beside_ms: u64,
    /// Whether everything that this fault must leave untouched was.
    #[serde(skip)]
    clean: bool,
    /// Whether it struck, and left untouched what it must; or else what must be found was.
    holds: bool,
}

impl Row {
    pub(crate) const fn of(fault: Fault, store: Store) -> Self {
        Self {
            fault,
            store,
            trials: 0,
            faults: 0,
            deaths: BTreeMap::new(),
            conversions: 0,
            changes: 0,
            lost: 0,
            doubled: 0,
            inverted: 0,
            altered: 0,
            in_doubt: 0,
            held: 0,
            dead: 0,
            pending: 0,
            redirects: 0,
            strays: 0,
            failures: 0,
            worst_redirect_ms: 0,
            worst_bare_ms: 0,
            worst_beside_ms: 0,
            clean: true,
            holds: true,
        }
    }

    /// Adds a trial.
    pub(crate) fn add(&mut self, plan: &Plan, found: Found) {
        self.clean &= found.is_clean(plan);
        self.worst_beside_ms = self.worst_beside_ms.max(whole_ms(found.beside()));
        self.trials += 1;
        self.faults += found.faults;
        for (point, deaths) in found.deaths {
            *self.deaths.entry(point).or_default() += deaths;
        }
        self.conversions += found.conversions;
        self.changes += found.changes;
        self.lost += found.findings.lost.len() as u64;
        self.doubled += found.findings.doubled.len() as u64;
        self.inverted += found.findings.inverted.len() as u64;
        self.altered += found.findings.altered.len() as u64;
        self.in_doubt += found.opinion.in_doubt.len() as u64;
        self.held += found.findings.held.len() as u64;
        self.dead += found.opinion.dead.len() as u64;
        self.pending += found.opinion.pending.len() as u64;
        self.redirects += found.seen.redirects;
        self.strays += found.seen.strays;
        self.failures += found.seen.failures;
        self.worst_redirect_ms = self.worst_redirect_ms.max(whole_ms(found.seen.slowest));
        self.worst_bare_ms = self.worst_bare_ms.max(whole_ms(found.seen.slowest_bare));
        self.holds = self.faults > 0 && if plan.must_lose { self.lost > 0 } else { self.clean };
    }
}

/// Milliseconds, a begun one as a whole.
fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// A heading, and the number that stands under it.
type Column = (&'static str, fn(&Row) -> u64);

const NUMBERS: [Column; 18] = [
    ("trials", |row| row.trials),
    ("faults", |row| row.faults),
    ("conversions", |row| row.conversions),
    ("changes", |row| row.changes),
    ("lost", |row| row.lost),
    ("doubled", |row| row.doubled),
    ("inverted", |row| row.inverted),
    ("altered", |row| row.altered),
    ("in doubt", |row| row.in_doubt),
    ("of them keyed", |row| row.held),
    ("dead", |row| row.dead),
    ("pending", |row| row.pending),
    ("redirects", |row| row.redirects),
    ("not sent on", |row| row.strays),
    ("worst ms", |row| row.worst_redirect_ms),
    ("without store", |row| row.worst_bare_ms),
    ("beside a fault", |row| row.worst_beside_ms),
    ("failed requests", |row| row.failures),
];

impl Report {
    /// Whether every row holds.
    pub(crate) fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }

    /// Prints the table, or JSON.
    pub(crate) fn print(&self, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(out.flush()?);
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        let headings = NUMBERS.iter().map(|(heading, _)| *heading);
        table.set_header(["fault", "store"].into_iter().chain(headings).chain(["holds"]));
        for row in &self.rows {
            let numbers = NUMBERS.iter().map(|(_, number)| number(row).to_string());
            let holds = if row.holds { "yes" } else { "NO" }.to_owned();
            let names = [row.fault.to_string(), row.store.to_string()];
            table.add_row(names.into_iter().chain(numbers).chain([holds]));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}")?;
        for row in self.rows.iter().filter(|row| !row.deaths.is_empty()) {
            let deaths: Vec<_> =
                row.deaths.iter().map(|(point, deaths)| format!("{point} {deaths}")).collect();
            writeln!(out, "{} on {} at: {}", row.fault, row.store, deaths.join(", "))?;
        }
        writeln!(out, "seed {}", self.seed)?;
        Ok(out.flush()?)
    }
}
