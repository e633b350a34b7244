//! One connection, from its first request to its end.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use postback_access::{Socket, Tls};
use tokio::{net::TcpStream, select, time::sleep};

use crate::{answer::Edge, gate::Gate, measure::Open, settings::Limits};

/// How long after the shutdown began an idle connection is still listened to: a request that was on its way is
/// answered, with `Connection: close`.
const LAST_CALL: Duration = Duration::from_millis(250);

/// Smallest buffer that hyper takes.
const LEAST_BUFFER: usize = 8 * 1024;

/// hyper's settings: its own timers are off, because the gate has them.
pub(crate) fn protocol(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .half_close(true)
        .writev(false)
        .header_read_timeout(None)
        .max_buf_size(limits.head.max(LEAST_BUFFER) * 2);
    builder
}

/// Serves one connection until its end, or until it is idle in a shutdown.
pub(crate) async fn serve(edge: Arc<Edge>, protocol: http1::Builder, stream: TcpStream, peer: IpAddr) {
    let _open = Open::new();
    let Some(socket) = enter(&edge, stream, peer).await else { return };
    let (gate, refused) = Gate::new(socket, edge.settings.limits);
    let shared = Arc::clone(&edge);
    let answer = service_fn(move |request| {
        let (edge, refused) = (Arc::clone(&shared), refused.get().copied());
        async move { Ok::<_, Infallible>(edge.answer(peer, refused, request).await) }
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(gate), answer));
    let ended = select! {
        biased;
        ended = connection.as_mut() => ended,
        () = last_call(&edge) => {
            connection.as_mut().graceful_shutdown();
            match edge.cut.run_until_cancelled(connection).await {
                Some(ended) => ended,
                None => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection lost");
    }
}

async fn last_call(edge: &Edge) {
    edge.shutdown.cancelled().await;
    edge.cut.run_until_cancelled(sleep(LAST_CALL)).await;
}

/// The connection under its TLS, where there is one.
async fn enter(edge: &Edge, stream: TcpStream, peer: IpAddr) -> Option<Socket> {
    let Edge { settings, .. } = edge;
    let entering = Tls::enter(settings.tls.as_ref(), stream, settings.limits.head_timeout);
    let entered = edge.cut.run_until_cancelled(entering).await?;
    entered.inspect_err(|error| tracing::debug!(%peer, %error, "no connection came of it")).ok()
}
