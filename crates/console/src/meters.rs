//! The recorder behind every metric of the process.

use std::{collections::BTreeSet, time::Duration};

use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use postback_core::{Error, Result};
use tokio::time::{MissedTickBehavior, interval};

/// Upper bounds of the durations that are told apart, in seconds: from a redirect without a store to a network that
/// takes all the time it may.
const SECONDS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often what was recorded is put into the buckets; between, it lies one by one.
const UPKEEP: Duration = Duration::from_secs(5);

/// Makes this process record its metrics, for [`serve`](crate::serve) to show. Before it, and without it, they go
/// nowhere and cost next to nothing.
///
/// # Errors
/// `FailedPrecondition` where the process records its metrics already.
pub fn metrics() -> Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .map_err(|error| Error::internal("the buckets of the metrics are wrong").caused_by(error))?;
    let handle = builder.install_recorder().map_err(|error| {
        Error::precondition("METRICS_TAKEN", "the process records its metrics already").caused_by(error)
    })?;
    describe_gauge!("postback_build_info", Unit::Count, "Always 1; the label says which version runs");
    gauge!("postback_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Keeps the recorder's memory bounded, for as long as it is polled.
pub(crate) async fn keep_up(handle: PrometheusHandle) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

/// The values of `label` under which the process's own gauge or counter `name` is not 0.
pub(crate) fn labels(handle: &PrometheusHandle, name: &str, label: &str) -> BTreeSet<String> {
    read(handle, name)
        .into_iter()
        .filter(|(_, value)| *value > 0.0)
        .filter_map(|(labels, _)| {
            let opens = format!("{label}=\"");
            let after = labels.split(',').find_map(|pair| pair.strip_prefix(&opens))?;
            Some(after.trim_end_matches('"').to_owned())
        })
        .collect()
}

/// The labels and values of one metric.
fn read(handle: &PrometheusHandle, name: &str) -> Vec<(String, f64)> {
    let text = handle.render();
    let lines = text.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        Some((labels.to_owned(), value.parse().ok()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processs_own_numbers_are_read_by_their_labels() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            gauge!("open", "account" => "near", "calls" => "deliveries").set(1.0);
            gauge!("open", "account" => "far", "calls" => "deliveries").set(0.0);
        });
        assert_eq!(labels(&handle, "open", "account"), BTreeSet::from(["near".to_owned()]));
        assert!(labels(&handle, "nothing", "account").is_empty());
    }
}
