//! A row of the result, and the table of all.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde::{Serialize, Serializer};

/// One figure, beside a peer's where there is one.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// In what.
    pub(crate) unit: &'static str,
    /// The hub's, the median of the rounds.
    pub(crate) ours: f64,
    /// Who it is compared with.
    pub(crate) against: Option<String>,
    /// The peer's, the median of its rounds.
    pub(crate) theirs: Option<f64>,
    /// Ours by theirs, the median of the rounds.
    pub(crate) ratio: Option<f64>,
    /// The least ratio of a round.
    pub(crate) min: Option<f64>,
    /// The greatest ratio of a round.
    pub(crate) max: Option<f64>,
    /// The hub's CPU time per request, in microseconds, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us: Option<f64>,
    /// What is aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
}

/// What is aimed at: of the ratio where there is one, of the figure otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// No more.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
    /// No more of the figure itself, whatever the peer's.
    OursAtMost(f64),
}

impl Row {
    /// A figure that is compared with nothing.
    pub(crate) fn alone(name: &str, unit: &'static str, ours: f64) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            ours,
            against: None,
            theirs: None,
            ratio: None,
            min: None,
            max: None,
            cpu_us: None,
            target: None,
        }
    }

    /// With the hub's CPU time beside it.
    pub(crate) fn cpu(self, cpu_us: f64) -> Self {
        Self { cpu_us: Some(cpu_us), ..self }
    }

    /// Under a heading.
    pub(crate) fn of(self, heading: &str) -> Self {
        Self { name: format!("{heading}: {}", self.name), ..self }
    }

    /// With a target beside it.
    pub(crate) fn aim(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn verdict(&self) -> String {
        let figure = self.ratio.unwrap_or(self.ours);
        let Some(target) = self.target else { return String::new() };
        let met = match target {
            Target::AtMost(most) => figure <= most,
            Target::AtLeast(least) => figure >= least,
            Target::OursAtMost(most) => self.ours <= most,
        };
        format!("{target}: {}", if met { "met" } else { "missed" })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::OursAtMost(most) => write!(f, "hub at most {most}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All rows as a table.
pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "row", "unit", "hub", "hub's CPU us", "against", "theirs", "ratio", "min", "max", "target",
    ]);
    for row in rows {
        let figure = |figure: Option<f64>| figure.map(short).unwrap_or_default();
        table.add_row([
            row.name.clone(),
            row.unit.to_owned(),
            short(row.ours),
            figure(row.cpu_us),
            row.against.clone().unwrap_or_default(),
            figure(row.theirs),
            figure(row.ratio),
            figure(row.min),
            figure(row.max),
            row.verdict(),
        ]);
    }
    for column in [2, 3, 5, 6, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Three figures or so, as many as the noise leaves.
fn short(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
