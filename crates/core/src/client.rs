//! One call through any [`Service`]: for teams that use an adapter crate alone.
//!
//! The service takes a request of bytes and answers with bytes. Of hyper's client it is made so, with an end to how long a
//! call and how large an answer may be:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full, Limited};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{BoxError, service_fn, timeout::Timeout};
//!
//! // With TLS: the same on hyper-rustls' connector.
//! let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//! let bytes = service_fn(move |request: Request<Bytes>| {
//!     let answer = hyper.request(request.map(Full::new));
//!     async move {
//!         let (head, body) = answer.await?.into_parts();
//!         let body = Limited::new(body, 64 * 1024).collect().await?.to_bytes();
//!         Ok::<_, BoxError>(Response::from_parts(head, body))
//!     }
//! });
//! let mut service = Timeout::new(bytes, Duration::from_secs(5));
//! # let request = Request::new(Bytes::new());
//! # drop(postback_core::client::send(&mut service, request));
//! ```

use std::{error, fmt, future::poll_fn};

use bytes::Bytes;
use http::{Request, Response, header::DATE};
use jiff::{Timestamp, fmt::rfc2822};
use tower_service::Service;

use crate::Error;

/// Why a call of an adapter's client brought nothing.
#[derive(Debug)]
pub enum ClientError<E> {
    /// It was refused: here, before anything was sent, or by the network in its answer to a look-up.
    Refused(Error),
    /// The service failed; whether the network had it, the service's error says.
    Service(E),
}

impl<E> From<Error> for ClientError<E> {
    fn from(refused: Error) -> Self {
        Self::Refused(refused)
    }
}

impl<E> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Service(_) => f.write_str("the network could not be called"),
        }
    }
}

impl<E: error::Error + 'static> error::Error for ClientError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused(refused) => refused.source(),
            Self::Service(failure) => Some(failure),
        }
    }
}

/// Waits until `service` is ready, and sends `request`.
///
/// # Errors
/// Whatever the service fails with.
pub async fn send<S>(service: &mut S, request: Request<Bytes>) -> Result<Response<Bytes>, S::Error>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}

/// When the network answered, by the answer's own `Date`: a client has no clock, and needs none to read a
/// `Retry-After` that names a date. Without a `Date`, the end of time: no such wait is known.
pub fn answered_at(answer: &Response<Bytes>) -> Timestamp {
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_by_itself_when_it_was_given() {
        let answer = |date: &str| Response::builder().header(DATE, date).body(Bytes::new()).unwrap();
        let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(answered_at(&answer("Thu, 01 Jan 2026 00:00:00 GMT")), then);
        assert_eq!(answered_at(&answer("today")), Timestamp::MAX);
        assert_eq!(answered_at(&Response::new(Bytes::new())), Timestamp::MAX);
    }
}
