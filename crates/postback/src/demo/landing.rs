//! A landing page, such as the advertiser's own site would have.

use std::{convert::Infallible, io};

use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PAGE: &str = "<!doctype html><html lang=en><title>Welcome</title><h1>Welcome</h1>\
<p>The click token in this page's address is all that the site keeps to report a conversion.</html>\n";

/// Serves the page for every path until `stop`.
pub(super) async fn serve(listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let visits = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted?.0,
        };
        let ended = stop.clone();
        visits.spawn(async move {
            let page = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(page()) });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), page);
            tokio::select! {
                () = ended.cancelled() => {}
                _ = connection => {}
            }
        });
    }
    visits.close();
    visits.wait().await;
    Ok(())
}

fn page() -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::from(PAGE));
    page.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/html; charset=utf-8"));
    page
}
