//! Why a request is refused, and what the visitor is told.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not the grammar of HTTP/1.
    Malformed,
    /// A line that does not end with CR LF.
    BareLineFeed,
    NoHost,
    ManyHosts,
    MalformedHost,
    /// `Content-Length` and `Transfer-Encoding`: two truths about where the request ends.
    TwoLengths,
    MalformedLength,
    /// A `Transfer-Encoding` that is not `chunked`, comes twice, or comes with HTTP/1.0.
    MalformedEncoding,
    /// A GET or HEAD with a body.
    Body,
    ManyParameters,
    NoSuchPage,
    NoSuchCampaign,
    Method,
    Slow,
    LongUri,
    LargeHead,
    /// The hub failed in a way that it promises not to.
    Defect,
}

impl Refusal {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::Malformed => (BAD, "malformed", "malformed request\n"),
            Self::BareLineFeed => (BAD, "bare_line_feed", "a line does not end with CR LF\n"),
            Self::NoHost => (BAD, "no_host", "no Host header\n"),
            Self::ManyHosts => (BAD, "many_hosts", "more than one Host header\n"),
            Self::MalformedHost => (BAD, "malformed_host", "malformed Host header\n"),
            Self::TwoLengths => (BAD, "two_lengths", "both Content-Length and Transfer-Encoding\n"),
            Self::MalformedLength => (BAD, "malformed_length", "malformed Content-Length\n"),
            Self::MalformedEncoding => (BAD, "malformed_encoding", "malformed Transfer-Encoding\n"),
            Self::Body => (BAD, "body", "no body is taken here\n"),
            Self::ManyParameters => (BAD, "many_parameters", "too many parameters\n"),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, "no_such_page", "not found\n"),
            Self::NoSuchCampaign => (StatusCode::NOT_FOUND, "no_such_campaign", "no such campaign\n"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "method not allowed\n"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow", "the request took too long\n"),
            Self::LongUri => (StatusCode::URI_TOO_LONG, "long_uri", "the URI is too long\n"),
            Self::LargeHead => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "large_head",
                "the request's headers are too large\n",
            ),
            Self::Defect => (StatusCode::INTERNAL_SERVER_ERROR, "defect", "internal error\n"),
        }
    }

    /// A word for metrics and logs.
    pub(crate) const fn reason(self) -> &'static str {
        self.parts().1
    }

    /// The answer.
    pub(crate) fn answer(self) -> Response<Full<Bytes>> {
        let (status, _, text) = self.parts();
        let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        answer
    }
}
