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
                outbox: Arc::new(EmbeddedOutbox::open(&store.path, clock, retention).await?),
            });
        }
        let urls: Vec<String> = store.redis.iter().map(|url| url.expose_secret().to_owned()).collect();
        let (prefix, wait_replicas) = (store.prefix.clone(), store.wait_replicas);
        let clicks = postback_clickstore::RedisSettings {
            urls: urls.clone(),
            topology: match (&store.sentinel_master, store.cluster) {
                (Some(master), _) => postback_clickstore::Topology::Sentinel { master: master.clone() },
                (None, true) => postback_clickstore::Topology::Cluster,
                (None, false) => postback_clickstore::Topology::Single,
            },
            prefix: prefix.clone(),
            wait_replicas,
            ..postback_clickstore::RedisSettings::default()
        };
        let outbox = postback_outbox::RedisSettings {
            urls,
            topology: match (&store.sentinel_master, store.cluster) {
                (Some(master), _) => postback_outbox::Topology::Sentinel { master: master.clone() },
                (None, true) => postback_outbox::Topology::Cluster,
                (None, false) => postback_outbox::Topology::Single,
            },
            prefix,
            wait_replicas,
            retention,
            ..postback_outbox::RedisSettings::default()
        };
        Ok(Self {
            clicks: Arc::new(RedisClicks::connect(&clicks, clock.clone())?),
            outbox: Arc::new(RedisOutbox::connect(&outbox, clock)?),
        })
    }
}
