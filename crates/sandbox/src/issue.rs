//! An order for clicks: what a network is asked to issue.

use std::net::IpAddr;

use serde::Deserialize;

use crate::{Network, SandboxError};

/// The most clicks of one order.
const MOST: u32 = 10_000;

/// Which clicks to issue. Ids are drawn from the seed where `ids` names none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueClicks {
    /// The network.
    pub network: Network,
    /// How many, 1 to 10000; read only where `ids` is empty.
    #[serde(default = "one")]
    pub count: u32,
    /// These very ids, each of the network's form and not issued before.
    #[serde(default)]
    pub ids: Vec<String>,
    /// How many seconds ago they were clicked.
    #[serde(default)]
    pub age_seconds: u32,
    /// Traffic Stars: the advertiser's account; the first of the seed where not given.
    pub account: Option<String>,
    /// AlterCPA: the flow's number; the first of the seed where not given.
    pub flow: Option<u64>,
    /// AlterCPA: the visitor's address; 203.0.113.1 where not given.
    pub ip: Option<IpAddr>,
    /// AlterCPA: the visitor's country, two letters.
    pub geo: Option<String>,
}

const fn one() -> u32 {
    1
}

impl IssueClicks {
    /// One click at `network`, clicked now.
    pub const fn new(network: Network) -> Self {
        Self {
            network,
            count: 1,
            ids: Vec::new(),
            age_seconds: 0,
            account: None,
            flow: None,
            ip: None,
            geo: None,
        }
    }

    /// The ids to issue: the named ones, or as many as asked for from `draw`.
    pub(crate) fn ids_or(&self, mut draw: impl FnMut() -> String) -> Result<Vec<String>, SandboxError> {
        if self.ids.len() > MOST as usize {
            return Err(SandboxError::invalid("ids", format!("want at most {MOST}")));
        }
        if !self.ids.is_empty() {
            return Ok(self.ids.clone());
        }
        if !(1..=MOST).contains(&self.count) {
            return Err(SandboxError::invalid("count", format!("is {}; want 1 to {MOST}", self.count)));
        }
        Ok((0..self.count).map(|_| draw()).collect())
    }

    /// Refuses the fields that belong to another network.
    pub(crate) fn check_fields(&self) -> Result<(), SandboxError> {
        let fields = [
            ("account", self.account.is_some(), Network::Trafficstars),
            ("flow", self.flow.is_some(), Network::Altercpa),
            ("ip", self.ip.is_some(), Network::Altercpa),
            ("geo", self.geo.is_some(), Network::Altercpa),
        ];
        match fields.into_iter().find(|(_, given, network)| *given && *network != self.network) {
            Some((name, ..)) => Err(SandboxError::invalid(name, format!("is not for {}", self.network))),
            None => Ok(()),
        }
    }
}
