//! Counts and times every call, and gives a deadline that passed its right code.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use tonic::codegen::http::{HeaderValue, Request, Response};
use tower::{Layer, Service, layer::layer_fn};
use tracing::{Instrument, Span, field::Empty, info_span};

use crate::methods;

const CALLS: &str = "postback_grpc_calls_total";
const SECONDS: &str = "postback_grpc_seconds";
/// Callers that were refused.
pub(crate) const REFUSED: &str = "postback_grpc_refused_total";
/// Open connections.
pub(crate) const CONNECTIONS: &str = "postback_grpc_connections";

/// Says what the numbers mean.
pub(crate) fn describe() {
    describe_counter!(CALLS, Unit::Count, "gRPC calls, by method and numeric status code");
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "How long a gRPC call took until its answer began, by method"
    );
    describe_counter!(
        REFUSED,
        Unit::Count,
        "Callers refused for want of credentials or of a scope, by method and reason"
    );
    describe_gauge!(CONNECTIONS, Unit::Count, "Open gRPC connections");
}

/// The layer that observes a server.
pub(crate) fn layer<S>() -> impl Layer<S, Service = Observe<S>> + Clone {
    layer_fn(|inner| Observe { inner })
}

/// A server that is observed.
#[derive(Clone, Debug)]
pub(crate) struct Observe<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = methods::name(request.uri().path());
        let began = Instant::now();
        let span = span(&request);
        let call = self.inner.call(request).instrument(span.clone());
        Box::pin(async move {
            let mut response = call.await?;
            correct_deadline(&mut response);
            let code = code(&response);
            end(&span, &code);
            metrics::counter!(CALLS, "method" => method, "code" => code).increment(1);
            metrics::histogram!(SECONDS, "method" => method).record(began.elapsed().as_secs_f64());
            Ok(response)
        })
    }
}

/// The span of a call, under the caller's own; none for health and reflection.
fn span<B>(request: &Request<B>) -> Span {
    let Some(method) =
        request.uri().path().strip_prefix('/').filter(|_| methods::is_known(request.uri().path()))
    else {
        return Span::none();
    };
    let span = info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        postback_traces::follow(&span, postback_traces::parent_in(request.headers()));
    }
    span
}

fn end(span: &Span, code: &str) {
    let code: usize = code.parse().unwrap_or(2);
    let name = CODES.get(code).copied().unwrap_or("UNKNOWN");
    span.record("rpc.response.status_code", name);
    if ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
        .contains(&name)
    {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", name);
    }
}

/// The names of the status codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The code in the headers: an error that was known at once, else `0` (a stream may still fail later).
fn code<R>(response: &Response<R>) -> String {
    let code = response.headers().get("grpc-status").and_then(|code| code.to_str().ok());
    code.filter(|code| code.len() <= 2).unwrap_or("0").to_owned()
}

/// tonic answers CANCELLED where a caller's `grpc-timeout` passed; the contract says DEADLINE_EXCEEDED.
fn correct_deadline<R>(response: &mut Response<R>) {
    let is = |name: &str, want: &str| response.headers().get(name).is_some_and(|value| value == want);
    if is("grpc-status", "1") && is("grpc-message", "Timeout%20expired") {
        response.headers_mut().insert("grpc-status", HeaderValue::from_static("4"));
    }
}
