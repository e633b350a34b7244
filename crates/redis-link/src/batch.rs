//! Commands that are asked at the same time, sent in one go: while one batch is under way the next gathers.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::sync::oneshot;

use crate::{Connection, Question, refusal::ends_connection};

/// The most commands of a batch.
const MOST: usize = 256;

/// Tells what came of a command; dropped where no answer came in time.
type Tell = oneshot::Sender<RedisResult<Value>>;

/// Commands that wait for the batch before them.
#[derive(Default)]
pub(crate) struct Gathering(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    asked: Vec<(Cmd, Tell)>,
    /// Whether somebody is at work who takes what is asked.
    served: bool,
}

impl Gathering {
    /// Enters a command. With the flag comes the duty to serve: nobody does yet.
    pub(crate) fn enter(&self, command: Cmd) -> (oneshot::Receiver<RedisResult<Value>>, bool) {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.asked.push((command, tell));
        (told, !mem::replace(&mut waiting.served, true))
    }

    /// Whoever serves: takes batch after batch until nobody asks.
    pub(crate) fn service(self: &Arc<Self>) -> Service {
        Service { gathering: Arc::clone(self), over: false }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service of a gathering.
pub(crate) struct Service {
    gathering: Arc<Gathering>,
    over: bool,
}

impl Service {
    /// The next batch; none where nobody asks any more, and then the service is over.
    pub(crate) fn next(&mut self) -> Option<Batch> {
        let mut waiting = self.gathering.lock();
        // Who has given up waiting wants nothing sent.
        waiting.asked.retain(|(_, tell)| !tell.is_closed());
        if waiting.asked.is_empty() {
            waiting.served = false;
            self.over = true;
            return None;
        }
        let most = waiting.asked.len().min(MOST);
        let rest = waiting.asked.split_off(most);
        Some(Batch::new(mem::replace(&mut waiting.asked, rest)))
    }
}

impl Drop for Service {
    /// Where a service breaks off, those who wait are let go, and the next one who asks serves.
    fn drop(&mut self) {
        if !self.over {
            *self.gathering.lock() = Waiting::default();
        }
    }
}

/// Commands on their way.
pub(crate) struct Batch {
    pipeline: Pipeline,
    tell: Vec<Tell>,
}

impl Batch {
    fn new(asked: Vec<(Cmd, Tell)>) -> Self {
        let mut pipeline = Pipeline::with_capacity(asked.len());
        let mut all = Vec::with_capacity(asked.len());
        for (command, tell) in asked {
            pipeline.add_command(command);
            all.push(tell);
        }
        pipeline.ignore_errors();
        Self { pipeline, tell: all }
    }

    /// Tells each what came of his command.
    pub(crate) fn tell(self, answers: RedisResult<Vec<RedisResult<Value>>>) {
        let answers = answers.unwrap_or_else(|error| vec![Err(error); self.tell.len()]);
        for (tell, answer) in self.tell.into_iter().zip(answers) {
            let _ = tell.send(answer);
        }
    }
}

impl Question for Batch {
    type Answer = Vec<RedisResult<Value>>;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Self::Answer> {
        let answers: Self::Answer = self.pipeline.query_async(connection).await?;
        let mut refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
        match refusals.find(|error| ends_connection(error)).cloned() {
            Some(lost) => Err(lost),
            None => Ok(answers),
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;

    use super::*;

    #[test]
    fn a_service_that_is_over_lets_the_next_one_be() {
        let gathering = Arc::<Gathering>::default();
        let (_first, unserved) = gathering.enter(cmd("PING"));
        let mut over = gathering.service();
        assert!(unserved && over.next().is_some() && over.next().is_none());
        let (_second, unserved) = gathering.enter(cmd("PING"));
        drop(over);
        assert!(unserved && gathering.service().next().is_some());
    }

    #[test]
    fn who_has_given_up_waiting_is_in_no_batch() {
        let gathering = Arc::<Gathering>::default();
        drop(gathering.enter(cmd("PING")));
        assert!(gathering.service().next().is_none());
        drop(gathering.enter(cmd("PING")));
        let (_told, _) = gathering.enter(cmd("ECHO"));
        assert_eq!(gathering.service().next().unwrap().tell.len(), 1);
    }

    #[test]
    fn a_service_that_breaks_off_lets_go_who_waits_and_the_next_one_serves() {
        let gathering = Arc::<Gathering>::default();
        let (mut told, unserved) = gathering.enter(cmd("PING"));
        assert!(unserved && !gathering.enter(cmd("PING")).1);
        drop(gathering.service());
        assert_eq!(told.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        assert!(gathering.enter(cmd("PING")).1);
    }
}
