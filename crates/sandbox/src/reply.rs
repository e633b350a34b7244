//! What a network answers, and what the call meant to it.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use thiserror::Error;

use crate::Meant;

/// An answer of a network, ready to be sent and to be written down.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    kind: &'static str,
    /// One header beside the content type.
    header: Option<(HeaderName, HeaderValue)>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Reply {
    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), kind: TEXT, header: None }
    }

    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, body: body.into(), kind: JSON, header: None }
    }

    /// A body as it is, called JSON where it begins like an object.
    pub(crate) fn guessed(status: StatusCode, body: Bytes) -> Self {
        let kind = if body.starts_with(b"{") { JSON } else { TEXT };
        Self { status, body, kind, header: None }
    }

    /// A 405 that says which methods the path has.
    pub(crate) fn only(methods: &'static str) -> Self {
        let allow = HeaderValue::from_static(methods);
        Self::text(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed").with(header::ALLOW, allow)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The answer as it is sent.
    pub(crate) fn response(self) -> Response<Body> {
        let body = Body::from(self.body.clone());
        self.response_with(body)
    }

    /// The answer with another body.
    pub(crate) fn response_with(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

/// A network's decision about one call.
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    pub(crate) meant: Meant,
    pub(crate) remarks: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(reply: Reply, meant: Meant) -> Self {
        Self { reply, meant, remarks: Vec::new() }
    }

    /// A call that was refused with `reply`.
    pub(crate) fn refused(reply: Reply, why: impl Into<String>) -> Self {
        Self::new(reply, Meant::Refused { why: why.into() })
    }

    pub(crate) fn remarking(mut self, remarks: Vec<String>) -> Self {
        self.remarks = remarks;
        self
    }
}

/// Marks a response that must not be sent: the connection is reset instead.
#[derive(Clone, Copy, Debug, Error)]
#[error("a fault cuts the connection")]
pub(crate) struct Cut;
