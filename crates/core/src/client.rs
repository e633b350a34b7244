//! One call through any [`Service`]: for teams that use an adapter crate alone.
//!
//! The service takes a request of bytes and answers with bytes. Of hyper's client it is made so, with an end to
//! how long a call and how large an answer may be. An answer that is too large, or breaks off, is judged by what
//! was read of it: an error would hide that the network has answered. It needs http-body-util, hyper-util with
//! `client-legacy`, `http1` and `tokio`, and tower with `timeout` and `util`.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{BoxError, service_fn, timeout::Timeout};
//!
//! # async fn called(request: Request<Bytes>) -> Result<(), Box<dyn std::error::Error>> {
//! // With TLS: the same on hyper-rustls' connector.
//! let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//! let bytes = service_fn(move |request: Request<Bytes>| {
//!     let answer = hyper.request(request.map(Full::new));
//!     async move {
//!         let (head, mut body) = answer.await?.into_parts();
//!         let mut read = Vec::new();
//!         while read.len() < 64 * 1024 && let Some(Ok(frame)) = body.frame().await {
//!             read.extend(frame.into_data().unwrap_or_default());
//!         }
//!         Ok::<_, BoxError>(Response::from_parts(head, read.into()))
//!     }
//! });
//! let mut service = Timeout::new(bytes, Duration::from_secs(5));
//! let answer = postback_core::client::send(&mut service, request).await?;
//! # drop(answer);
//! # Ok(())
//! # }
//! ```

use std::{error, fmt, future::poll_fn};

use bytes::Bytes;
use http::{Request, Response, header::DATE};
use jiff::{Timestamp, fmt::rfc2822};
use tower_service::Service;

use crate::Error;

/// Whatever a service fails with.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// Why a call of an adapter's client brought nothing.
#[derive(Debug)]
pub enum ClientError {
    /// It was refused: here, before anything was sent, or by what a look-up was answered.
    Refused(Error),
    /// The service failed; whether the network had it, the service's error says.
    Service(BoxError),
}

impl From<Error> for ClientError {
    fn from(refused: Error) -> Self {
        Self::Refused(refused)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Service(_) => f.write_str("the network could not be called"),
        }
    }
}

impl error::Error for ClientError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused(refused) => refused.source(),
            Self::Service(failure) => Some(failure.as_ref()),
        }
    }
}

/// Waits until `service` is ready, and sends `request`.
///
/// # Errors
/// [`ClientError::Service`] with whatever the service fails with.
pub async fn send<S>(service: &mut S, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
{
    let failed = |failure: S::Error| ClientError::Service(failure.into());
    poll_fn(|context| service.poll_ready(context)).await.map_err(failed)?;
    service.call(request).await.map_err(failed)
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
