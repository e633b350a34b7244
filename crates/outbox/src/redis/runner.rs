//! How steps are sent, and replicas waited for: what is asked while a run is under way goes together in the next.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error as _,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postback_core::{Error, Result};
use postback_redis_link::{Connection, Link, Question, RedisSettings, Topology, late, refused, unconfirmed};
use redis::{
    ErrorKind as Cause, FromRedisValue, Pipeline, RedisError, RedisResult, RedisWrite, Script,
    ServerErrorKind, ToRedisArgs, Value,
};
use tokio::{
    sync::{OnceCell, oneshot},
    time::{Instant, timeout_at},
};

use super::{layout, scripts::Call};
use crate::rules;

/// The most steps of one run.
const TOGETHER: usize = 128;

/// Runs the steps of an outbox over one link.
pub(super) struct Runner {
    shared: Arc<Shared>,
}

struct Shared {
    link: Link,
    prefix: String,
    timeout: Duration,
    replicas: usize,
    is_cluster: bool,
    /// Full once the records are known to lie as this version has them.
    layout: OnceCell<()>,
    /// What waits for the run before it. A queue is here as long as somebody runs what is in it.
    queues: Mutex<HashMap<Queue, Vec<Waiting>>>,
}

/// What may go together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Queue {
    /// The script, by its hash.
    script: &'static str,
    /// The partition, where not all are on one server or the steps take long.
    partition: Option<u8>,
    /// Whether replicas are waited for.
    confirmed: bool,
    /// By how much tests run ahead of Redis's clock, in milliseconds.
    ahead: i64,
}

/// A call, and who waits for its answer.
struct Waiting {
    call: Call,
    tell: oneshot::Sender<Result<Value>>,
}

impl Runner {
    /// A runner that is not connected yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let shared = Shared {
            link: Link::new(settings)?,
            prefix: settings.prefix.clone(),
            timeout: settings.timeout,
            replicas: settings.wait_replicas,
            is_cluster: settings.topology == Topology::Cluster,
            layout: OnceCell::new(),
            queues: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether the records lie as this version has them.
    pub(super) async fn check_layout(&self) -> Result<()> {
        layout::check(&self.shared.link, &self.shared.prefix).await
    }

    /// The link, for what is no script.
    pub(super) fn link(&self) -> &Link {
        &self.shared.link
    }

    /// Runs a step `ahead` milliseconds ahead of Redis's clock, and waits for replicas where it acknowledges. It is
    /// under way before the answer is waited for.
    pub(super) fn run<T: FromRedisValue>(
        &self,
        call: Call,
        ahead: i64,
    ) -> impl Future<Output = Result<T>> + use<T> {
        if call.acknowledges {
            fail::fail_point!("commit");
        }
        let (timeout, ends) = (self.shared.timeout, Instant::now() + self.shared.timeout);
        let answer = self.shared.send(call, ahead);
        async move {
            let answer = timeout_at(ends, answer).await.map_err(|_| late(timeout))?;
            let broken_off = |error| Error::unavailable("a run broke off").caused_by(error);
            redis::from_redis_value(answer.map_err(broken_off)??).map_err(refused)
        }
    }
}

impl Shared {
    fn send(self: &Arc<Self>, call: Call, ahead: i64) -> oneshot::Receiver<Result<Value>> {
        let queue = Queue {
            script: call.step.sort.script.get_hash(),
            partition: (self.is_cluster || !call.step.sort.is_short).then_some(call.partition),
            confirmed: self.replicas > 0 && call.acknowledges,
            ahead,
        };
        let (tell, answer) = oneshot::channel();
        let waiting = Waiting { call, tell };
        let is_first = match self.queues().entry(queue) {
            Entry::Occupied(mut queue) => {
                queue.get_mut().push(waiting);
                false
            }
            Entry::Vacant(place) => {
                place.insert(vec![waiting]);
                true
            }
        };
        if is_first {
            tokio::spawn(Work { shared: Arc::clone(self), queue: Some(queue) }.run());
        }
        answer
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Queue, Vec<Waiting>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes together next, without those whose caller went away. Takes the queue away where nothing is in it.
    fn next(&self, queue: Queue) -> Option<Vec<Waiting>> {
        let mut queues = self.queues();
        let waiting = queues.get_mut(&queue)?;
        waiting.retain(|waiting| !waiting.tell.is_closed());
        if waiting.is_empty() {
            queues.remove(&queue);
            return None;
        }
        Some(waiting.drain(..waiting.len().min(TOGETHER)).collect())
    }

    /// The answer to each call.
    async fn put(&self, queue: Queue, calls: &[Call]) -> Result<Vec<Result<Value>>> {
        let Some(first) = calls.first() else { return Ok(Vec::new()) };
        self.layout.get_or_try_init(|| layout::check(&self.link, &self.prefix)).await?;
        let run = Run::new(&self.prefix, queue, &first.step.sort.script, calls);
        let value = if queue.confirmed {
            let patience = u64::try_from(self.timeout.as_millis() / 4).unwrap_or(u64::MAX);
            let (value, reached) =
                self.link.put(&Confirmed { run, replicas: self.replicas, patience }).await?;
            if reached < self.replicas {
                return Err(unconfirmed(reached, self.replicas));
            }
            value
        } else {
            self.link.put(&run).await?
        };
        let answers: Vec<(bool, Value)> = redis::from_redis_value(value).map_err(refused)?;
        Ok(answers.into_iter().map(answer).collect())
    }
}

/// The task that runs what is in a queue. Where it ends before it is done, the queue goes with all who wait in it, and
/// the next caller begins another.
struct Work {
    shared: Arc<Shared>,
    queue: Option<Queue>,
}

impl Work {
    async fn run(mut self) {
        // Who is ready to ask now asks first.
        tokio::task::yield_now().await;
        while let Some(queue) = self.queue {
            let Some(batch) = self.shared.next(queue) else {
                self.queue = None;
                return;
            };
            let (calls, tell): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.call, waiting.tell)).unzip();
            match self.shared.put(queue, &calls).await {
                Ok(answers) => {
                    for (tell, answer) in tell.into_iter().zip(answers) {
                        drop(tell.send(answer));
                    }
                }
                Err(error) => tell.into_iter().for_each(|tell| drop(tell.send(Err(again(&error))))),
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            self.shared.queues().remove(&queue);
        }
    }
}

/// What a step answers; the words of what broke it off.
fn answer((is_done, answer): (bool, Value)) -> Result<Value> {
    if is_done {
        return Ok(answer);
    }
    let words = redis::from_redis_value(answer).map_err(refused)?;
    Err(refused(redis::make_extension_error("ERR".into(), Some(words))))
}

/// The same error for one more caller.
fn again(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.reason(), error.message());
    match error.source().and_then(|source| source.downcast_ref::<RedisError>()) {
        Some(cause) => copy.caused_by(cause.clone()),
        None => copy,
    }
}

/// One run of a script.
struct Run<'a> {
    script: &'a Script,
    /// What every key of each partition begins with, and a key that never exists.
    keys: Vec<String>,
    steps: Steps<'a>,
}

/// What the script reads after its keys.
struct Steps<'a> {
    ahead: i64,
    /// Each call with the place of its partition among the keys.
    calls: Vec<(u8, &'a Call)>,
}

impl<'a> Run<'a> {
    fn new(prefix: &str, queue: Queue, script: &'a Script, calls: &'a [Call]) -> Self {
        let mut partitions: Vec<u8> = calls.iter().map(|call| call.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let place = |call: &Call| {
            let before = partitions.partition_point(|partition| *partition < call.partition);
            u8::try_from(before + 1).unwrap_or(u8::MAX)
        };
        let calls = calls.iter().map(|call| (place(call), call)).collect();
        let mut keys: Vec<_> = partitions.iter().map(|partition| layout::base(prefix, *partition)).collect();
        keys.extend(partitions.first().map(|first| layout::base(prefix, *first) + ":absent"));
        Self { script, keys, steps: Steps { ahead: queue.ahead, calls } }
    }
}

impl ToRedisArgs for Steps<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let bounds = (rules::MOST_TOLD, rules::ATTEMPTS_KEPT, rules::LEAD_NOT_DELIVERED);
        (self.ahead, bounds).write_redis_args(out);
        for (place, Call { step, arguments, .. }) in &self.calls {
            let many = u8::try_from(arguments.len()).unwrap_or(u8::MAX);
            let word = [&[*place, many], step.name.as_bytes()].concat();
            (word, arguments).write_redis_args(out);
        }
    }
}

impl Question for Run<'_> {
    type Answer = Value;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Value> {
        let mut script = self.script.prepare_invoke();
        script.key(&self.keys).arg(&self.steps).invoke_async(connection).await
    }
}

/// A run whose writes so many replicas must have; how many have them when `patience` (ms) ends.
struct Confirmed<'a> {
    run: Run<'a>,
    replicas: usize,
    patience: u64,
}

impl Confirmed<'_> {
    /// The script, and `WAIT` behind it on the same connection.
    fn pipeline(&self) -> Pipeline {
        let Run { script, keys, steps } = &self.run;
        let mut pipe = Pipeline::with_capacity(3);
        pipe.cmd("EVALSHA").arg(script.get_hash()).arg(keys.len()).arg(keys).arg(steps);
        self.wait(pipe)
    }

    /// A write of one key stands before `WAIT`, so that steps that were made before, and now write nothing, are waited
    /// for as well.
    fn wait(&self, mut pipe: Pipeline) -> Pipeline {
        let Run { keys, steps, .. } = &self.run;
        pipe.cmd("SET").arg(keys.first().map(|base| format!("{base}:beat"))).arg(steps.ahead);
        pipe.cmd("WAIT").arg(self.replicas).arg(self.patience).ignore_errors();
        pipe
    }
}

impl Question for Confirmed<'_> {
    type Answer = (Value, usize);

    async fn put(&self, connection: &mut Connection) -> RedisResult<(Value, usize)> {
        let mut answers: Vec<RedisResult<Value>> = self.pipeline().query_async(connection).await?;
        let first = if answers.is_empty() { Ok(Value::Nil) } else { answers.remove(0) };
        let value = match first {
            Err(error) if is_mended_by_sending(&error) => {
                let value = self.run.put(connection).await?;
                answers = self.wait(Pipeline::new()).query_async(connection).await?;
                value
            }
            first => first?,
        };
        let reached = answers.pop().and_then(RedisResult::ok);
        let reached = reached.and_then(|value| redis::from_redis_value(value).ok());
        Ok((value, reached.unwrap_or(0)))
    }
}

/// Whether a plain sending of the script finds its server or teaches it the script.
fn is_mended_by_sending(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, Moved, NoScript, TryAgain};
    matches!(error.kind(), Cause::Server(NoScript | Moved | Ask | TryAgain))
}
