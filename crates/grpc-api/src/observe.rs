//! Counts and times every call, and gives a deadline that passed its right code.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tonic::codegen::http::{HeaderValue, Request, Response};
use tower::{Layer, Service, layer::layer_fn};

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
        let method = method(request.uri().path());
        let began = Instant::now();
        let call = self.inner.call(request);
        Box::pin(async move {
            let mut response = call.await?;
            correct_deadline(&mut response);
            let code = code(&response);
            metrics::counter!("postback_grpc_calls_total", "method" => method.clone(), "code" => code)
                .increment(1);
            metrics::histogram!("postback_grpc_seconds", "method" => method)
                .record(began.elapsed().as_secs_f64());
            Ok(response)
        })
    }
}

/// The method of a path of this contract; every other path is one label.
fn method(path: &str) -> String {
    let known = path.strip_prefix("/postback.v1.").filter(|rest| {
        ["ClickService/", "ConversionService/", "DeliveryService/", "LogbookService/", "NetworkService/"]
            .iter()
            .any(|service| rest.strip_prefix(service).is_some_and(|name| METHODS.contains(&name)))
    });
    known.unwrap_or("other").to_owned()
}

const METHODS: [&str; 27] = [
    "CaptureClick",
    "GetClick",
    "AttachUser",
    "FindClicks",
    "ListClicks",
    "GetLink",
    "Erase",
    "RecordConversion",
    "RecordConversions",
    "ChangeConversionStatus",
    "GetConversion",
    "ListConversions",
    "ListDeliveries",
    "GetDelivery",
    "ReplayDelivery",
    "ResolveDelivery",
    "ReplayDeliveries",
    "ResolveDeliveries",
    "PauseAccount",
    "ResumeAccount",
    "GetStats",
    "WatchDeliveries",
    "GetHistory",
    "ListActions",
    "FetchNetworkClick",
    "GetFlow",
    "GetOffer",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_another_is_one_label() {
        assert_eq!(method("/postback.v1.ClickService/GetClick"), "ClickService/GetClick");
        for path in [
            "/",
            "/postback.v1.ClickService/Made.Up",
            "/grpc.health.v1.Health/Check",
            "/postback.v1.X/GetClick",
        ] {
            assert_eq!(method(path), "other");
        }
    }
}
