//! Visitors at the edge, each on a connection of its own, and how they fared.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode, header::LOCATION};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use url::Url;

/// How long a visitor waits before giving up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How redirects and requests fared, as seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Visitors who were sent on.
    pub(crate) redirects: u64,
    /// Visitors who reached the edge and were not sent on.
    pub(crate) strays: u64,
    /// How long the slowest redirect of a passer-by took.
    pub(crate) slowest: Duration,
    /// How long the slowest one took that stores nothing.
    pub(crate) slowest_bare: Duration,
    /// Requests that reached the hub and failed.
    pub(crate) failures: u64,
    /// What the last stray or failure was.
    pub(crate) last: Option<String>,
}

impl Seen {
    /// Adds what was seen later.
    pub(crate) fn add(&mut self, later: Self) {
        self.redirects += later.redirects;
        self.strays += later.strays;
        self.slowest = self.slowest.max(later.slowest);
        self.slowest_bare = self.slowest_bare.max(later.slowest_bare);
        self.failures += later.failures;
        self.last = later.last.or_else(|| self.last.take());
    }
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
    edges: Vec<SocketAddr>,
    watch: Watch,
}

impl Visitor {
    /// Visitors of these edges.
    pub(crate) fn of(edges: Vec<SocketAddr>, watch: Watch) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, edges, watch }
    }

    /// Visits once, the first edge that is there; returns the click token, or nothing where none was or it did not
    /// send on.
    pub(crate) async fn visit(&self, campaign: &str, parameter: &str, click: &str) -> Option<String> {
        for edge in &self.edges {
            let link = format!("http://{edge}/c/{campaign}?{parameter}={click}").parse().ok()?;
            return match timeout(PATIENCE, self.client.get(link)).await {
                Ok(Ok(answer)) => self.landed(&answer),
                Ok(Err(error)) if error.is_connect() => continue,
                Ok(Err(error)) => self.stray(format!("no redirect: {error:?}")),
                Err(_) => self.stray("no redirect in ten seconds".to_owned()),
            };
        }
        None
    }

    fn landed(&self, answer: &Response<Incoming>) -> Option<String> {
        if answer.status() != StatusCode::FOUND {
            return self.stray(format!("no redirect: the edge answered {}", answer.status()));
        }
        self.watch.note(|seen| seen.redirects += 1);
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
