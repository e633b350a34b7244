//! How a script is sent, and its replicas waited for.

use std::time::Duration;

use postback_core::Result;
use postback_redis_link::{Connection, Link, Question, RedisSettings, refused, unconfirmed};
use redis::{ErrorKind as Cause, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

use super::scripts::Call;

/// How often a script is sent again whose slot moved, or that a server did not know.
const SENDINGS: usize = 4;

/// Runs the scripts of an outbox over one link.
pub(super) struct Runner {
    link: Link,
    prefix: String,
    timeout: Duration,
    replicas: Option<usize>,
}

impl Runner {
    /// A runner that is not connected yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        Ok(Self {
            link: Link::new(settings)?,
            prefix: settings.prefix.clone(),
            timeout: settings.timeout,
            replicas: (settings.wait_replicas > 0).then_some(settings.wait_replicas),
        })
    }

    /// The link, for what is no script.
    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    /// Runs a script `ahead` milliseconds ahead of Redis's clock, and waits for replicas where it acknowledges.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &Call, ahead: i64) -> Result<T> {
        let base = format!("{}{{o:{:02}}}", self.prefix, call.partition);
        let run = Run { call, ahead, absent: format!("{base}:absent"), base };
        if call.acknowledges {
            fail::fail_point!("commit");
        }
        let value = match self.replicas.filter(|_| call.acknowledges) {
            None => self.link.put(&run).await?,
            Some(replicas) => {
                let patience = u64::try_from(self.timeout.as_millis() / 4).unwrap_or(u64::MAX);
                let (value, reached) = self.link.put(&Confirmed { run, replicas, patience }).await?;
                if reached < replicas {
                    return Err(unconfirmed(reached, replicas));
                }
                value
            }
        };
        redis::from_redis_value(value).map_err(refused)
    }
}

/// One run of a script.
struct Run<'a> {
    call: &'a Call,
    ahead: i64,
    /// What every key of the partition begins with.
    base: String,
    /// The key that never exists.
    absent: String,
}

impl Question for Run<'_> {
    type Answer = Value;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Value> {
        let mut script = self.call.script.prepare_invoke();
        script.key(&self.base).key(&self.absent);
        script.arg(self.ahead).arg(&self.call.arguments).invoke_async(connection).await
    }
}

/// A run whose writes so many replicas must have; how many have them when `patience` (ms) ends.
struct Confirmed<'a> {
    run: Run<'a>,
    replicas: usize,
    patience: u64,
}

impl Confirmed<'_> {
    /// The script, and `WAIT` behind it on the same connection. A write of one key stands between the two, so that
    /// a script that was made before, and now writes nothing, is waited for as well.
    fn pipeline(&self) -> Pipeline {
        let Run { call, ahead, base, absent } = &self.run;
        let mut pipe = Pipeline::with_capacity(3);
        pipe.cmd("EVALSHA").arg(call.script.get_hash()).arg(2).arg(base).arg(absent);
        pipe.arg(ahead).arg(&call.arguments);
        pipe.cmd("SET").arg(format!("{base}:beat")).arg(ahead);
        pipe.cmd("WAIT").arg(self.replicas).arg(self.patience).ignore_errors();
        pipe
    }
}

impl Question for Confirmed<'_> {
    type Answer = (Value, usize);

    async fn put(&self, connection: &mut Connection) -> RedisResult<(Value, usize)> {
        let pipe = self.pipeline();
        for _ in 0..SENDINGS {
            let answers: Vec<RedisResult<Value>> = pipe.query_async(connection).await?;
            let mut answers = answers.into_iter();
            match answers.next() {
                Some(Ok(value)) => {
                    let reached = answers.nth(1).and_then(RedisResult::ok);
                    let reached = reached.and_then(|value| redis::from_redis_value(value).ok());
                    return Ok((value, reached.unwrap_or(0)));
                }
                Some(Err(error)) if is_mended_by_sending(&error) => {
                    self.run.put(connection).await?;
                }
                Some(Err(error)) => return Err(error),
                None => break,
            }
        }
        Err((Cause::Io, "the slot moves faster than its script").into())
    }
}

/// Whether a plain sending of the script finds its server or teaches it the script.
fn is_mended_by_sending(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, Moved, NoScript, TryAgain};
    matches!(error.kind(), Cause::Server(NoScript | Moved | Ask | TryAgain))
}
