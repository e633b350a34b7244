//! One call at a network, as it arrived.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{Network, params::Params, reply::Reply};

/// The most bytes of a body that are read.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;
/// The longest that a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(10);
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The headers that the journal keeps.
const KEPT: [HeaderName; 5] =
    [header::HOST, header::USER_AGENT, header::CONTENT_TYPE, header::CONTENT_LENGTH, PROTO];

/// A call.
pub(crate) struct Call {
    pub(crate) network: Network,
    pub(crate) method: Method,
    /// The path as it was sent, still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) headers: BTreeMap<String, String>,
    /// The client's address.
    pub(crate) peer: Option<IpAddr>,
    /// What is odd about the call's transport.
    pub(crate) remarks: Vec<String>,
    /// The answer to a body that could not be read, and why.
    pub(crate) unreadable: Option<(Reply, &'static str)>,
}

/// The client's address, set by the server on each request.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Call {
    /// Reads a call and its body, up to [`BODY_LIMIT`] bytes.
    pub(crate) async fn read(network: Network, parts: Parts, body: Body) -> Self {
        let mut call = Self {
            network,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form: Vec::new(),
            headers: kept(&parts.headers),
            peer: parts.extensions.get::<Peer>().map(|peer| peer.0.to_canonical()),
            remarks: Vec::new(),
            unreadable: None,
        };
        match bytes_of(body).await {
            Ok(bytes) => call.read_form(&bytes),
            Err((status, why)) => call.unreadable = Some((Reply::text(status, why), why)),
        }
        call
    }

    /// Query and form together.
    pub(crate) fn params(&self) -> Params<'_> {
        Params::new(self.query.iter().chain(&self.form))
    }

    /// Whether a proxy in front says that the client spoke TLS.
    pub(crate) fn forwarded_https(&self) -> bool {
        self.headers
            .get(PROTO.as_str())
            .and_then(|value| value.split(',').next())
            .is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
    }

    fn read_form(&mut self, bytes: &[u8]) {
        let form = "application/x-www-form-urlencoded";
        let kind = self.headers.get(header::CONTENT_TYPE.as_str()).map(String::as_str).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case(form) {
            self.form = pairs(bytes);
        } else if !bytes.is_empty() {
            self.remarks.push(format!("the body is not {form}: passed over"));
        }
    }
}

fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(bytes).into_owned().collect()
}

fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    KEPT.iter()
        .filter_map(|name| {
            let value = headers.get(name)?;
            Some((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        })
        .collect()
}

async fn bytes_of(body: Body) -> Result<Bytes, (StatusCode, &'static str)> {
    let whole = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB"))
        }
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}
