//! Visitors at the edge, each on a connection of its own, and how they fared.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, header::LOCATION};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Instant, timeout};
use url::Url;

/// How long a visitor waits before giving up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How redirects and requests fared, as seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Visitors who were sent on.
    pub(crate) redirects: u64,
    /// Visitors who reached the edge and were not sent on.
    pub(crate) strays: u64,
    /// How long the slowest redirect took.
    pub(crate) slowest: Duration,
    /// Requests that reached the hub and failed.
    pub(crate) failures: u64,
    /// What the last stray or failure was.
    pub(crate) last: Option<String>,
}

/// A count that many tasks add to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// Adds to it.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A stream of visitors.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: Client<HttpConnector, Empty<Bytes>>,
    edge: SocketAddr,
    watch: Watch,
}

impl Visitor {
    /// Visitors of an edge.
    pub(crate) fn of(edge: SocketAddr, watch: Watch) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, edge, watch }
    }

    /// Visits once; returns the click token, or nothing where the edge was not there or did not send on.
    pub(crate) async fn visit(&self, campaign: &str, parameter: &str, click: &str) -> Option<String> {
        let link = format!("http://{}/c/{campaign}?{parameter}={click}", self.edge).parse().ok()?;
        let began = Instant::now();
        let answer = match timeout(PATIENCE, self.client.get(link)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() => return None,
            Ok(Err(error)) => return self.stray(format!("no redirect: {error:?}")),
            Err(_) => return self.stray("no redirect in ten seconds".to_owned()),
        };
        let took = began.elapsed();
        if answer.status() != StatusCode::FOUND {
            return self.stray(format!("no redirect: the edge answered {}", answer.status()));
        }
        self.watch.note(|seen| {
            seen.redirects += 1;
            seen.slowest = seen.slowest.max(took);
        });
        let location = Url::parse(answer.headers().get(LOCATION)?.to_str().ok()?).ok()?;
        let token = location.query_pairs().find(|(name, _)| name == "token")?.1.into_owned();
        Some(token)
    }

    fn stray(&self, why: String) -> Option<String> {
        self.watch.note(|seen| {
            seen.strays += 1;
            seen.last = Some(why);
        });
        None
    }
}
