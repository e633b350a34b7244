//! The machine's clock, and waiting.

use std::time::Duration;

use jiff::Timestamp;
use postback_core::ports::Clock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Waits. `false`: it is time to end.
pub(crate) async fn pause(wait: Duration, shutdown: &CancellationToken) -> bool {
    shutdown.run_until_cancelled(sleep(wait)).await.is_some()
}
