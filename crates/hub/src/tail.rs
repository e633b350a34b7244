//! The deliveries that changed last.

use jiff::{SignedDuration, Timestamp};
use postback_core::{Delivery, Result};

use crate::Hub;

/// How far back is looked, until enough is found; in seconds.
const SPANS: [i64; 6] = [2, 15, 120, 900, 7_200, 86_400];
/// The most deliveries that are looked at in one span.
const LOOKED: usize = 500;

impl Hub {
    /// The deliveries that changed last, the latest first: at most 500, of at most a day. Where more than 500 change
    /// in two seconds, some of these.
    ///
    /// # Errors
    /// The store's own.
    pub async fn latest_deliveries(&self, limit: usize) -> Result<Vec<Delivery>> {
        let (now, limit) = (self.inner.clock.now(), limit.min(LOOKED));
        let mut latest = Vec::new();
        for seconds in SPANS {
            let since = now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN);
            let changed = self.inner.outbox.changed_since(since, LOOKED).await?;
            let full = changed.len() == LOOKED;
            // A full answer holds the oldest of its span, which are not the ones that changed last.
            if !full || latest.is_empty() {
                latest = changed;
            }
            if full || latest.len() >= limit {
                break;
            }
        }
        latest.reverse();
        latest.truncate(limit);
        Ok(latest)
    }
}
