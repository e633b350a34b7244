//! The connection: made when first asked for, shared by all, made anew when lost; and how a script is sent.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use postback_core::{Error, Result};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind as Cause, FromRedisValue, Pipeline,
    RedisError, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo::AllMasters, RoutingInfo},
    cmd,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::Mutex;

use super::{
    refusal::{ends_cluster, ends_connection, late, refused, unconfirmed},
    scripts::Call,
    settings::{RedisSettings, Topology},
};

/// How often a script is sent again whose slot moved, or that a server did not know.
const SENDINGS: usize = 4;

/// One link for all calls of an outbox.
pub(super) struct Link {
    servers: Servers,
    live: Mutex<Option<Live>>,
    made: AtomicU64,
    prefix: String,
    timeout: Duration,
    replicas: Option<usize>,
}

/// Where connections come from.
enum Servers {
    Single(Client),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// A connection that was made, with its number.
#[derive(Clone)]
struct Live {
    connection: Connection,
    number: u64,
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is sent. All of it may be sent twice.
enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a Call, i64),
}

/// An answer, and how many replicas confirmed it where that was asked for.
type Answer = (Value, Option<usize>);

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let servers = Servers::new(settings, settings.servers()?).map_err(|error| {
            Error::invalid("urls", "are not URLs of one Redis with one user and password").caused_by(error)
        })?;
        Ok(Self {
            servers,
            live: Mutex::new(None),
            made: Default::default(),
            prefix: settings.prefix.clone(),
            timeout: settings.timeout,
            replicas: (settings.wait_replicas > 0).then_some(settings.wait_replicas),
        })
    }

    /// Whether there are several masters.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// Sends a command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let (value, _) = self.send(Request::Command(command)).await?;
        redis::from_redis_value(value).map_err(|error| refused(error.into()))
    }

    /// What every master answers to a command.
    pub(super) async fn ask_masters<T: FromRedisValue>(&self, command: &Cmd) -> Result<Vec<T>> {
        if !self.is_cluster() {
            return Ok(vec![self.ask(command).await?]);
        }
        // A plain command first: it makes the connection anew where it is lost.
        self.ask::<Value>(&cmd("PING")).await?;
        let (live, _) = self.live().await.map_err(refused)?;
        let Connection::Cluster(mut all) = live.connection else {
            return Err(Error::internal("a cluster has a connection to one server"));
        };
        let answers = all.route_command(command.clone(), RoutingInfo::MultiNode((AllMasters, None)));
        let answers = tokio::time::timeout(self.timeout, answers).await.map_err(|_| late(self.timeout))?;
        let answers: HashMap<String, T> =
            answers.and_then(|value| Ok(redis::from_redis_value(value)?)).map_err(refused)?;
        Ok(answers.into_values().collect())
    }

    /// Runs a script `ahead` milliseconds ahead of Redis's clock, and waits for replicas where it acknowledges.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &Call, ahead: i64) -> Result<T> {
        let (value, confirmed) = self.send(Request::Script(call, ahead)).await?;
        if let (Some(want), Some(have)) = (self.replicas, confirmed)
            && have < want
        {
            return Err(unconfirmed(want, have));
        }
        redis::from_redis_value(value).map_err(|error| refused(error.into()))
    }

    /// Sends to the connection that stands; one that turns out to be lost is replaced at once.
    async fn send(&self, request: Request<'_>) -> Result<Answer> {
        let sent = async {
            loop {
                let (mut live, fresh) = self.live().await?;
                match self.answer(&mut live.connection, &request).await {
                    Err(error) if live.connection.is_ended_by(&error) => {
                        self.forget(live.number).await;
                        if fresh {
                            return Err(error);
                        }
                    }
                    answer => return answer,
                }
            }
        };
        tokio::time::timeout(self.timeout, sent).await.map_err(|_| late(self.timeout))?.map_err(refused)
    }

    async fn answer(&self, connection: &mut Connection, request: &Request<'_>) -> RedisResult<Answer> {
        match request {
            Request::Command(command) => Ok((command.query_async(connection).await?, None)),
            Request::Script(call, ahead) => match self.replicas.filter(|_| call.acknowledges) {
                Some(replicas) => self.confirm(connection, call, *ahead, replicas).await,
                None => Ok((self.invoke(connection, call, *ahead).await?, None)),
            },
        }
    }

    async fn invoke(&self, connection: &mut Connection, call: &Call, ahead: i64) -> RedisResult<Value> {
        let mut script = call.script.prepare_invoke();
        for key in self.keys(call.partition) {
            script.key(key);
        }
        script.arg(ahead).arg(&call.arguments).invoke_async(connection).await
    }

    /// Sends a script and `WAIT` behind it on one connection. A write of one key stands between the two, so that
    /// a script that was made before, and now writes nothing, is waited for as well.
    async fn confirm(
        &self,
        connection: &mut Connection,
        call: &Call,
        ahead: i64,
        replicas: usize,
    ) -> RedisResult<Answer> {
        let [base, absent] = self.keys(call.partition);
        let patience = u64::try_from(self.timeout.as_millis() / 4).unwrap_or(u64::MAX);
        let mut pipe = Pipeline::with_capacity(3);
        pipe.cmd("EVALSHA").arg(call.script.get_hash()).arg(2).arg(&base).arg(absent);
        pipe.arg(ahead).arg(&call.arguments);
        pipe.cmd("SET").arg(format!("{base}:beat")).arg(ahead);
        pipe.cmd("WAIT").arg(replicas).arg(patience).ignore_errors();
        for _ in 0..SENDINGS {
            let answers: Vec<RedisResult<Value>> = pipe.query_async(connection).await?;
            let mut answers = answers.into_iter();
            match answers.next() {
                Some(Ok(value)) => {
                    let confirmed = answers.nth(1).and_then(RedisResult::ok);
                    let confirmed = confirmed.and_then(|value| redis::from_redis_value(value).ok());
                    return Ok((value, Some(confirmed.unwrap_or(0))));
                }
                Some(Err(error)) if is_mended_by_sending(&error) => {
                    self.invoke(connection, call, ahead).await?;
                }
                Some(Err(error)) => return Err(error),
                None => break,
            }
        }
        Err((Cause::Io, "the slot moves faster than its script").into())
    }

    /// What every key of a partition begins with, and the key that never exists.
    fn keys(&self, partition: u8) -> [String; 2] {
        let base = format!("{}{{o:{partition:02}}}", self.prefix);
        let absent = format!("{base}:absent");
        [base, absent]
    }

    /// The connection, and whether it was made for this caller.
    async fn live(&self) -> RedisResult<(Live, bool)> {
        let mut live = self.live.lock().await;
        if let Some(live) = &*live {
            return Ok((live.clone(), false));
        }
        let connection = self.servers.connect(self.timeout).await.inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "cannot connect to redis");
        })?;
        tracing::info!("connected to redis");
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let made = live.insert(Live { connection, number });
        Ok((made.clone(), true))
    }

    async fn forget(&self, number: u64) {
        let lost = self.live.lock().await.take_if(|live| live.number == number);
        if lost.is_some() {
            tracing::warn!("lost the connection to redis");
        }
    }
}

/// Whether a plain sending of the script finds its server or teaches it the script.
fn is_mended_by_sending(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, Moved, NoScript, TryAgain};
    matches!(error.kind(), Cause::Server(NoScript | Moved | Ask | TryAgain))
}

impl Servers {
    fn new(settings: &RedisSettings, mut servers: Vec<ConnectionInfo>) -> RedisResult<Self> {
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

    async fn connect(&self, timeout: Duration) -> RedisResult<Connection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(None);
        Ok(match self {
            Self::Single(client) => {
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
            Self::Sentinel(client) => {
                let mut client = client.lock().await;
                Connection::Server(client.get_async_connection_with_config(&config).await?)
            }
        })
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

impl Connection {
    fn is_ended_by(&self, error: &RedisError) -> bool {
        match self {
            Self::Server(_) => ends_connection(error),
            Self::Cluster(_) => ends_cluster(error),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(one) => one.req_packed_command(cmd),
            Self::Cluster(all) => all.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(all) => all.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(one) => one.get_db(),
            Self::Cluster(all) => all.get_db(),
        }
    }
}
