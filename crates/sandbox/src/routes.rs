//! Which path goes where: the control API, the index page, and everything else to the networks.

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;

use crate::{
    FaultKind, Network, Sandbox,
    body::{EndlessBody, SlowBody},
    call::{BODY_LIMIT, Call},
    control, page,
    reply::{Cut, Reply},
    state::Verdict,
};

pub(crate) fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/sandbox/clicks", post(control::issue))
        .route("/sandbox/journal", get(control::journal).delete(control::clear_journal))
        .route("/sandbox/stats", get(control::stats))
        .route("/sandbox/faults", get(control::faults).post(control::inject).delete(control::clear_faults))
        .route("/sandbox/clock", get(control::clock).post(control::set_clock))
        .route("/sandbox/leads/{id}", get(control::lead))
        .fallback(network)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(sandbox)
}

/// A call at one of the networks.
async fn network(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let Some(network) = Network::of_path(request.uri().path()) else {
        return Reply::text(StatusCode::NOT_FOUND, "no network has this path; see /").response();
    };
    let _under_way = sandbox.begin(network);
    let (parts, body) = request.into_parts();
    let verdict = sandbox.take(Call::read(network, parts, body).await);
    let fault = verdict.fault.as_ref().map_or("none", FaultKind::as_str);
    tracing::debug!(%network, seq = verdict.seq, status = verdict.reply.status.as_u16(), fault, "a call was taken");
    send(verdict).await
}

/// Sends what was decided, in the way that the fault wants it.
async fn send(Verdict { reply, fault, .. }: Verdict) -> Response {
    match fault {
        Some(FaultKind::DropBefore | FaultKind::DropAfter) => {
            let mut response = reply.response();
            response.extensions_mut().insert(Cut);
            response
        }
        Some(FaultKind::Delay(time)) => {
            tokio::time::sleep(time).await;
            reply.response()
        }
        Some(FaultKind::SlowBody(pace)) => {
            let body = Body::new(SlowBody::new(reply.body.clone(), pace));
            reply.response_with(body)
        }
        Some(FaultKind::EndlessBody) => reply.response_with(Body::new(EndlessBody)),
        _ => reply.response(),
    }
}
