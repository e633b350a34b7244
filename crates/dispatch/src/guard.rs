//! The circuit breaker as a layer of the stack, and its handle for the worker.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use postback_core::{AccountId, ports::Clock};
use tower::Service;
use tracing::{info, warn};

use crate::{
    breaker::{Breaker, Gate, Pass, Turn},
    breakers::Breakers,
    meter,
    outgoing::{Failure, Outgoing},
};

/// One account's breaker, shared by its stack and its worker.
#[derive(Clone)]
pub(crate) struct Switch(Arc<Inner>);

struct Inner {
    account: AccountId,
    what: &'static str,
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    breakers: Breakers,
}

impl Switch {
    /// The switch of `what` of an account: `deliveries` or `look-ups`.
    pub(crate) fn new(
        account: AccountId,
        what: &'static str,
        clock: Arc<dyn Clock>,
        breakers: Breakers,
    ) -> Self {
        meter::breaker(&account, what, false);
        Self(Arc::new(Inner { account, what, clock, breaker: Mutex::new(Breaker::new()), breakers }))
    }

    /// What it lets through now.
    pub(crate) fn gate(&self) -> Gate {
        self.lock().gate(self.now())
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.0.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn admit(&self) -> Result<Ticket, Failure> {
        let now = self.now();
        match self.lock().admit(now) {
            Ok(pass) => Ok(Ticket { switch: self.clone(), pass, heard: false }),
            Err(Gate::Shut { until }) => Err(Failure::Shut { until }),
            Err(_) => Err(Failure::Shut { until: now }),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.breakers.closed(&self.account);
        meter::breaker(&self.account, self.what, false);
    }
}

/// A pass that is given back by itself where its call ends without a result.
struct Ticket {
    switch: Switch,
    pass: Pass,
    heard: bool,
}

impl Ticket {
    fn record(mut self, result: &Result<Response<Bytes>, Failure>) {
        let Some(well) = went_well(result) else { return };
        self.heard = true;
        let turn =
            self.switch.lock().record(&self.pass, well, self.switch.now(), fastrand::f64() * 2.0 - 1.0);
        let (account, what) = (&self.switch.0.account, self.switch.0.what);
        match turn {
            None => {}
            Some(Turn::Closed) => {
                self.switch.0.breakers.closed(account);
                meter::breaker(account, what, false);
                info!(%account, what, "breaker closed: the network answers again");
            }
            Some(Turn::Opened { rest }) => {
                self.switch.0.breakers.opened(account);
                meter::breaker(account, what, true);
                let cause = cause(result);
                warn!(%account, what, rest_ms = rest.as_millis() as u64, cause, "breaker opened");
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.heard {
            self.switch.lock().forget(&self.pass, self.switch.now());
        }
    }
}

/// Whether the network is well; `None` where the result says nothing of it.
fn went_well(result: &Result<Response<Bytes>, Failure>) -> Option<bool> {
    match result {
        Ok(answer) => {
            let status = answer.status();
            let asks_for_rest =
                [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
            Some(!status.is_server_error() && !asks_for_rest)
        }
        Err(Failure::NotSent { .. } | Failure::Lost(_)) => Some(false),
        Err(Failure::Shut { .. } | Failure::LeaseLost | Failure::Unmarked) => None,
    }
}

fn cause(result: &Result<Response<Bytes>, Failure>) -> String {
    match result {
        Ok(answer) => answer.status().to_string(),
        Err(Failure::NotSent { reason, .. } | Failure::Lost(reason)) => reason.to_string(),
        Err(_) => String::new(),
    }
}

/// Lets calls through as the switch allows, and tells it how they went.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    switch: Switch,
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S, switch: Switch) -> Self {
        Self { inner, switch }
    }
}

impl<S> Service<Outgoing> for Guard<S>
where
    S: Service<Outgoing, Response = Response<Bytes>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        match self.switch.admit() {
            Err(shut) => Box::pin(std::future::ready(Err(shut))),
            Ok(ticket) => {
                let answer = self.inner.call(outgoing);
                Box::pin(async move {
                    let result = answer.await;
                    ticket.record(&result);
                    result
                })
            }
        }
    }
}
