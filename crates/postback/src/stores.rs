//! The stores that a config names.

use std::{sync::Arc, time::Duration};

use postback_clickstore::{Embedded as EmbeddedClicks, RedisClicks, RedisSettings};
use postback_core::ports::{ClickStore, Clock, Logbook, Outbox};
use postback_logbook::{Embedded as EmbeddedLogbook, RedisLogbook};
use postback_outbox::{Embedded as EmbeddedOutbox, RedisOutbox};

use crate::config::{Engine, Store};

/// Clicks, conversions and the logbook, on one engine.
pub(crate) struct Stores {
    pub(crate) clicks: Arc<dyn ClickStore>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) logbook: Arc<dyn Logbook>,
}

impl Stores {
    /// Opens all of them. Redis need not be there yet; an embedded store that another process holds is refused.
    pub(crate) async fn open(store: &Store, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let retention = store.retention();
        if store.engine == Engine::Embedded {
            return Ok(Self {
                clicks: Arc::new(EmbeddedClicks::open(&store.path, clock.clone())?),
                outbox: Arc::new(EmbeddedOutbox::open(&store.path, clock.clone(), retention).await?),
                logbook: Arc::new(EmbeddedLogbook::open(&store.path, clock)?),
            });
        }
        // A visitor waits for the clicks; the others may take longer.
        let clicks = store.redis_settings();
        let outbox = RedisSettings { timeout: Duration::from_secs(2), ..clicks.clone() };
        Ok(Self {
            clicks: Arc::new(RedisClicks::connect(&clicks, clock.clone())?),
            logbook: Arc::new(RedisLogbook::connect(&outbox, clock.clone())?),
            outbox: Arc::new(RedisOutbox::connect(&outbox, clock, retention)?),
        })
    }
}
