//! The console's life: take connections in, and end them in good order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use postback_access::{Certificate, Tls};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Console, meters};

/// So many connections at a time: probes, scrapers and a few people. More wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(30);

/// How long what is under way may go on after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait where the machine has no file or memory left for a connection.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the console on `listener`, under TLS where there is one, until `shutdown`, then answers what is under way
/// for at most 5 seconds. Keeps the recorder of the metrics in order meanwhile. Each request's extensions hold the
/// peer's `SocketAddr` and, where it proved to hold one, its [`Certificate`].
///
/// # Errors
/// Where there are no random numbers; a connection that cannot be taken in is logged and waited out.
pub async fn serve(
    listener: TcpListener,
    console: Console,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let upkeep = meters::keep_up(console.metrics.clone());
    let server = Server::new(console.router(tls.is_some()).map_err(io::Error::other)?, tls);
    select! {
        () = shutdown.cancelled() => {}
        () = server.take_in(&listener) => {}
        () = upkeep => {}
    }
    drop(listener);
    if timeout(DRAIN, server.open.shutdown()).await.is_err() {
        warn!("connections to the console did not end in time");
    }
    Ok(())
}

struct Server {
    router: Router,
    tls: Option<Tls>,
    protocol: http1::Builder,
    open: GracefulShutdown,
    places: Arc<Semaphore>,
}

impl Server {
    fn new(router: Router, tls: Option<Tls>) -> Self {
        let mut protocol = http1::Builder::new();
        protocol.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 * 1024);
        Self {
            router,
            tls,
            protocol,
            open: GracefulShutdown::new(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Takes connections in for as long as it is polled.
    async fn take_in(&self, listener: &TcpListener) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => self.spawn(stream, peer, place),
                Err(error) => {
                    warn!(%error, "the console cannot take a connection in");
                    sleep(BREATH).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, place: impl Send + 'static) {
        let (tls, protocol, router) = (self.tls.clone(), self.protocol.clone(), self.router.clone());
        let open = self.open.watcher();
        tokio::spawn(async move {
            let _place = place;
            let socket = match Tls::enter(tls.as_ref(), stream, HANDSHAKE).await {
                Ok(socket) => socket,
                Err(error) => return debug!(%peer, %error, "no connection to the console came of it"),
            };
            let service = TowerToHyperService::new(known(router, peer, socket.certificate()));
            let connection = protocol.serve_connection(TokioIo::new(socket), service);
            if let Err(error) = open.watch(connection).await {
                debug!(%peer, %error, "a connection to the console was lost");
            }
        });
    }
}

/// The pages, told who is at the other end.
fn known(router: Router, peer: SocketAddr, certificate: Option<Certificate>) -> Router {
    let router = router.layer(Extension(peer));
    match certificate {
        None => router,
        Some(certificate) => router.layer(Extension(certificate)),
    }
}
