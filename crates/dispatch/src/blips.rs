//! The few tries at once that a blip gets, where nothing was sent.

use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tower::retry::Policy;

use crate::outgoing::{Failure, Outgoing, Reply};

/// The waits before the second and the third try.
const WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Tries again twice, and only while no byte of the request has left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blips {
    seen: usize,
}

impl Policy<Outgoing, Reply, Failure> for Blips {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Outgoing, result: &mut Result<Reply, Failure>) -> Option<Sleep> {
        let Err(Failure::NotSent { blip: true, .. }) = result else { return None };
        let wait = WAITS.get(self.seen)?;
        self.seen += 1;
        Some(sleep(*wait))
    }

    fn clone_request(&mut self, outgoing: &Outgoing) -> Option<Outgoing> {
        Some(outgoing.clone())
    }
}
