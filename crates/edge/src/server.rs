//! The edge's life: take connections in, and end them all in good order.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use hyper::server::conn::http1;
use postback_access::{accept, close};
use postback_hub::Hub;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Settings, answer::Edge, connection, measure};

/// Serves the edge on `listener` until `shutdown`, then ends its connections: what is under way or in the
/// kernel's backlog is answered, idle connections are closed, and whatever is left after
/// [`Limits::drain`](crate::Limits::drain) is cut.
///
/// # Errors
/// Where the listener cannot be closed; what fails while connections are taken in is logged and waited out.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    settings: Settings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    measure::describe();
    let server = Server::new(hub, settings, shutdown);
    server.take_in(&listener).await;
    for (stream, peer) in close(listener)? {
        server.spawn(stream, peer, None);
    }
    server.drain().await;
    Ok(())
}

struct Server {
    edge: Arc<Edge>,
    protocol: http1::Builder,
    connections: TaskTracker,
}

impl Server {
    fn new(hub: Hub, settings: Settings, shutdown: CancellationToken) -> Self {
        Self {
            protocol: connection::protocol(&settings.limits),
            connections: TaskTracker::new(),
            edge: Arc::new(Edge {
                hub,
                places: Arc::new(Semaphore::new(settings.limits.connections.min(Semaphore::MAX_PERMITS))),
                settings,
                shutdown,
                ending: AtomicBool::new(false),
                cut: CancellationToken::new(),
            }),
        }
    }

    /// Takes connections in until the shutdown, as long as there is a place.
    async fn take_in(&self, listener: &TcpListener) {
        let shutdown = self.edge.shutdown.clone();
        let forever = async {
            loop {
                let place = Arc::clone(&self.edge.places).acquire_owned().await.ok();
                let (stream, peer) = accept(listener).await;
                self.spawn(stream, peer, place);
            }
        };
        let _: Option<()> = shutdown.run_until_cancelled(forever).await;
        self.edge.ending.store(true, Relaxed);
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) {
        // Answers are one small piece: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let serving = connection::serve(
            Arc::clone(&self.edge),
            self.protocol.clone(),
            stream,
            peer.ip().to_canonical(),
        );
        self.connections.spawn(async move {
            let _place = place;
            serving.await;
        });
    }

    async fn drain(&self) {
        let limit = self.edge.settings.limits.drain;
        self.connections.close();
        if timeout(limit, self.connections.wait()).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "connections did not end in time and are cut"
            );
            self.edge.cut.cancel();
            self.connections.wait().await;
        }
    }
}
