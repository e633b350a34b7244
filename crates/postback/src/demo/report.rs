//! What the demo saw on both sides.

use std::{io::Write, time::Duration};

use postback_proto::v1::Account;
use postback_sandbox::Network;
use serde::{Serialize, ser::SerializeMap};

use crate::table::{Column, table};

/// One network's counts.
#[derive(Serialize)]
pub(super) struct Row {
    #[serde(skip)]
    pub(super) network: Network,
    pub(super) clicks: u64,
    pub(super) conversions: u64,
    pub(super) delivered: u64,
    pub(super) in_doubt: u64,
    pub(super) dead: u64,
    pub(super) pending: u64,
    pub(super) received: u64,
}

impl Row {
    /// A network whose deliveries have not been counted yet.
    pub(super) const fn of(network: Network, clicks: u64, conversions: u64) -> Self {
        Self { network, clicks, conversions, delivered: 0, in_doubt: 0, dead: 0, pending: 0, received: 0 }
    }

    /// Takes over what the hub says.
    pub(super) fn take(&mut self, account: &Account) {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        self.delivered = count(account.delivered);
        self.in_doubt = count(account.in_doubt);
        self.dead = count(account.dead);
        self.pending = count(account.pending) + count(account.waiting);
    }

    fn cells(&self) -> [String; 9] {
        let Self { clicks, conversions, delivered, in_doubt, dead, pending, received, .. } = *self;
        let numbers = [clicks, conversions, delivered, in_doubt, dead, pending, received];
        let [clicks, conversions, delivered, in_doubt, dead, pending, received] =
            numbers.map(|number| number.to_string());
        let accounted = if self.accounted() { "yes" } else { "NO" }.to_owned();
        let network = self.network.to_string();
        [network, clicks, conversions, delivered, in_doubt, dead, pending, received, accounted]
    }

    /// Whether every conversion is somewhere, and the network counted exactly what the hub calls delivered, or
    /// what is in doubt beside it.
    fn accounted(&self) -> bool {
        self.pending == 0
            && self.conversions == self.delivered + self.in_doubt + self.dead
            && (self.delivered..=self.delivered + self.in_doubt).contains(&self.received)
    }
}

/// All networks' counts.
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Networks<'a>(&'a [Row]);
        impl Serialize for Networks<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|row| (row.network.as_str(), row)))
            }
        }
        let mut object = serializer.serialize_map(Some(2))?;
        object.serialize_entry("accounted", &self.accounted())?;
        object.serialize_entry("networks", &Networks(&self.rows))?;
        object.end()
    }
}

impl Report {
    pub(super) fn accounted(&self) -> bool {
        self.rows.iter().all(Row::accounted)
    }

    pub(super) fn print(&self, json: bool, took: Duration, out: &mut impl Write) -> anyhow::Result<()> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(out.flush()?);
        }
        let numbers =
            ["clicks", "conversions", "delivered", "in doubt", "dead", "pending", "sandbox received"];
        let [clicks, conversions, delivered, in_doubt, dead, pending, received] = numbers.map(Column::Number);
        let (network, accounted) = (Column::Text("network"), Column::Text("accounted"));
        let columns = [network, clicks, conversions, delivered, in_doubt, dead, pending, received, accounted];
        writeln!(out, "{}", table(columns, self.rows.iter().map(Row::cells)))?;
        let conversions: u64 = self.rows.iter().map(|row| row.conversions).sum();
        writeln!(
            out,
            "{conversions} conversions, from the first click to the last verdict, in {:.1} s",
            took.as_secs_f64()
        )?;
        Ok(out.flush()?)
    }
}
