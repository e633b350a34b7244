//! The log: structured, as text for a terminal and as JSON otherwise; and the spans beside it, where they are exported.

use std::io::{self, IsTerminal};

use anyhow::Context;
use postback_traces::Export;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::LogFormat;

/// Starts the log on standard error, where it does not mix with what a command prints.
///
/// # Errors
/// Where the filter cannot be read, or a log was started before.
pub(crate) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    start_with(format, filter, None)
}

/// Starts the log, and hands spans to an export.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_with(format: LogFormat, filter: &str, traces: Option<&Export>) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("log.filter: `{filter}` is not a filter"))?;
    let log = fmt::layer::<Registry>().with_writer(io::stderr);
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let log = if json {
        log.json().flatten_event(true).boxed()
    } else {
        log.with_ansi(io::stderr().is_terminal()).boxed()
    };
    // Spans are for the export alone: without one, none is made.
    let log = log.with_filter(filter.and(filter_fn(|it| it.is_event())));
    let started = tracing_subscriber::registry().with(log).with(traces.map(Export::layer)).try_init();
    started.map_err(|error| anyhow::anyhow!("the log was started before: {error}"))
}
