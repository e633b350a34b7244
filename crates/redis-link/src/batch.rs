//! Commands that are asked at the same time, sent in one go: while one batch is under way the next gathers.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{refusal::ends_connection, wire::Wire};

/// The most commands of a batch.
const MOST: usize = 256;

/// Tells what came of a command; dropped where no answer came in time.
type Tell = oneshot::Sender<RedisResult<Value>>;

/// Commands that wait for the batch before them.
#[derive(Default)]
pub(crate) struct Gathering(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    asked: Batch,
    /// Whether a caller is at work that sends what is asked.
    served: bool,
    /// The connection, kept here while no caller is at work.
    way: Way,
}

/// What batches are sent on.
#[derive(Default)]
pub(crate) struct Way {
    pub(crate) wire: Option<Wire>,
    /// The next wire, while it is made.
    pub(crate) making: Option<JoinHandle<RedisResult<Wire>>>,
}

/// Commands on their way.
#[derive(Default)]
pub(crate) struct Batch {
    /// As they are sent.
    pub(crate) packed: Vec<u8>,
    /// Where each ends there, and who waits for its answer.
    waiting: Vec<(usize, Tell)>,
}

impl Gathering {
    /// Enters a command. With the flag comes the duty to serve: nobody does yet.
    pub(crate) fn enter(&self, command: &Cmd) -> (oneshot::Receiver<RedisResult<Value>>, bool) {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.lock();
        command.write_packed_command(&mut waiting.asked.packed);
        let end = waiting.asked.packed.len();
        waiting.asked.waiting.push((end, tell));
        (told, !mem::replace(&mut waiting.served, true))
    }

    /// Whoever serves: takes batch after batch until nobody asks.
    pub(crate) fn service(self: &Arc<Self>) -> Service {
        Service { gathering: Arc::clone(self), way: mem::take(&mut self.lock().way), over: false }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service of a gathering.
pub(crate) struct Service {
    gathering: Arc<Gathering>,
    pub(crate) way: Way,
    over: bool,
}

impl Service {
    /// The next batch; none where nobody asks any more, and then the service is over.
    pub(crate) fn next(&mut self) -> Option<Batch> {
        let mut waiting = self.gathering.lock();
        waiting.asked.leave_out();
        if waiting.asked.waiting.is_empty() {
            waiting.served = false;
            waiting.way = mem::take(&mut self.way);
            self.over = true;
            return None;
        }
        let rest = waiting.asked.split();
        Some(mem::replace(&mut waiting.asked, rest))
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

impl Batch {
    /// Leaves out who has given up waiting, and wants nothing sent.
    fn leave_out(&mut self) {
        if !self.waiting.iter().any(|(_, tell)| tell.is_closed()) {
            return;
        }
        let (mut kept, mut begin) = (Self::default(), 0);
        for (end, tell) in mem::take(&mut self.waiting) {
            if !tell.is_closed() {
                kept.packed.extend_from_slice(&self.packed[begin..end]);
                kept.waiting.push((kept.packed.len(), tell));
            }
            begin = end;
        }
        *self = kept;
    }

    /// Splits off what is too much for one batch.
    fn split(&mut self) -> Self {
        let Some((end, _)) = self.waiting.get(MOST - 1) else {
            // The next one will be about as long.
            let (packed, waiting) = (self.packed.len(), self.waiting.len());
            return Self { packed: Vec::with_capacity(packed), waiting: Vec::with_capacity(waiting) };
        };
        let packed = self.packed.split_off(*end);
        let sent = self.packed.len();
        let rest = self.waiting.split_off(MOST).into_iter();
        Self { packed, waiting: rest.map(|(end, tell)| (end - sent, tell)).collect() }
    }

    /// Sends it, and reads what is answered. Where an answer says that the wire is of no use, that is the error.
    pub(crate) async fn put(&self, wire: &mut Wire) -> RedisResult<Vec<Value>> {
        let answers = wire.ask(&self.packed, self.waiting.len()).await?;
        let mut refusals = answers.iter().filter_map(|answer| match answer {
            Value::ServerError(refusal) => Some(RedisError::from(refusal.clone())),
            _ => None,
        });
        match refusals.find(ends_connection) {
            Some(lost) => Err(lost),
            None => Ok(answers),
        }
    }

    /// Tells each what came of his command.
    pub(crate) fn tell(self, answers: RedisResult<Vec<Value>>) {
        match answers {
            Ok(answers) => {
                for ((_, tell), answer) in self.waiting.into_iter().zip(answers) {
                    let _ = tell.send(answer.extract_error());
                }
            }
            Err(error) => {
                for (_, tell) in self.waiting {
                    let _ = tell.send(Err(error.clone()));
                }
            }
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
        let (_first, unserved) = gathering.enter(&cmd("PING"));
        let mut over = gathering.service();
        assert!(unserved && over.next().is_some() && over.next().is_none());
        let (_second, unserved) = gathering.enter(&cmd("PING"));
        drop(over);
        assert!(unserved && gathering.service().next().is_some());
    }

    #[test]
    fn who_has_given_up_waiting_is_in_no_batch() {
        let gathering = Arc::<Gathering>::default();
        drop(gathering.enter(&cmd("PING")));
        assert!(gathering.service().next().is_none());
        drop(gathering.enter(&cmd("PING")));
        let (_told, _) = gathering.enter(&cmd("ECHO"));
        drop(gathering.enter(&cmd("PING")));
        let batch = gathering.service().next().unwrap();
        assert_eq!((&batch.packed[..], batch.waiting.len()), (&b"*1\r\n$4\r\nECHO\r\n"[..], 1));
    }

    #[test]
    fn what_is_too_much_for_a_batch_goes_in_the_next() {
        let gathering = Arc::<Gathering>::default();
        let told: Vec<_> = (0..MOST + 2).map(|number| gathering.enter(cmd("ECHO").arg(number))).collect();
        let mut service = gathering.service();
        let [first, second] = [(); 2].map(|()| service.next().unwrap());
        assert_eq!((first.waiting.len(), second.waiting.len()), (MOST, 2));
        assert!(first.packed.ends_with(b"255\r\n") && second.packed.ends_with(b"257\r\n"));
        assert_eq!(second.waiting.last().unwrap().0, second.packed.len());
        drop(told);
    }

    #[test]
    fn a_service_that_breaks_off_lets_go_who_waits_and_the_next_one_serves() {
        let gathering = Arc::<Gathering>::default();
        let (mut told, unserved) = gathering.enter(&cmd("PING"));
        assert!(unserved && !gathering.enter(&cmd("PING")).1);
        drop(gathering.service());
        assert_eq!(told.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        assert!(gathering.enter(&cmd("PING")).1);
    }
}
