//! What the hub does by itself: writes back clicks that waited, sweeps the stores, keeps the gauges true.

use std::time::Duration;

use postback_core::Result;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{Hub, buffer::Waiting, meters};

/// How many clicks are written back at once.
const AT_ONCE: usize = 64;
/// The waits between tries while the click store is away, from the first to the last.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often the stores are swept; at once again while there is work.
const SWEEP: Duration = Duration::from_secs(60);
/// How often the gauges are set.
const GAUGES: Duration = Duration::from_secs(10);

impl Hub {
    /// Works until `shutdown`; then writes back what still waits, once.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.write_back() => {}
            () = self.sweep() => {}
            () = self.measure() => {}
        }
        self.write_some().await;
    }

    /// Writes clicks back as they come to wait, with growing waits while the store is away.
    async fn write_back(&self) {
        let (first, longest) = WAITS;
        let mut wait = first;
        loop {
            self.inner.buffer.wanted().await;
            if self.write_some().await {
                wait = first;
            } else {
                sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
                wait = (wait * 2).min(longest);
            }
            meters::buffered(self.inner.buffer.len());
        }
    }

    /// Writes some of the oldest back. Returns whether the store answers.
    async fn write_some(&self) -> bool {
        let waiting = self.inner.buffer.oldest(AT_ONCE);
        if waiting.is_empty() {
            let answers = self.inner.clicks.ping().await.is_ok();
            if answers {
                self.inner.buffer.back();
            }
            return answers;
        }
        for Waiting { click, findable } in waiting {
            let kept = click.click.clone();
            match self.inner.clicks.capture(click, findable).await {
                Ok(_) => {}
                Err(error) if is_passing(&error) => return false,
                Err(error) => {
                    meters::dropped(meters::Dropped::Refused);
                    tracing::error!(account = %kept.account, %error, "the click store refused a record for good");
                }
            }
            self.inner.buffer.remove(&kept.account, &kept.id);
            self.inner.buffer.back();
        }
        true
    }

    async fn sweep(&self) {
        let mut turn = interval(SWEEP);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let swept = || async { Ok(self.inner.clicks.sweep().await? + self.inner.outbox.sweep().await?) };
            loop {
                let swept: Result<usize> = swept().await;
                match swept {
                    Ok(0) => break,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => {
                        tracing::debug!(%error, "a sweep failed; the next one goes on");
                        break;
                    }
                }
            }
        }
    }

    async fn measure(&self) {
        let mut turn = interval(GAUGES);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            meters::buffered(self.inner.buffer.len());
            let Ok(standings) = self.stats(None).await else { continue };
            let now = self.inner.clock.now();
            for standing in standings {
                let oldest =
                    standing.stats.oldest_pending.map(|since| now.duration_since(since).as_secs_f64());
                meters::standing(&standing, oldest.unwrap_or_default().max(0.0));
            }
        }
    }
}

/// Whether trying again may help.
pub(crate) fn is_passing(error: &postback_core::Error) -> bool {
    use postback_core::ErrorKind::{ResourceExhausted, Unavailable};
    matches!(error.kind(), Unavailable | ResourceExhausted)
}
