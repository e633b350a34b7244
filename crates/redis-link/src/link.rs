//! The link: connected when first asked, one connection shared by all, made anew when lost.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use postback_core::{Error, Result};
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, Value, cluster_routing::MultipleNodeRoutingInfo};
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use crate::{
    Connection, Question, RedisSettings,
    batch::{Batch, Gathering, Way},
    connection::Servers,
    refusal::{late, refused, unconfirmed},
    wire::Wire,
};

/// A command for several nodes of a Cluster.
struct OfNodes<'a>(&'a Cmd, MultipleNodeRoutingInfo);

impl Question for OfNodes<'_> {
    type Answer = Vec<Value>;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Vec<Value>> {
        connection.ask_nodes(self.0, self.1.clone()).await
    }
}

/// One link for all that a store asks.
pub struct Link {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    servers: Servers,
    /// Where they are, for the log.
    address: String,
    /// Whether the log said that they cannot be reached, and not yet that they can.
    away: AtomicBool,
    state: Mutex<State>,
    gathering: Arc<Gathering>,
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
    /// Until when it is left to itself though it does not answer.
    trusted_until: Instant,
}

/// How long a connection may leave questions unanswered before another one is made beside it.
const TRUSTED: Duration = Duration::from_secs(3);

impl Live {
    fn new(connection: Connection) -> Self {
        Self { connection, made: Arc::new(()), trusted_until: Instant::now() + TRUSTED }
    }
}

impl Link {
    /// A link that is not connected yet: it connects when first asked.
    ///
    /// # Errors
    /// `InvalidArgument` at `urls` or `prefix`.
    pub fn new(settings: &RedisSettings) -> Result<Self> {
        let servers = settings.servers()?;
        let addresses: Vec<String> = servers.iter().map(|server| server.addr().to_string()).collect();
        let servers = Servers::new(settings, servers).map_err(|error| {
            Error::invalid("urls", "are not URLs of one Redis with one user and password").caused_by(error)
        })?;
        let shared = Arc::new(Shared {
            servers,
            address: addresses.join(", "),
            away: AtomicBool::new(false),
            state: Mutex::new(State::Idle),
            gathering: Arc::default(),
        });
        Ok(Self { shared, timeout: settings.timeout })
    }

    /// Whether it is the way to a Cluster.
    pub fn is_cluster(&self) -> bool {
        self.shared.servers.is_cluster()
    }

    /// Sends a command that may be repeated, and reads its answer. To one server, what is asked while other commands
    /// are under way goes in batches after them, and an answer takes at most twice the timeout.
    ///
    /// # Errors
    /// As [`put`](Self::put); `Internal` where the answer is of another kind.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        if self.is_cluster() {
            return read(self.put(command).await?);
        }
        let (told, unserved) = self.shared.gathering.enter(command);
        if unserved {
            tokio::spawn(Arc::clone(&self.shared).serve(self.timeout));
        }
        let told = tokio::time::timeout(2 * self.timeout, told).await.ok().and_then(Result::ok);
        read(told.ok_or_else(|| late(self.timeout))?.map_err(refused)?)
    }

    /// What each master answers to a command; the one server, where there is no Cluster.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_masters<T: FromRedisValue>(&self, command: &Cmd) -> Result<Vec<T>> {
        self.ask_nodes(command, MultipleNodeRoutingInfo::AllMasters).await
    }

    /// What each master and each replica of a Cluster answers to a command; the one server, where there is no
    /// Cluster.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), where one of them does not answer.
    pub async fn ask_all<T: FromRedisValue>(&self, command: &Cmd) -> Result<Vec<T>> {
        self.ask_nodes(command, MultipleNodeRoutingInfo::AllNodes).await
    }

    async fn ask_nodes<T: FromRedisValue>(
        &self,
        command: &Cmd,
        nodes: MultipleNodeRoutingInfo,
    ) -> Result<Vec<T>> {
        self.put(&OfNodes(command, nodes)).await?.into_iter().map(read).collect()
    }

    /// Sends a write that so many replicas must have, and waits for them for at most half the timeout. All that
    /// shares this link waits meanwhile.
    ///
    /// # Errors
    /// As [`ask`](Self::ask); [`unconfirmed`] where too few replicas have it in time.
    pub async fn ask_replicas<T: FromRedisValue>(&self, write: Cmd, replicas: usize) -> Result<T> {
        let patience = u64::try_from(self.timeout.as_millis() / 2).unwrap_or(u64::MAX);
        let mut both = redis::pipe();
        both.add_command(write).cmd("WAIT").arg(replicas).arg(patience);
        let (answer, reached): (T, usize) = read(Value::Array(self.put(&both).await?))?;
        if reached < replicas { Err(unconfirmed(reached, replicas)) } else { Ok(answer) }
    }

    /// Sends what may be repeated.
    ///
    /// A connection that turns out to be lost is replaced at once, and the question put again.
    ///
    /// # Errors
    /// `Unavailable` where Redis cannot be reached, does not answer within the timeout, or refuses work for now;
    /// `ResourceExhausted` where its memory is full; `Internal` for an answer that is not understood.
    pub async fn put<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        let answer = tokio::time::timeout(self.timeout, self.shared.put(question)).await;
        if answer.as_ref().map_or(true, |answer| answer.as_ref().is_err_and(RedisError::is_timeout)) {
            self.shared.doubt();
        }
        answer.map_err(|_| late(self.timeout))?.map_err(refused)
    }
}

fn cut_short() -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "the attempt to connect was cut short"))
}

fn read<T: FromRedisValue>(answer: Value) -> Result<T> {
    redis::from_redis_value(answer).map_err(refused)
}

impl Shared {
    /// Says what an attempt to connect came to; of those that fail one after another, the first.
    fn said(&self, error: Option<&RedisError>) {
        let address = &self.address;
        match error {
            None if self.away.swap(false, Relaxed) => info!(address, "connected to redis, which is back"),
            None => info!(address, "connected to redis"),
            Some(error) if !self.away.swap(true, Relaxed) => {
                let error = error as &dyn std::error::Error;
                warn!(address, error, "cannot connect to redis; it is tried until it is back");
            }
            Some(_) => {}
        }
    }

    async fn put<Q: Question>(self: &Arc<Self>, question: &Q) -> RedisResult<Q::Answer> {
        loop {
            let (mut live, fresh) = self.live().await?;
            match question.put(&mut live.connection).await {
                Err(error) if live.connection.is_ended_by(&error) => {
                    self.forget(&live);
                    if fresh {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Sends batch after batch until nobody asks. The service is over as well where this is dropped before it begins.
    fn serve(self: Arc<Self>, timeout: Duration) -> impl Future<Output = ()> + Send {
        let mut service = self.gathering.service();
        async move {
            while let Some(batch) = service.next() {
                if let Ok(answers) = tokio::time::timeout(timeout, self.carry(&batch, &mut service.way)).await
                {
                    batch.tell(answers);
                }
            }
        }
    }

    /// Sends a batch on the wire, which goes where this is cut off: what is on its way there answers nothing else. A
    /// wire that is being made is made all the same, for the next batch.
    async fn carry(self: &Arc<Self>, batch: &Batch, way: &mut Way) -> RedisResult<Vec<Value>> {
        if let Some(mut wire) = way.wire.take() {
            if let Ok(answers) = batch.put(&mut wire).await {
                way.wire = Some(wire);
                return Ok(answers);
            }
            warn!(address = self.address, "lost the connection to redis");
        }
        let made = way.making.get_or_insert_with(|| tokio::spawn(Arc::clone(self).make())).await;
        way.making = None;
        let mut wire = made.unwrap_or_else(|_| Err(cut_short()))?;
        let answers = batch.put(&mut wire).await?;
        way.wire = Some(wire);
        Ok(answers)
    }

    async fn make(self: Arc<Self>) -> RedisResult<Wire> {
        let made = self.servers.wire().await;
        self.said(made.as_ref().err());
        made
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
            _ => Err(cut_short()),
        }
    }

    async fn connect(self: Arc<Self>, tell: watch::Sender<Option<RedisResult<Live>>>) {
        let made = self.servers.connect().await;
        let made = made.map(Live::new);
        self.said(made.as_ref().err());
        self.set(made.as_ref().map_or(State::Idle, |live| State::Live(live.clone())));
        tell.send_replace(Some(made));
    }

    /// Makes another connection in place of one that does not answer: its server may hang for ever while another one is
    /// the master now, and a Cluster's client can wait for ever for a node that was away. Until it stands the old one
    /// is used, which may answer yet, or for other nodes.
    fn doubt(self: &Arc<Self>) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let State::Live(live) = &mut *state else { return };
            if Instant::now() < live.trusted_until {
                return;
            }
            live.trusted_until = Instant::now() + TRUSTED;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            match shared.servers.connect().await {
                Ok(connection) => {
                    shared.set(State::Live(Live::new(connection)));
                    shared.away.store(false, Relaxed);
                    info!(address = shared.address, "connected anew to redis, which did not answer");
                }
                Err(error) => shared.said(Some(&error)),
            }
        });
    }

    fn forget(&self, lost: &Live) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Live(live) if Arc::ptr_eq(&live.made, &lost.made)) {
            *state = State::Idle;
            warn!(address = self.address, "lost the connection to redis");
        }
    }

    fn set(&self, new: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}
