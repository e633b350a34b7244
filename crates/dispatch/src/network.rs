//! The leaf of the stack: HTTP/1.1 over TCP or TLS, on a kept connection or on one of its own.

use std::{
    error::Error as StdError,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri,
    header::{HOST, USER_AGENT},
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, capture_connection, dns::GaiResolver},
    },
    rt::{TokioExecutor, TokioTimer},
};
use postback_core::{Error, Reason, Result as CoreResult};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use tower::{Service, ServiceExt};

use crate::{
    names::Names,
    outgoing::{Failure, Mark, Outgoing, Reply, Sent},
};

#[cfg(not(feature = "failpoints"))]
type Connector = hyper_rustls::HttpsConnector<HttpConnector<Names>>;
#[cfg(feature = "failpoints")]
type Connector = crate::wire::Wired;

/// How long an idle connection is kept for the next call; there are never more than calls were under way at once.
const IDLE: Duration = Duration::from_secs(15);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("postback/", env!("CARGO_PKG_VERSION")));

/// Sends requests. No redirect is followed, no body decompressed, no proxy asked.
#[derive(Clone)]
pub(crate) struct Network {
    connector: Connector,
    pool: Client<Connector, Full<Bytes>>,
}

impl Network {
    /// A network of which servers are believed that Mozilla's roots vouch for. The connector parts `timeout` among a
    /// name's addresses, so that one that does not answer leaves the others their chance.
    pub(crate) fn new(timeout: Duration) -> CoreResult<Self> {
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::internal("TLS could not be set up").caused_by(cause))?
            .with_webpki_roots()
            .with_no_client_auth();
        Ok(Self::with_tls(tls, timeout))
    }

    pub(crate) fn with_tls(tls: ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names::new(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        #[cfg(feature = "failpoints")]
        let connector = crate::wire::wired(connector);
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector.clone());
        Self { connector, pool }
    }

    /// On a kept connection, or a new one: for calls that may be repeated.
    async fn kept(
        self,
        mut request: Request<Full<Bytes>>,
        sent: &Sent,
    ) -> Result<Response<Incoming>, Failure> {
        let mut chosen = capture_connection(&mut request);
        let mut answer = pin!(self.pool.request(request));
        let result = tokio::select! {
            biased;
            result = &mut answer => result,
            () = async { sent.set(chosen.wait_for_connection_metadata().await.is_some()) } => answer.await,
        };
        result
            .map_err(|error| if error.is_connect() || !sent.get() { not_sent(&error) } else { lost(&error) })
    }

    /// On a connection of its own, marked once that stands: for calls that must not be repeated.
    async fn own(
        self,
        request: Request<Full<Bytes>>,
        sent: &Sent,
        mark: Mark,
    ) -> Result<Response<Incoming>, Failure> {
        let (uri, request) = to_origin(request);
        let stream = self.connector.oneshot(uri).await.map_err(|error| not_sent(error.as_ref()))?;
        let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| not_sent(&error))?;
        tokio::spawn(connection);
        mark.make().await?;
        fail::fail_point!("mark-started");
        sent.set(true);
        sender.try_send_request(request).await.map_err(|mut failed| {
            if failed.take_message().is_some() {
                sent.set(false);
                not_sent(failed.error())
            } else {
                lost(failed.error())
            }
        })
    }
}

impl Service<Outgoing> for Network {
    type Response = Reply;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let network = self.clone();
        Box::pin(async move {
            let Outgoing { request, mark, sent } = outgoing;
            let mut request = request.map(Full::new);
            request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
            let answer = match mark {
                None => network.kept(request, &sent).await,
                Some(mark) => network.own(request, &sent, mark).await,
            };
            Ok(answer?.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

/// Where the connection goes, and the request as it stands on it: with the path alone, and a `Host`.
fn to_origin(mut request: Request<Full<Bytes>>) -> (Uri, Request<Full<Bytes>>) {
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let uri = std::mem::replace(request.uri_mut(), Uri::from(path));
    if let Some(Ok(host)) = uri.authority().map(|authority| HeaderValue::from_str(authority.as_str())) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    (uri, request)
}

fn not_sent(error: &(dyn StdError + 'static)) -> Failure {
    let tls = is_tls(error);
    let code = if tls { "tls_failed" } else { "connect_failed" };
    Failure::NotSent { reason: Reason::new(code, chain(error)), blip: !tls }
}

fn lost(error: &(dyn StdError + 'static)) -> Failure {
    Failure::Lost(Reason::new("connection_lost", chain(error)))
}

/// Whether TLS itself refused the other side. An `io::Error` hides its inner error from `source()`.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || inside.is_some_and(|inner| is_tls(inner))
        || error.source().is_some_and(is_tls)
}

/// The error with its causes, each said once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
