//! The seed: what the networks know when the sandbox begins, read from TOML.

use std::str::FromStr;

use serde::Deserialize;

use crate::{SandboxError, altercpa::CpaSeed, powerspace::PowerspaceSeed, trafficstars::TrafficstarsSeed};

/// A seed. The same seed and the same calls give the same answers, ids included.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Where the random numbers begin.
    pub(crate) random: u64,
    /// How many days a click lives.
    pub(crate) click_days: u32,
    /// The most entries of the journal.
    pub(crate) journal_entries: usize,
    pub(crate) powerspace: PowerspaceSeed,
    pub(crate) trafficstars: TrafficstarsSeed,
    pub(crate) altercpa: CpaSeed,
}

/// The text of the default seed, which issues the documents' own examples; a start for an own one.
pub(crate) const DOCUMENTED: &str = include_str!("../seed.toml");

impl Seed {
    /// The default seed: it issues the documents' own examples.
    pub fn documented() -> Self {
        // The text is part of the crate, and a test reads it.
        DOCUMENTED.parse().unwrap_or_else(|why| unreachable!("{why}"))
    }

    /// The text of the default seed, a start for an own one.
    pub const fn documented_text() -> &'static str {
        DOCUMENTED
    }

    /// The same seed with other random numbers.
    #[must_use]
    pub fn with_random(mut self, random: u64) -> Self {
        self.random = random;
        self
    }

    fn check(&self) -> Result<(), SandboxError> {
        if self.click_days == 0 || self.click_days > 3650 {
            return Err(SandboxError::Seed("click_days: want 1 to 3650".to_owned()));
        }
        if !(1..=1_000_000).contains(&self.journal_entries) {
            return Err(SandboxError::Seed("journal_entries: want 1 to 1000000".to_owned()));
        }
        self.trafficstars.check().and_then(|()| self.altercpa.check()).map_err(SandboxError::Seed)
    }
}

impl FromStr for Seed {
    type Err = SandboxError;

    /// Reads a seed and checks it, so that a seed in hand is one that works.
    fn from_str(text: &str) -> Result<Self, SandboxError> {
        let seed: Self = toml::from_str(text).map_err(|error| SandboxError::Seed(error.to_string()))?;
        seed.check()?;
        Ok(seed)
    }
}
