//! The console's life: take connections in, and end them in good order.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
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

/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(30);

/// How long what is under way may go on after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait where the machine has no file or memory left for a connection.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the console on `listener` until `shutdown`, then answers what is under way for at most 5 seconds. Keeps
/// the recorder of the metrics in order meanwhile.
///
/// # Errors
/// None at present: a connection that cannot be taken in is logged and waited out.
pub async fn serve(listener: TcpListener, console: Console, shutdown: CancellationToken) -> io::Result<()> {
    let upkeep = meters::keep_up(console.metrics.clone());
    let server = Server::new(console.router());
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
    protocol: http1::Builder,
    open: GracefulShutdown,
    places: Arc<Semaphore>,
}

impl Server {
    fn new(router: Router) -> Self {
        let mut protocol = http1::Builder::new();
        protocol.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 * 1024);
        Self {
            router,
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
                Ok((stream, _)) => self.spawn(stream, place),
                Err(error) => {
                    warn!(%error, "the console cannot take a connection in");
                    sleep(BREATH).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, place: impl Send + 'static) {
        let service = TowerToHyperService::new(self.router.clone());
        let connection = self.protocol.serve_connection(TokioIo::new(stream), service);
        let watched = self.open.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = watched.await {
                debug!(%error, "a connection to the console was lost");
            }
        });
    }
}
