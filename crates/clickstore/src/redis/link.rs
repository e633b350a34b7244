//! The connection: made when first asked for, shared by all, made anew when lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postback_core::{Error, Result};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, Pipeline, RedisError, RedisResult,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    refusal::{ends_cluster, ends_connection, late, refused, unconfirmed},
    settings::{RedisSettings, Topology},
};

/// One link for all commands of a store.
pub(super) struct Link {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    servers: Servers,
    state: Mutex<State>,
}

/// Where connections come from.
enum Servers {
    Single(Client),
    Cluster(ClusterClient),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
}

/// What stands now. Of all who want a connection one task makes it, whether or not they go on waiting; where that
/// task ends before it is done, its channel is closed and the next caller begins another.
enum State {
    Idle,
    Connecting(watch::Receiver<Option<RedisResult<Live>>>),
    Live(Live),
}

/// A connection that was made, told apart from those before it.
#[derive(Clone)]
struct Live {
    connection: Connection,
    made: Arc<()>,
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let servers = Servers::new(settings, settings.servers()?).map_err(|error| {
            Error::invalid("urls", "are not URLs of one Redis with one user and password").caused_by(error)
        })?;
        let shared = Arc::new(Shared { servers, state: Mutex::new(State::Idle) });
        Ok(Self { shared, timeout: settings.timeout })
    }

    /// Sends a command that may be repeated, and reads its answer.
    ///
    /// A connection that turns out to be lost is replaced at once, and the command sent again.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.put(Question::One(command)).await
    }

    /// The same for a write that so many replicas must have. All that shares this link waits meanwhile.
    pub(super) async fn ask_replicas<T: FromRedisValue>(&self, write: Cmd, replicas: usize) -> Result<T> {
        let patience = u64::try_from(self.timeout.as_millis() / 2).unwrap_or(u64::MAX);
        let mut both = redis::pipe();
        both.add_command(write).cmd("WAIT").arg(replicas).arg(patience);
        let (answer, reached): (T, usize) = self.put(Question::Confirmed(&both)).await?;
        if reached < replicas { Err(unconfirmed(reached, replicas)) } else { Ok(answer) }
    }

    async fn put<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T> {
        tokio::time::timeout(self.timeout, self.shared.put(question))
            .await
            .map_err(|_| late(self.timeout))?
            .map_err(refused)
    }
}

/// What is sent in one go.
#[derive(Clone, Copy)]
enum Question<'a> {
    One(&'a Cmd),
    Confirmed(&'a Pipeline),
}

impl Question<'_> {
    async fn put<T: FromRedisValue>(self, connection: &mut impl ConnectionLike) -> RedisResult<T> {
        match self {
            Self::One(command) => command.query_async(connection).await,
            Self::Confirmed(commands) => commands.query_async(connection).await,
        }
    }
}

impl Shared {
    async fn put<T: FromRedisValue>(self: &Arc<Self>, question: Question<'_>) -> RedisResult<T> {
        loop {
            let (live, fresh) = self.live().await?;
            let (answer, ends): (RedisResult<T>, fn(&RedisError) -> bool) = match live.connection.clone() {
                Connection::Server(mut one) => (question.put(&mut one).await, ends_connection),
                Connection::Cluster(mut all) => (question.put(&mut all).await, ends_cluster),
            };
            match answer {
                Err(error) if ends(&error) => {
                    self.forget(&live);
                    if fresh {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// The connection, and whether it was made for this caller.
    async fn live(self: &Arc<Self>) -> RedisResult<(Live, bool)> {
        let mut made = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match &*state {
                State::Live(live) => return Ok((live.clone(), false)),
                State::Connecting(made) if made.has_changed().is_ok() => made.clone(),
                State::Connecting(_) | State::Idle => {
                    let (tell, made) = watch::channel(None);
                    *state = State::Connecting(made.clone());
                    tokio::spawn(Arc::clone(self).connect(tell));
                    made
                }
            }
        };
        match made.wait_for(Option::is_some).await.map(|made| made.clone()) {
            Ok(Some(made)) => made.map(|live| (live, true)),
            _ => Err(RedisError::from((redis::ErrorKind::Io, "the attempt to connect was cut short"))),
        }
    }

    async fn connect(self: Arc<Self>, tell: watch::Sender<Option<RedisResult<Live>>>) {
        let made = self.servers.connect().await;
        let made = made.map(|connection| Live { connection, made: Arc::new(()) });
        match &made {
            Ok(_) => info!("connected to redis"),
            Err(error) => warn!(%error, "cannot connect to redis"),
        }
        self.set(made.as_ref().map_or(State::Idle, |live| State::Live(live.clone())));
        tell.send_replace(Some(made));
    }

    fn forget(&self, lost: &Live) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Live(live) if Arc::ptr_eq(&live.made, &lost.made)) {
            *state = State::Idle;
            warn!("lost the connection to redis");
        }
    }

    fn set(&self, new: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

/// How long making a connection may take, whoever waits for it.
const CONNECT: Duration = Duration::from_secs(5);

impl Servers {
    fn new(settings: &RedisSettings, mut servers: Vec<ConnectionInfo>) -> RedisResult<Self> {
        Ok(match &settings.topology {
            Topology::Single => Self::Single(Client::open(servers.remove(0))?),
            Topology::Cluster => Self::Cluster(
                ClusterClient::builder(servers)
                    .tcp_settings(settings.socket())
                    .connection_timeout(settings.timeout)
                    .response_timeout(settings.timeout)
                    .build()?,
            ),
            Topology::Sentinel { master } => {
                Self::Sentinel(tokio::sync::Mutex::new(sentinel(settings, &servers, master)?))
            }
        })
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        let connect = async {
            Ok(match self {
                Self::Single(client) => {
                    Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
                }
                Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
                Self::Sentinel(client) => {
                    Connection::Server(client.lock().await.get_async_connection_with_config(&config).await?)
                }
            })
        };
        let late = |_| RedisError::from((redis::ErrorKind::Io, "connecting took too long"));
        tokio::time::timeout(CONNECT, connect).await.map_err(late)?
    }
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
