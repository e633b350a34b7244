//! What machines ask: is the process alive, is it ready, what did it measure.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use postback_access::{Scope, bearer};
use tokio::time::timeout;

use crate::{desk::Desk, guard};

/// How long the stores may take to say that they are there.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn live() -> &'static str {
    "ok\n"
}

pub(crate) async fn ready(State(desk): State<Desk>) -> Response {
    if !desk.ready.load(Ordering::Acquire) {
        return not_ready("the process is draining");
    }
    match timeout(READY_WITHIN, desk.hub.ready()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => not_ready(&error.to_string()),
        Err(_) => not_ready("a store does not answer"),
    }
}

fn not_ready(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response()
}

/// The metrics: for those who show a token that may read, or who signed in.
pub(crate) async fn metrics(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    if let Err(failed) = guard::own_name(&desk, &headers) {
        return failed.into_response();
    }
    let shown = headers.get(AUTHORIZATION).map(|header| bearer(header.as_bytes()));
    let by_token = shown.and_then(|token| desk.access.caller(token)).is_some_and(|it| it.may(Scope::Read));
    if desk.access.is_open() || by_token || guard::session(&desk, &headers).is_some() {
        return ([(CONTENT_TYPE, PROMETHEUS)], desk.metrics.render()).into_response();
    }
    let want = "want a token that may read, as `Authorization: Bearer ...`\n";
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], want).into_response()
}
