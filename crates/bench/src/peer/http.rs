//! Bare hyper: what a redirect costs when nothing is read, kept or sealed.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::spawn_local};

/// A location and a cookie as long as the hub's.
const LOCATION: &str = "https://shop.example/welcome?click=\
                        AUh5dWxJ0aV9Yb2RqKz7mM3cVbQpTn4sLwEeXgFiDkHjZrNvBuPyCoSaWxtGm0&source=trafficstars";
const COOKIE: &str = "__Host-postback_click=AUh5dWxJ0aV9Yb2RqKz7mM3cVbQpTn4sLwEeXgFiDkHjZrNvBuPyCoSaWxtGm; \
                      HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000";

pub(super) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            // A visitor who has gone is no concern of this server's.
            let _ = connection.await;
        });
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::FOUND;
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static(LOCATION));
    headers.insert(header::SET_COOKIE, HeaderValue::from_static(COOKIE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    Ok(answer)
}
