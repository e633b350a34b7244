//! Counts and times every call, and gives a deadline that passed its right code.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram,
};
use tonic::codegen::http::{HeaderName, HeaderValue, Request, Response};
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
    let calls: Arc<[Calls]> = (0..=methods::MANY).map(|_| Calls::default()).collect();
    layer_fn(move |inner| Observe { inner, calls: calls.clone() })
}

/// A server that is observed.
#[derive(Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    /// Of each method, and last of what is none.
    calls: Arc<[Calls]>,
}

/// What every call of a method is counted in, looked up once.
#[derive(Default)]
struct Calls {
    well: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

impl Calls {
    fn count(&self, method: &'static str, code: &str, took: Duration) {
        let calls = || counter!(CALLS, "method" => method, "code" => code.to_owned());
        if code == OK {
            self.well.get_or_init(calls).increment(1);
        } else {
            calls().increment(1);
        }
        let seconds = || histogram!(SECONDS, "method" => method);
        self.seconds.get_or_init(seconds).record(took.as_secs_f64());
    }
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
        let place = methods::place(request.uri().path());
        let (calls, began) = (self.calls.clone(), Instant::now());
        let span = span(&request, place);
        let call = self.inner.call(request).instrument(span.clone());
        Box::pin(async move {
            let mut response = call.await?;
            correct_deadline(&mut response);
            let code = code(&response);
            end(&span, code);
            let of = &calls[place.unwrap_or(methods::MANY)];
            of.count(methods::name_of(place), code, began.elapsed());
            Ok(response)
        })
    }
}

/// The span of a call, under the caller's own; none for health and reflection.
fn span<B>(request: &Request<B>, place: Option<usize>) -> Span {
    let Some(method) = request.uri().path().strip_prefix('/').filter(|_| place.is_some()) else {
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

/// Where the code is told of an error that was known at once.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The code of a call that went well.
const OK: &str = "0";

/// The code in the headers: an error that was known at once, else `0` (a stream may still fail later).
fn code<R>(response: &Response<R>) -> &str {
    let code = response.headers().get(STATUS).and_then(|code| code.to_str().ok());
    code.filter(|code| code.len() <= 2).unwrap_or(OK)
}

/// tonic answers CANCELLED where a caller's `grpc-timeout` passed; the contract says DEADLINE_EXCEEDED.
fn correct_deadline<R>(response: &mut Response<R>) {
    if code(response) == "1"
        && response.headers().get("grpc-message").is_some_and(|message| message == "Timeout%20expired")
    {
        response.headers_mut().insert(STATUS, HeaderValue::from_static("4"));
    }
}
