//! The console's life: take connections in, and end them in good order.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use postback_access::{Certificate, Tls, accept, close};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{Console, meters, patient::Patient};

/// So many connections at a time: probes, scrapers and a few people. More wait in the kernel's queue.
const CONNECTIONS: usize = 256;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(30);

/// How long what is under way may go on after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// How long after the shutdown began an idle connection is still listened to: a request that was on its way is
/// answered.
const LAST_CALL: Duration = Duration::from_millis(250);

/// Serves the console on `listener`, under TLS where there is one, until `shutdown`, then answers what is under way
/// or in the kernel's backlog for at most 5 seconds. Keeps the recorder of the metrics in order meanwhile. Each request's extensions hold the
/// peer's `SocketAddr` and, where it proved to hold one, its [`Certificate`].
///
/// # Errors
/// Where there are no random numbers or the listener cannot be closed; what fails while connections are taken in is
/// logged and waited out.
pub async fn serve(
    listener: TcpListener,
    console: Console,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let upkeep = meters::keep_up(console.metrics.clone());
    let server = Server::new(console.router(tls.is_some()).map_err(io::Error::other)?, tls, shutdown.clone());
    select! {
        () = shutdown.cancelled() => {}
        () = server.take_in(&listener) => {}
        () = upkeep => {}
    }
    for (stream, peer) in close(listener)? {
        server.spawn(stream, peer, ());
    }
    server.open.close();
    if timeout(DRAIN, server.open.wait()).await.is_err() {
        warn!("connections to the console did not end in time");
    }
    Ok(())
}

struct Server {
    router: Router,
    tls: Option<Tls>,
    protocol: http1::Builder,
    open: TaskTracker,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Server {
    fn new(router: Router, tls: Option<Tls>, shutdown: CancellationToken) -> Self {
        let mut protocol = http1::Builder::new();
        protocol.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 * 1024);
        Self {
            router,
            tls,
            protocol,
            open: TaskTracker::new(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            shutdown,
        }
    }

    /// Takes connections in for as long as it is polled.
    async fn take_in(&self, listener: &TcpListener) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let (stream, peer) = accept(listener).await;
            self.spawn(stream, peer, place);
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, place: impl Send + 'static) {
        let (tls, protocol, router) = (self.tls.clone(), self.protocol.clone(), self.router.clone());
        let shutdown = self.shutdown.clone();
        self.open.spawn(async move {
            let _place = place;
            let entered = select! {
                entered = Tls::enter(tls.as_ref(), stream, HANDSHAKE) => entered,
                () = last_call(&shutdown) => return,
            };
            let socket = match entered {
                Ok(socket) => socket,
                Err(error) => return debug!(%peer, %error, "no connection to the console came of it"),
            };
            let service = TowerToHyperService::new(known(router, peer, socket.certificate()));
            let socket = TokioIo::new(Patient::new(socket));
            let mut connection = pin!(protocol.serve_connection(socket, service));
            let ended = select! {
                biased;
                ended = connection.as_mut() => ended,
                () = last_call(&shutdown) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%peer, %error, "a connection to the console was lost");
            }
        });
    }
}

async fn last_call(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(LAST_CALL).await;
}

/// The pages, told who is at the other end.
fn known(router: Router, peer: SocketAddr, certificate: Option<Certificate>) -> Router {
    let router = router.layer(Extension(peer));
    match certificate {
        None => router,
        Some(certificate) => router.layer(Extension(certificate)),
    }
}
