//! The server: accepts connections, bounds them, and cuts those that a fault wants cut.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Sandbox, call::Peer, reply::Cut, routes};

/// The most connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 4096;
/// The longest wait for a request's head, which is also how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(120);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;
/// The longest that a shutdown waits for running answers.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve(
    sandbox: Sandbox,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "the sandbox listens");
    let router = routes::router(sandbox);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, router.clone(), graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections are cut: their answers take too long");
    }
    connections.shutdown().await;
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // An answer is small and complete: there is nothing to wait for. Where it fails, answers are only later.
    let _ = stream.set_nodelay(true);
    let Ok((stream, handle)) = twice(stream) else { return };
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let answer = router.call(request.map(Body::new));
        let handle = handle.clone();
        async move {
            let Ok(response) = answer.await;
            match response.extensions().get::<Cut>() {
                Some(cut) => {
                    // The connection ends by a reset once it is dropped; where this fails, by an orderly end.
                    let _ = handle.set_zero_linger();
                    Err(*cut)
                }
                None => Ok(response),
            }
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// A stream, and a handle to set its options by.
fn twice(stream: TcpStream) -> io::Result<(TcpStream, Arc<TcpStream>)> {
    let stream = stream.into_std()?;
    let handle = TcpStream::from_std(stream.try_clone()?)?;
    Ok((TcpStream::from_std(stream)?, Arc::new(handle)))
}
