//! Counters per network. They outlive the journal's entries.

use serde::Serialize;

use crate::{Meant, Network};

/// The counters of all networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Powerspace.
    pub powerspace: NetworkStats,
    /// Traffic Stars.
    pub trafficstars: NetworkStats,
    /// AlterCPA.
    pub altercpa: NetworkStats,
}

/// What one network saw since the sandbox began. `calls` is the sum of the six outcomes below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkStats {
    /// Calls that arrived.
    pub calls: u64,
    /// New conversions.
    pub counted: u64,
    /// Repeats of a conversion.
    pub duplicates: u64,
    /// Changes of a conversion.
    pub changed: u64,
    /// Look-ups that found something.
    pub looked_up: u64,
    /// Refused calls.
    pub refused: u64,
    /// Calls that a fault kept from the books.
    pub untouched: u64,
    /// Calls that met a fault, whether counted or not.
    pub faults: u64,
    /// The most calls that were under way at once: begun, and not answered yet.
    pub most_at_once: u64,
    #[serde(skip)]
    at_once: u64,
}

impl Stats {
    /// The counters of one network.
    pub fn of(&self, network: Network) -> &NetworkStats {
        match network {
            Network::Powerspace => &self.powerspace,
            Network::Trafficstars => &self.trafficstars,
            Network::Altercpa => &self.altercpa,
        }
    }

    fn of_mut(&mut self, network: Network) -> &mut NetworkStats {
        match network {
            Network::Powerspace => &mut self.powerspace,
            Network::Trafficstars => &mut self.trafficstars,
            Network::Altercpa => &mut self.altercpa,
        }
    }

    pub(crate) fn begin(&mut self, network: Network) {
        let stats = self.of_mut(network);
        stats.at_once += 1;
        stats.most_at_once = stats.most_at_once.max(stats.at_once);
    }

    pub(crate) fn end(&mut self, network: Network) {
        self.of_mut(network).at_once -= 1;
    }

    pub(crate) fn count(&mut self, network: Network, meant: &Meant, fault: bool) {
        let stats = self.of_mut(network);
        stats.calls += 1;
        stats.faults += u64::from(fault);
        *match meant {
            Meant::Counted(_) => &mut stats.counted,
            Meant::Duplicate(_) => &mut stats.duplicates,
            Meant::Changed(_) => &mut stats.changed,
            Meant::LookedUp { .. } => &mut stats.looked_up,
            Meant::Refused { .. } => &mut stats.refused,
            Meant::Untouched => &mut stats.untouched,
        } += 1;
    }
}
