//! The spans of a delivery and its attempts, in the trace of whoever recorded it.

use bytes::Bytes;
use http::{Request, Response};
use postback_core::ports::{Claim, Settlement};
use tracing::{Span, field::Empty, info_span};

use crate::outgoing::Failure;

/// One claim, from its call to its settlement.
pub(crate) fn delivery(network: &'static str, claim: &Claim) -> Span {
    let delivery = &claim.delivery;
    let span = info_span!(
        "deliver",
        account = %delivery.account,
        network,
        conversion = %delivery.conversion,
        delivery = %delivery.id,
        settlement = Empty,
    );
    postback_traces::follow(&span, delivery.trace);
    span
}

/// One call to the network. Only what is shown of it is told: no secret, no personal data.
pub(crate) fn attempt(request: &Request<Bytes>, shown: &str, before: usize) -> Span {
    let (method, uri) = (request.method().as_str(), request.uri());
    let span = info_span!(
        "attempt",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        url.full = shown.split_whitespace().nth(1),
        server.address = uri.host(),
        server.port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 }),
        error.type = Empty,
    );
    if before > 0 {
        span.record("http.request.resend_count", before);
    }
    span
}

/// How the call ended.
pub(crate) fn end(span: &Span, result: &Result<Response<Bytes>, Failure>) {
    let error = match result {
        Ok(answer) => {
            let status = answer.status();
            span.record("http.response.status_code", status.as_u16());
            (status.is_client_error() || status.is_server_error()).then(|| status.as_str().to_owned())
        }
        Err(Failure::NotSent { reason, .. } | Failure::Lost(reason)) => Some(reason.code.clone()),
        Err(Failure::Shut { .. }) => Some("breaker_open".to_owned()),
        Err(Failure::LeaseLost) => Some("lease_lost".to_owned()),
        Err(Failure::Unmarked) => Some("not_marked".to_owned()),
    };
    if let Some(error) = error {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error);
    }
}

/// What became of the delivery whose span is the current one.
pub(crate) fn settled(settlement: &Settlement) {
    let word = match settlement {
        Settlement::Delivered { .. } => "delivered",
        Settlement::Retry { .. } => "retry",
        Settlement::InDoubt(_) => "in_doubt",
        Settlement::Dead(_) => "dead",
    };
    Span::current().record("settlement", word);
}
