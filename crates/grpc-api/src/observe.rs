//! Counts and times every call, and gives a deadline that passed its right code.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tonic::codegen::http::{HeaderValue, Request, Response};
use tower::{Layer, Service, layer::layer_fn};

use crate::methods;

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
        let call = self.inner.call(request);
        Box::pin(async move {
            let mut response = call.await?;
            correct_deadline(&mut response);
            let code = code(&response);
            metrics::counter!("postback_grpc_calls_total", "method" => method, "code" => code).increment(1);
            metrics::histogram!("postback_grpc_seconds", "method" => method)
                .record(began.elapsed().as_secs_f64());
            Ok(response)
        })
    }
}

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
