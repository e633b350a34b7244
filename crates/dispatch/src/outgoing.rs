//! One call on its way to a network: what goes down the stack, and what comes back up.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use jiff::Timestamp;
use postback_core::{
    Reason,
    ports::{Fence, Outbox},
};
use tracing::debug;

use crate::meter;

/// What goes down the stack.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) request: Request<Bytes>,
    /// There where the call must not be sent twice: it gets a connection of its own, and is marked as begun
    /// after the connection stands and before the first byte leaves.
    pub(crate) mark: Option<Mark>,
    pub(crate) sent: Sent,
}

impl Outgoing {
    pub(crate) fn new(request: Request<Bytes>, mark: Option<Mark>) -> Self {
        Self { request, mark, sent: Sent::default() }
    }
}

/// What the leaf of the stack brings back: the answer's head, and its body still to be read.
pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>>;

/// Whether a byte of the request may have left. Whoever cuts a call off learns it here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(crate) fn set(&self, sent: bool) {
        self.0.store(sent, Ordering::Release);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The durable mark that an attempt has begun.
#[derive(Clone)]
pub(crate) struct Mark {
    outbox: Arc<dyn Outbox>,
    fence: Fence,
    under_way: Arc<AtomicBool>,
}

impl Mark {
    pub(crate) fn new(outbox: Arc<dyn Outbox>, fence: Fence) -> Self {
        Self { outbox, fence, under_way: Arc::default() }
    }

    /// Whether it is being made: the connection stands, and the outbox is waited for.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire)
    }

    pub(crate) async fn make(&self) -> Result<(), Failure> {
        self.under_way.store(true, Ordering::Release);
        let made = self.outbox.start(&self.fence).await;
        self.under_way.store(false, Ordering::Release);
        match made {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::LeaseLost),
            Err(cause) => {
                meter::outbox_error("start");
                debug!(delivery = %self.fence.delivery, %cause, "an attempt could not be marked as begun");
                Err(Failure::Unmarked)
            }
        }
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No byte of the request left. `blip`: another try at once may go through.
    NotSent { reason: Reason, blip: bool },
    /// The request, or a part of it, left; the network may have counted it.
    Lost(Reason),
    /// The account's breaker is open; nothing was tried.
    Shut { until: Timestamp },
    /// The delivery is another worker's by now; nothing was sent.
    LeaseLost,
    /// The outbox could not take the mark; nothing was sent.
    Unmarked,
}
