//! Where the hub under fault keeps things, and the Redis servers of a trial.

use std::{fmt, path::Path};

use anyhow::{Context, bail};
use postback_redis_link::testing::{RedisCluster, RedisSentinel, RedisServer};
use serde::Serialize;
use tokio::task::block_in_place;

use crate::shim::Variable;

/// Where the hub under fault keeps things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    Embedded,
    /// One Redis.
    Redis,
    /// A master with a replica that must have each write, behind a sentinel.
    Sentinel,
    /// Three masters that share the slots.
    Cluster,
}

/// What an acknowledged write must survive is on the disk.
const DURABLE: [&str; 6] =
    ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"];

/// The servers behind a store.
pub(crate) enum Servers {
    None,
    Single(RedisServer),
    Sentinel(Box<RedisSentinel>),
    Cluster(RedisCluster),
}

impl Servers {
    /// Starts what a store needs, each server with these variables set.
    pub(crate) fn start(store: Store, variables: &[Variable]) -> Self {
        block_in_place(|| match store {
            Store::Embedded => Self::None,
            Store::Redis => Self::Single(RedisServer::start_under(&DURABLE, variables)),
            Store::Sentinel => Self::Sentinel(Box::new(RedisSentinel::start_with(&DURABLE))),
            Store::Cluster => Self::Cluster(RedisCluster::start_with(&DURABLE)),
        })
    }

    /// The store as a hub's config names it; an embedded one lies in `data`.
    pub(crate) fn config(&self, data: &Path) -> String {
        let redis =
            |urls: Vec<String>, more: &str| format!(r#"{{ engine = "redis", redis = {urls:?}{more} }}"#);
        match self {
            Self::None => format!("{{ path = '{}' }}", data.display()),
            Self::Single(server) => redis(vec![server.url()], ""),
            Self::Sentinel(sentinel) => {
                redis(vec![sentinel.url()], r#", sentinel_master = "main", wait_replicas = 1"#)
            }
            Self::Cluster(cluster) => redis(cluster.urls(), ", cluster = true"),
        }
    }

    pub(crate) fn single(&mut self) -> anyhow::Result<&mut RedisServer> {
        match self {
            Self::Single(server) => Ok(server),
            _ => bail!("this trial has no single Redis"),
        }
    }

    pub(crate) fn sentinel(&mut self) -> anyhow::Result<&mut RedisSentinel> {
        match self {
            Self::Sentinel(sentinel) => Ok(sentinel),
            _ => bail!("this trial has no sentinel"),
        }
    }

    pub(crate) fn cluster(&mut self) -> anyhow::Result<&mut RedisCluster> {
        match self {
            Self::Cluster(cluster) => Ok(cluster),
            _ => bail!("this trial has no cluster"),
        }
    }
}

impl Store {
    /// Its name in the table and in JSON.
    fn name(self) -> anyhow::Result<String> {
        let name = serde_json::to_value(self)?;
        Ok(name.as_str().context("a store's name is a word")?.to_owned())
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().map_err(|_| fmt::Error)?)
    }
}
