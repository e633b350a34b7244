//! One account's tower stack: everything that bounds a call, top to bottom.

use std::{num::NonZeroU32, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use postback_core::Account;
use tokio::sync::Mutex;
use tower::{
    Service, ServiceBuilder, ServiceExt,
    layer::layer_fn,
    limit::RateLimitLayer,
    util::{BoxCloneSyncService, BoxService},
};

use crate::{
    blips::Blips,
    guard::{Guard, Switch},
    outgoing::{Failure, Outgoing, Reply},
    within::Within,
};

/// The leaf of every stack: what sends a request and brings the answer's head.
pub(crate) type Leaf = BoxCloneSyncService<Outgoing, Reply, Failure>;

/// An answer on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Failure>> + Send>>;

/// The stack, for all calls of one account.
#[derive(Clone)]
pub(crate) struct Stack(Arc<Mutex<BoxService<Outgoing, Response<Bytes>, Failure>>>);

impl Stack {
    pub(crate) fn new(account: &Account, switch: Switch, timeout: Duration, network: Leaf) -> Self {
        let service = ServiceBuilder::new()
            .concurrency_limit(account.concurrency.get())
            .option_layer(account.per_second.map(paced))
            .layer(layer_fn(|inner| Guard::new(inner, switch.clone())))
            .layer(layer_fn(|inner| Within::new(inner, timeout, switch.clock())))
            .retry(Blips::default())
            .service(network);
        Self(Arc::new(Mutex::new(BoxService::new(service))))
    }

    /// Waits until the account's limits leave room, and begins the call. Nothing is sent before the returned
    /// future is polled; dropping this one gives the place back.
    pub(crate) async fn begin(&self, outgoing: Outgoing) -> Result<Answering, Failure> {
        let mut service = self.0.lock().await;
        Ok(Box::pin(service.ready().await?.call(outgoing)))
    }
}

/// So many calls a second, in windows of which each holds one call, or is about 20 ms long: of longer ones, which do
/// not slide, two would let almost twice as many through within a second.
fn paced(per_second: NonZeroU32) -> RateLimitLayer {
    let calls = per_second.get().div_ceil(50);
    RateLimitLayer::new(calls.into(), Duration::from_secs(calls.into()) / per_second.get())
}
