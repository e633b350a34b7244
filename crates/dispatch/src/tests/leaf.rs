//! Networks without a socket: the leaf of a stack, as a test wants it.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use postback_core::Reason;
use tokio::time::{Instant, sleep};
use tower::service_fn;

use crate::{
    outgoing::{Failure, Outgoing, Reply},
    stack::Leaf,
};

/// What a call comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// This status and body, after so long.
    Says(u16, &'static str, Duration),
    /// It takes so long to connect; then all is well.
    Connects(Duration),
    /// It was sent, and nothing comes back.
    Hangs,
    /// It does not even connect.
    Refuses,
    /// The connection breaks after the request has left.
    Breaks,
}

pub(super) const WELL: Answer = Answer::Says(200, "ok", Duration::ZERO);

/// A network that answers as `answer` says by the click and the number of the call, and remembers what came.
#[derive(Clone)]
pub(super) struct TestNetwork(Arc<Inner>);

/// What a call comes to, by its click and its number.
type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

struct Inner {
    answer: Box<Script>,
    begun: Instant,
    calls: Mutex<Vec<(String, Duration)>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl TestNetwork {
    pub(super) fn new(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            answer: Box::new(answer),
            begun: Instant::now(),
            calls: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }))
    }

    /// Answers the same to all.
    pub(super) fn always(answer: Answer) -> Self {
        Self::new(move |_, _| answer)
    }

    pub(super) fn leaf(&self) -> Leaf {
        let network = self.clone();
        Leaf::new(service_fn(move |outgoing| network.clone().serve(outgoing)))
    }

    /// The clicks called for, in order, with the time since the beginning.
    pub(super) fn calls(&self) -> Vec<(String, Duration)> {
        self.0.calls.lock().unwrap().clone()
    }

    /// When calls came, in whole seconds since the beginning.
    pub(super) fn seconds(&self) -> Vec<u64> {
        self.calls().iter().map(|(_, at)| at.as_secs()).collect()
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.0.most_at_once.load(Ordering::SeqCst)
    }

    async fn serve(self, outgoing: Outgoing) -> Result<Reply, Failure> {
        let click = outgoing.request.uri().query().unwrap().split(['=', '&']).nth(1).unwrap().to_owned();
        let number = {
            let mut calls = self.0.calls.lock().unwrap();
            calls.push((click.clone(), self.0.begun.elapsed()));
            calls.len()
        };
        let answer = (self.0.answer)(&click, number);
        if let Answer::Refuses = answer {
            let reason = Reason::new("connect_failed", "connection refused");
            return Err(Failure::NotSent { reason, blip: true });
        }
        if let Answer::Connects(after) = answer {
            sleep(after).await;
        }
        if let Some(mark) = &outgoing.mark {
            mark.make().await?;
        }
        outgoing.sent.set(true);
        let _under_way = UnderWay::new(&self.0);
        match answer {
            Answer::Says(status, body, after) => {
                sleep(after).await;
                Ok(reply(status, body))
            }
            Answer::Connects(_) => Ok(reply(200, "ok")),
            Answer::Breaks => Err(Failure::Lost(Reason::new("connection_lost", "connection reset"))),
            Answer::Hangs | Answer::Refuses => pending().await,
        }
    }
}

fn reply(status: u16, body: &'static str) -> Reply {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {});
    Response::builder().status(status).body(body.boxed_unsync()).unwrap()
}

struct UnderWay<'a>(&'a Inner);

impl<'a> UnderWay<'a> {
    fn new(inner: &'a Inner) -> Self {
        let now = inner.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most_at_once.fetch_max(now, Ordering::SeqCst);
        Self(inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::SeqCst);
    }
}
