//! `postback doctor`: what is wrong with this machine, its config, its store and the ways to the networks.

mod certificate;
mod clock;
mod network;
mod secrets;
mod store;

use std::{io::Write, path::PathBuf};

use clap::Args;
use comfy_table::ContentArrangement;
use jiff::Timestamp;
use postback_access::Tls;
use serde::Serialize;

use super::failure::{Exit, Failure};
use crate::{
    config::Config,
    counted::counted,
    table::{Column, table},
};

/// How wide a table is that is not shown on a terminal.
const WIDE: u16 = 120;

/// Which config.
#[derive(Debug, Args)]
#[command(after_help = "\
Connects to each network's address, shakes hands under TLS, and asks for `/` by HEAD to read its clock; no conversion is \
sent. An embedded store is opened where no hub holds it, so run it beside a hub, or before one is started.

Exit code 1 where something is wrong; a warning is not.

Examples:
  postback doctor --config postback.toml
  postback doctor --json | jq 'select(.verdict != \"ok\")'")]
pub(crate) struct Doctor {
    /// The config; without one, POSTBACK_* variables alone.
    #[arg(long, env = "POSTBACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// For programs: one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    verdict: Verdict,
    what: String,
    found: String,
    /// What to do; empty where it is well.
    to_do: String,
}

impl Check {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), found: found.into(), to_do: String::new() }
    }

    fn warning(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, to_do: to_do.into(), ..Self::ok(what, found) }
    }

    fn wrong(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { verdict: Verdict::Wrong, to_do: to_do.into(), ..Self::ok(what, found) }
    }

    fn row(&self) -> [String; 4] {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "wrong",
        };
        [verdict.to_owned(), self.what.clone(), self.found.clone(), self.to_do.clone()]
    }
}

impl Doctor {
    /// Looks at everything, and prints it.
    pub(super) async fn work(self, out: &mut dyn Write) -> Result<(), Failure> {
        let checks = self.look().await;
        if self.json {
            for check in &checks {
                writeln!(out, "{}", serde_json::to_string(check).map_err(anyhow::Error::from)?)?;
            }
        } else {
            let columns = ["", "what", "found", "what to do"].map(Column::Text);
            let mut table = table(columns, checks.iter().map(Check::row));
            table.set_content_arrangement(ContentArrangement::Dynamic);
            if !table.is_tty() {
                table.set_width(WIDE);
            }
            writeln!(out, "{table}")?;
        }
        match checks.iter().filter(|check| check.verdict == Verdict::Wrong).count() {
            0 => Ok(()),
            1 => Err(Failure::new(Exit::Failed, "one thing is wrong")),
            wrong => Err(Failure::new(Exit::Failed, format!("{wrong} things are wrong"))),
        }
    }

    async fn look(&self) -> Vec<Check> {
        let mut checks = secrets::checks(self.config.as_deref());
        let config = match Config::load(self.config.as_deref()) {
            Ok(config) => config,
            Err(problems) => {
                let wrong = |problem: &dyn std::fmt::Display| {
                    Check::wrong(
                        "config",
                        problem.to_string(),
                        "mend it; all that follows from it is not looked at",
                    )
                };
                checks.extend(problems.iter().map(|problem| wrong(problem)));
                return checks;
            }
        };
        let (accounts, campaigns) = (config.accounts.len(), config.campaigns.len());
        checks.push(Check::ok(
            "config",
            format!("{}, {}", counted(accounts, "account"), counted(campaigns, "campaign")),
        ));
        checks.extend(store::checks(&config.store).await);
        let (networks, times) = network::checks(&config.accounts).await;
        checks.extend(networks);
        checks.push(clock::check(&times));
        checks.extend(own_certificates(&config));
        checks
    }
}

/// The certificates that the hub's own listeners show.
fn own_certificates(config: &Config) -> Vec<Check> {
    let edge = config.edge.settings().ok().and_then(|settings| settings.tls);
    let listeners = [
        ("edge.tls", edge.as_ref()),
        ("api.tls", config.api.tls.as_ref()),
        ("console.tls", config.console.tls.as_ref()),
    ];
    let now = Timestamp::now();
    let shown = |(section, tls): (&'static str, Option<&Tls>)| {
        let file = &tls?.files().certificate;
        Some(certificate::file(section, file, now))
    };
    listeners.into_iter().filter_map(shown).collect()
}
