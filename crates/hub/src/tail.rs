//! The deliveries that changed last.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use postback_core::{Delivery, DeliveryId, Result};

use crate::Hub;

/// How far back is looked, until enough is found; in seconds.
const SPANS: [i64; 6] = [2, 15, 120, 900, 7_200, 86_400];
/// The most deliveries that are looked at in one span.
const LOOKED: usize = 500;
/// How often a span that holds more than these is read on.
const ROUNDS: usize = 20;

impl Hub {
    /// The deliveries that changed last, the latest first: at most 500, of at most a day. Where more than 10,000 change
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
            if !full {
                latest = changed;
            } else if latest.is_empty() {
                latest = self.read_on(changed).await?;
            }
            if full || latest.len() >= limit {
                break;
            }
        }
        latest.reverse();
        latest.truncate(limit);
        Ok(latest)
    }

    /// Reads on from a full answer, and keeps the last.
    async fn read_on(&self, mut latest: Vec<Delivery>) -> Result<Vec<Delivery>> {
        let mut most = LOOKED;
        for _ in 0..ROUNDS {
            let since = latest.last().map_or(Timestamp::MAX, |last| last.updated_at);
            let changed = self.inner.outbox.changed_since(since, most).await?;
            let full = changed.len() == most;
            // A whole piece of one instant: only a larger one leads on.
            most = if changed.last().is_some_and(|last| last.updated_at > since) { LOOKED } else { most * 2 };
            let again: HashSet<DeliveryId> = changed.iter().map(|delivery| delivery.id).collect();
            latest.retain(|delivery| !again.contains(&delivery.id));
            latest.extend(changed);
            latest.drain(..latest.len().saturating_sub(LOOKED));
            if !full || most > LOOKED * ROUNDS {
                break;
            }
        }
        Ok(latest)
    }
}
