//! What a fault needs of a trial, and what it must leave untouched.

use std::{ops::Range, time::Duration};

use crate::shim::Disk;

/// How a trial of a fault goes. Most faults differ from the default in a line or two.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What each process of the hub does. Faults strike the last one.
    pub(crate) roles: &'static [&'static str],
    /// What lies under the embedded store, or under Redis.
    pub(crate) disk: Disk,
    /// Whether the wall clock can be set wrong; then a click may be refused as past its life for a while.
    pub(crate) shifts_clock: bool,
    /// How many deliveries wait for a network that is away for hours, where that is the fault.
    pub(crate) waiting: Option<usize>,
    /// The points at which the hub dies, where it dies at points.
    pub(crate) points: Vec<&'static str>,
    /// How long to wait between two strikes, in milliseconds.
    pub(crate) rest_ms: Range<u64>,
    /// How many faults must strike.
    pub(crate) faults: u64,
    /// Whether the audit must find losses, or else it finds none where there are some.
    pub(crate) must_lose: bool,
    /// Whether every visitor who reaches the edge must be sent on.
    pub(crate) spares_redirects: bool,
    /// Whether no request that reaches the hub may fail.
    pub(crate) spares_requests: bool,
    /// Whether the hub knows of every call what became of it.
    pub(crate) spares_answers: bool,
    /// Whether no delivery may die.
    pub(crate) spares_deliveries: bool,
    /// How long deliveries may take once the load has ended: a lease and two retries of the schedule.
    pub(crate) patience: Duration,
}

/// Every role in one process.
pub(crate) const WHOLE: &str = "edge,api,dispatch";

impl Default for Plan {
    fn default() -> Self {
        Self {
            roles: &[WHOLE],
            disk: Disk::Machine,
            shifts_clock: false,
            waiting: None,
            points: Vec::new(),
            rest_ms: 20..1_000,
            faults: 1,
            must_lose: false,
            spares_redirects: true,
            spares_requests: false,
            spares_answers: false,
            spares_deliveries: true,
            patience: Duration::from_secs(60),
        }
    }
}

impl Plan {
    /// A process of the hub dies with whatever it had in hand.
    pub(crate) fn of_death() -> Self {
        Self { rest_ms: 20..800, spares_redirects: false, ..Self::default() }
    }

    /// A disk that must lose. What waits for a conversion that is lost waits for ever.
    pub(crate) fn of_lies() -> Self {
        Self {
            disk: Disk::Lies,
            // Long enough for the file's beginning to outlive the lie: the hub rightly refuses a file without one.
            rest_ms: 500..1_500,
            // One may find that all was told to the networks already.
            faults: 5,
            must_lose: true,
            patience: Duration::from_secs(5),
            ..Self::of_death()
        }
    }
}
