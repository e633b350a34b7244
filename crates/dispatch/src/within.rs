//! The bound on one attempt: its whole time, and how much of the answer's body is read.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use jiff::Timestamp;
use postback_core::{Reason, ports::Clock};
use tokio::time::{Instant, timeout_at};
use tower::Service;

use crate::{
    meter,
    outgoing::{Failure, Mark, Outgoing, Reply},
};

/// How much of an answer's body is read, in bytes.
pub(crate) const BODY_READ: usize = 64 * 1024;

/// Gives the inner service `timeout` for all: an answer whose head is in time is returned with what of its body
/// is in time too. A call that has not left by then does not leave: its delivery may be another's.
#[derive(Clone)]
pub(crate) struct Within<S> {
    inner: S,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl<S> Within<S> {
    pub(crate) fn new(inner: S, timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { inner, timeout, clock }
    }
}

/// How long ago that was by a clock that goes on while the machine is suspended, as tokio's does not, and that may be
/// set: nothing where it was set back.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

impl<S> Service<Outgoing> for Within<S>
where
    S: Service<Outgoing, Response = Reply, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let (timeout, clock) = (self.timeout, self.clock.clone());
        let (deadline, began) = (Instant::now() + timeout, clock.now());
        let (sent, mark) = (outgoing.sent.clone(), outgoing.mark.clone());
        let reply = self.inner.call(outgoing);
        Box::pin(async move {
            let mut reply = pin!(reply);
            // Where the process was frozen, a connection may stand before the timer is heard.
            let is_late = || Instant::now() >= deadline || since(began, clock.now()) >= timeout;
            let in_time = poll_fn(|context| {
                if !sent.get() && is_late() {
                    return Poll::Ready(None);
                }
                reply.as_mut().poll(context).map(Some)
            });
            match timeout_at(deadline, in_time).await {
                Ok(Some(reply)) => Ok(read(reply?, deadline).await),
                Ok(None) | Err(_) => Err(too_late(sent.get(), mark.as_ref(), timeout)),
            }
        })
    }
}

fn too_late(sent: bool, mark: Option<&Mark>, timeout: Duration) -> Failure {
    if sent {
        Failure::Lost(Reason::new("no_answer", format!("no answer within {timeout:?}")))
    } else if mark.is_some_and(Mark::is_under_way) {
        meter::outbox_error("start");
        Failure::Unmarked
    } else {
        let reason = Reason::new("connect_timeout", format!("no connection within {timeout:?}"));
        Failure::NotSent { reason, blip: false }
    }
}

/// Reads the body up to the bound, the deadline, or the connection's end, whichever comes first: what was read
/// is judged.
async fn read(reply: Reply, deadline: Instant) -> Response<Bytes> {
    let (head, mut body) = reply.into_parts();
    let mut kept = BytesMut::new();
    while kept.len() < BODY_READ {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else { break };
        if let Ok(data) = frame.into_data() {
            kept.extend_from_slice(&data[..data.len().min(BODY_READ - kept.len())]);
        }
    }
    Response::from_parts(head, kept.freeze())
}
