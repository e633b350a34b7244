//! The faults in force, and which call meets which.

use serde::Serialize;

use crate::{Fault, FaultKind, Network, SandboxError};

/// The most faults in force at once.
const MOST: usize = 100;

/// A fault in force.
#[derive(Clone, Serialize)]
pub(crate) struct InForce {
    #[serde(flatten)]
    pub(crate) fault: Fault,
    /// How many calls have met it.
    pub(crate) met: u64,
}

#[derive(Default)]
pub(crate) struct FaultList(Vec<InForce>);

impl FaultList {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), SandboxError> {
        if self.0.len() >= MOST {
            return Err(SandboxError::Full { what: "faults", limit: MOST });
        }
        self.0.push(InForce { fault, met: 0 });
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<InForce> {
        self.0.clone()
    }

    /// Removes the faults of a network, or all, and says how many they were.
    pub(crate) fn clear(&mut self, network: Option<Network>) -> usize {
        let before = self.0.len();
        self.0.retain(|one| network.is_some_and(|network| network != one.fault.network));
        before - self.0.len()
    }

    /// The fault that a call meets. `times` is used up here.
    pub(crate) fn meet(
        &mut self,
        network: Network,
        path: &str,
        rng: &mut fastrand::Rng,
    ) -> Option<FaultKind> {
        let fits = |one: &InForce| one.fault.fits(network, path);
        let at = self.0.iter().position(|one| fits(one) && rng.f64() < one.fault.rate)?;
        let met = &mut self.0[at];
        met.met += 1;
        let kind = met.fault.kind.clone();
        if met.fault.times.is_some_and(|times| met.met >= u64::from(times)) {
            self.0.remove(at);
        }
        Some(kind)
    }
}
