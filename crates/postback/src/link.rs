//! The URL to paste into a network's panel.

use anyhow::{Context, bail};
use postback_core::CampaignId;

use crate::config::Config;

/// The link of a campaign, macros included.
pub(crate) fn link(config: &Config, campaign: &str) -> anyhow::Result<String> {
    let campaign: CampaignId = campaign.parse()?;
    let Some(base) = &config.edge.public_url else {
        bail!("edge.public_url is missing; want the address by which visitors reach the edge");
    };
    config.registry()?.link(base, &campaign).with_context(|| format!("no link for `{campaign}`"))
}
