//! What the console answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use postback_hub::Hub;
use tokio::time::timeout;

/// How long the stores may take to say that they are there.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the console shows.
#[derive(Clone)]
pub struct Console {
    /// The hub whose stores must answer.
    pub hub: Hub,
    /// Whether the process takes in work: false from the moment it drains.
    pub ready: Arc<AtomicBool>,
    /// What [`metrics`](crate::metrics) returned.
    pub metrics: PrometheusHandle,
}

impl Console {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/livez", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .fallback(|| async { (StatusCode::NOT_FOUND, "not found; try /livez, /readyz or /metrics\n") })
            .method_not_allowed_fallback(|| async {
                (StatusCode::METHOD_NOT_ALLOWED, "method not allowed; want GET or HEAD\n")
            })
            .layer(map_response(harden))
            .with_state(self)
    }
}

async fn live() -> &'static str {
    "ok\n"
}

async fn ready(State(console): State<Console>) -> Response {
    if !console.ready.load(Ordering::Acquire) {
        return not_ready("the process is draining");
    }
    match timeout(READY_WITHIN, console.hub.ready()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => not_ready(&error.to_string()),
        Err(_) => not_ready("a store does not answer"),
    }
}

fn not_ready(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response()
}

async fn metrics(State(console): State<Console>) -> Response {
    ([(CONTENT_TYPE, PROMETHEUS)], console.metrics.render()).into_response()
}

/// Nothing of the console is kept by a cache, framed, sniffed or a source of anything.
async fn harden(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    let set: [(HeaderName, &'static str); 5] = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
