//! The log: structured, as text for a terminal and as JSON otherwise.

use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts the log on standard error, where it does not mix with what a command prints. A line that cannot be written
/// there is lost: saying so there as well would end the process.
///
/// # Errors
/// Where the filter cannot be read, or a log was started before.
pub(crate) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("log.filter: `{filter}` is not a filter"))?;
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let started = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_ansi(io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("the log was started before: {error}"))
}
