//! Where connections come from, and one that was made.

use std::{collections::HashMap, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult,
    Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo},
    cmd,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::Mutex;

use crate::{
    RedisSettings, Topology,
    refusal::{ends_cluster, ends_connection, turned_away},
    wire::Wire,
};

/// How long making a connection may take, whoever waits for it.
const CONNECT: Duration = Duration::from_secs(5);

/// The servers of the settings.
pub(crate) enum Servers {
    Single(Client),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

impl Servers {
    pub(crate) fn new(settings: &RedisSettings, mut servers: Vec<ConnectionInfo>) -> RedisResult<Self> {
        Ok(match &settings.topology {
            Topology::Single => Self::Single(Client::open(servers.remove(0))?),
            Topology::Cluster => Self::Cluster(Box::new(
                ClusterClient::builder(servers)
                    .tcp_settings(settings.socket())
                    .connection_timeout(settings.timeout)
                    .response_timeout(settings.timeout)
                    .build()?,
            )),
            Topology::Sentinel { master } => {
                Self::Sentinel(Box::new(Mutex::new(sentinel(settings, &servers, master)?)))
            }
        })
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// A wire to the one server, or to the master of the moment.
    pub(crate) async fn wire(&self) -> RedisResult<Wire> {
        in_time(async {
            match self {
                Self::Single(client) => Wire::connect(client.get_connection_info()).await,
                Self::Sentinel(client) => {
                    let master = client.lock().await.async_get_client().await?;
                    Wire::connect(master.get_connection_info()).await
                }
                Self::Cluster(_) => {
                    let cause = redis::ErrorKind::InvalidClientConfig;
                    Err(RedisError::from((cause, "a cluster is no one server")))
                }
            }
        })
        .await
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        in_time(async {
            Ok(Connection(match self {
                Self::Single(client) => {
                    Kind::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
                }
                Self::Cluster(client) => Kind::Cluster(client.get_async_connection().await?),
                Self::Sentinel(client) => {
                    Kind::Server(client.lock().await.get_async_connection_with_config(&config).await?)
                }
            }))
        })
        .await
    }
}

async fn in_time<T>(connect: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| RedisError::from((redis::ErrorKind::Io, "connecting took too long"));
    tokio::time::timeout(CONNECT, connect).await.map_err(late)?.map_err(turned_away)
}

fn sentinel(
    settings: &RedisSettings,
    sentinels: &[ConnectionInfo],
    master: &str,
) -> RedisResult<SentinelClient> {
    let addresses = sentinels.iter().map(|server| server.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_tcp_settings(settings.socket())
        .set_client_to_sentinel_tcp_settings(settings.socket());
    if let Some(server) = sentinels.first().map(ConnectionInfo::redis_settings) {
        builder = builder.set_client_to_redis_db(server.db());
        if let Some(user) = server.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = server.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    builder.build()
}

/// A connection to one server or to a Cluster, shared by all that is asked at the same time.
#[derive(Clone)]
pub struct Connection(Kind);

#[derive(Clone)]
enum Kind {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Whether the error says that this connection is of no use any more.
    pub(crate) fn is_ended_by(&self, error: &RedisError) -> bool {
        match self.0 {
            Kind::Server(_) => ends_connection(error),
            Kind::Cluster(_) => ends_cluster(error),
        }
    }

    /// What each of these nodes of a Cluster answers to a command; the one server, where there is no Cluster.
    pub(crate) async fn ask_nodes(
        &mut self,
        command: &Cmd,
        nodes: MultipleNodeRoutingInfo,
    ) -> RedisResult<Vec<Value>> {
        let all = match &mut self.0 {
            Kind::Server(one) => return Ok(vec![command.query_async(one).await?]),
            Kind::Cluster(all) => all,
        };
        // A plain command first: its error says whether the connection is lost.
        cmd("PING").query_async::<Value>(all).await?;
        let answers = all.route_command(command.clone(), RoutingInfo::MultiNode((nodes, None))).await?;
        let answers: HashMap<String, Value> = redis::from_redis_value(answers)?;
        Ok(answers.into_values().collect())
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.0 {
            Kind::Server(one) => one.req_packed_command(cmd),
            Kind::Cluster(all) => all.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.0 {
            Kind::Server(one) => one.req_packed_commands(pipeline, offset, count),
            Kind::Cluster(all) => all.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.0 {
            Kind::Server(one) => one.get_db(),
            Kind::Cluster(all) => all.get_db(),
        }
    }
}
