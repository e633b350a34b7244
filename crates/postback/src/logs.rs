//! The log: structured, as text for a terminal and as JSON otherwise; and the spans beside it, where they are exported.

use std::io::{self, IsTerminal};

use anyhow::Context;
use postback_traces::Export;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::config::LogFormat;

/// Starts the log on standard error, where it does not mix with what a command prints. A line that cannot be written
/// there is lost: saying so there as well would end the process.
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
    let terminal = io::stderr().is_terminal();
    let log = fmt::layer::<Registry>().with_writer(io::stderr).log_internal_errors(false);
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let log = if json { log.json().flatten_event(true).boxed() } else { log.with_ansi(terminal).boxed() };
    let log = tracing_subscriber::registry().with(log.with_filter(events(filter)?));
    let started = match traces {
        Some(traces) => log.with(traces.layer()).try_init(),
        None => log.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log was started before: {error}"))
}

/// What is logged. Spans are for the export alone: without one, none is made.
fn events(text: &str) -> anyhow::Result<impl Filter<Registry> + Send + Sync + 'static> {
    let filter = EnvFilter::try_new(text).with_context(|| format!("log.filter: `{text}` is not a filter"))?;
    Ok(filter.and(filter_fn(|it| !it.is_span())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_export_events_are_logged_and_no_span_is_made() {
        let log = fmt::layer::<Registry>().with_writer(io::sink).with_filter(events("info").unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
            assert!(tracing::info_span!("a span").is_disabled());
            assert!(tracing::enabled!(tracing::Level::INFO) && !tracing::enabled!(tracing::Level::DEBUG));
            assert_eq!(postback_traces::current(), None);
        });
    }
}
