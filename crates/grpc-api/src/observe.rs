//! Counts and times every call, and ends it at its deadline.

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
use tokio::time::timeout_at;
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, HeaderName, Request, Response},
};
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
    describe_counter!(
        CALLS,
        Unit::Count,
        "gRPC calls, by method and numeric status code: 1 where the caller went away"
    );
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
    fn count(&self, method: &'static str, code: Code, took: Duration) {
        let calls = || counter!(CALLS, "method" => method, "code" => (code as i32).to_string());
        if code == Code::Ok {
            self.well.get_or_init(calls).increment(1);
        } else {
            calls().increment(1);
        }
        let seconds = || histogram!(SECONDS, "method" => method);
        self.seconds.get_or_init(seconds).record(took.as_secs_f64());
    }
}

/// A call under way. It is counted as it ends, be it that its caller goes away.
struct Call {
    calls: Arc<[Calls]>,
    place: Option<usize>,
    began: Instant,
    span: Span,
    code: Code,
}

impl Call {
    fn ends(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        end(&self.span, self.code);
        let of = &self.calls[self.place.unwrap_or(methods::MANY)];
        of.count(methods::name_of(self.place), self.code, self.began.elapsed());
    }
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: Default + 'static,
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
        // tonic's own timer is set after this one, which is due first: it would answer CANCELLED.
        let deadline = timeout(request.headers()).map(|timeout| began + timeout);
        let answer = self.inner.call(request).instrument(span.clone());
        let mut call = Call { calls, place, began, span, code: Code::Cancelled };
        Box::pin(async move {
            let answered = match deadline {
                None => answer.await,
                Some(deadline) => match timeout_at(deadline.into(), answer).await {
                    Ok(answered) => answered,
                    Err(_) => Ok(Status::deadline_exceeded("the caller's deadline passed").into_http()),
                },
            };
            call.ends(answered.as_ref().map_or(Code::Unknown, code));
            answered
        })
    }
}

/// How long a caller waits, where it says so in at most eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = said.split_at_checked(said.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
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

fn end(span: &Span, code: Code) {
    let name = CODES[code as usize];
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

/// The code in the headers: an error that was known at once, else OK (a stream may still fail later).
fn code<R>(response: &Response<R>) -> Code {
    response.headers().get(STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending};

    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::service_fn;

    use super::*;

    #[test]
    fn a_call_whose_caller_goes_away_is_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let inner = service_fn(|_: Request<()>| pending::<Result<Response<()>, Infallible>>());
        let request = Request::post("/postback.v1.DeliveryService/GetStats").body(()).unwrap();
        drop(layer().layer(inner).call(request));
        let line = "postback_grpc_calls_total{method=\"DeliveryService/GetStats\",code=\"1\"} 1";
        assert!(recorder.handle().render().contains(line));
    }

    #[test]
    fn a_deadline_is_at_most_eight_digits_and_a_unit() {
        let of = |said: &'static str| {
            timeout(&HeaderMap::from_iter([(HeaderName::from_static("grpc-timeout"), said.parse().unwrap())]))
        };
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        let small = ["1M", "1S", "1m", "1u", "1n"].map(|said| of(said).unwrap().as_nanos());
        assert_eq!(small, [60_000_000_000, 1_000_000_000, 1_000_000, 1_000, 1]);
        for wrong in ["", "S", "1", "1 S", "-1S", "100000000S", "1s", "é"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
