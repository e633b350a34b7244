//! The demo's accounts: their config, their clicks as each network sends them, and what the sandbox received.

use std::path::Path;

use postback_core::Key;
use postback_sandbox::{IssueClicks, Network, Sandbox};

use super::checked;
use crate::config::Config;

/// The demo's config: an embedded store in `folder`, all networks at `sandbox`, all visitors sent to `landing`. Each
/// network has one account and one campaign of its own name.
pub(super) fn config(folder: &Path, key: &Key, sandbox: &str, landing: &str) -> anyhow::Result<Config> {
    let (key, folder) = (key.reveal(), folder.display());
    checked(&format!(
        r#"
        key.current = "{key}"
        store.path = '{folder}'
        edge.capture_deadline_ms = 1000

        [accounts.powerspace]
        network = "powerspace"
        base_url = "{sandbox}"
        currency = "USD"

        [accounts.trafficstars]
        network = "trafficstars"
        base_url = "{sandbox}"
        tls_in_front = true
        currency = "USD"
        key = "123456789012345678901234567890abcdef"

        [accounts.altercpa]
        network = "altercpa"
        base_url = "{sandbox}"
        token = "123-abcde"

        [campaigns]
        powerspace = {{ account = "powerspace", landing = "{landing}/?token={{click_token}}" }}
        trafficstars = {{ account = "trafficstars", landing = "{landing}/?token={{click_token}}" }}
        altercpa = {{ account = "altercpa", landing = "{landing}/?token={{click_token}}" }}
        "#
    ))
}

/// Has a network issue clicks.
pub(super) fn issue(sandbox: &Sandbox, network: Network, count: u32) -> anyhow::Result<Vec<String>> {
    let mut clicks = Vec::new();
    let mut left = count;
    while left > 0 {
        let order = IssueClicks { count: left.min(10_000), ..IssueClicks::new(network) };
        left -= order.count;
        clicks.extend(sandbox.issue(&order)?);
    }
    Ok(clicks)
}

/// How many conversions a network counted.
pub(super) fn received(sandbox: &Sandbox, network: Network) -> u64 {
    sandbox.stats().of(network).counted
}
