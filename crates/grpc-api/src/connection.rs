//! Taking connections in: so many at a time, under TLS where there is one, and none that says nothing.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use metrics::gauge;
use postback_access::{Certificate, Socket, Tls, accept, close};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Sleep, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::{Settings, observe::CONNECTIONS};

/// What every HTTP/2 client says first, in bytes.
const PREFACE: usize = 24;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The certificate that it proved to hold.
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// The connections of a listener until `stop`, then those that wait in its backlog. It is closed at once where nobody
/// wants more. At `cut` all of them end.
pub(crate) fn incoming<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    settings: &Settings,
    stop: F,
    cut: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> + use<F> {
    let (entered, connections) = mpsc::channel(1);
    let places = Arc::new(Semaphore::new(settings.connections));
    let entry = Entry { tls: settings.tls.clone(), within: settings.handshake, cut, entered };
    tokio::spawn(async move {
        let mut stop = pin!(stop);
        loop {
            select! {
                () = entry.entered.closed() => return,
                () = &mut stop => break,
                taken = take(&listener, &places) => hand_in(taken, entry.clone()),
            }
        }
        match close(listener) {
            Ok(waiting) => {
                for (stream, address) in waiting {
                    hand_in((stream, address, None), entry.clone());
                }
            }
            Err(error) => tracing::warn!(%error, "the gRPC listener cannot be closed in good order"),
        }
    });
    ReceiverStream::new(connections)
}

/// What a connection comes through.
#[derive(Clone)]
struct Entry {
    tls: Option<Tls>,
    within: Duration,
    cut: CancellationToken,
    entered: mpsc::Sender<io::Result<Connection>>,
}

type Taken = (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>);

/// The next connection, once there is a place for it.
async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> Taken {
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, address) = accept(listener).await;
    (stream, address, place)
}

fn hand_in(taken: Taken, entry: Entry) {
    tokio::spawn(async move {
        select! {
            () = entry.entered.closed() => {}
            () = entry.cut.cancelled() => {}
            connection = enter(taken, &entry) => {
                if let Some(connection) = connection {
                    let _ = entry.entered.send(Ok(connection)).await;
                }
            }
        }
    });
}

async fn enter((stream, address, place): Taken, entry: &Entry) -> Option<Connection> {
    // A call is one small piece: waiting for more to send would only delay it.
    let _ = stream.set_nodelay(true);
    match Tls::enter(entry.tls.as_ref(), stream, entry.within).await {
        Ok(socket) => Some(Connection::new(socket, address, place, entry)),
        Err(error) => {
            tracing::debug!(peer = %address, %error, "no connection came of it");
            None
        }
    }
}

/// A connection in its place.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    peer: Peer,
    /// How much of the preface is missing, and until when it may be.
    missing: usize,
    until: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn new(socket: Socket, address: SocketAddr, place: Option<OwnedSemaphorePermit>, entry: &Entry) -> Self {
        gauge!(CONNECTIONS).increment(1);
        let peer = Peer { address, certificate: socket.certificate().map(Arc::new) };
        let (until, cut) = (Box::pin(sleep(entry.within)), Box::pin(entry.cut.clone().cancelled_owned()));
        Self { socket, peer, missing: PREFACE, until, cut, _place: place }
    }

    /// What the socket says; where it has to be waited for, the connection may be cut meanwhile.
    fn or_cut<T>(&mut self, said: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if said.is_pending() && self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        said
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        gauge!(CONNECTIONS).decrement(1);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if self.missing > 0 {
            if read.is_pending() && self.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.missing = self.missing.saturating_sub(buf.filled().len() - before);
        }
        self.or_cut(read, cx)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.or_cut(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.or_cut(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.or_cut(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.or_cut(closed, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn one_that_says_nothing_gives_its_place_away() {
        let settings = Settings { connections: 1, handshake: SHORT, ..Settings::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = pin!(incoming(listener, &settings, pending(), CancellationToken::new()));
        let _silent = TcpStream::connect(address).await.unwrap();
        let mut talking = TcpStream::connect(address).await.unwrap();
        talking.write_all(&[b'x'; PREFACE]).await.unwrap();

        let mut first = incoming.next().await.unwrap().unwrap();
        assert_eq!(first.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let waiting = tokio::time::timeout(SHORT, incoming.next()).await;
        assert!(waiting.is_err(), "there is one place, and it is taken");
        drop(first);
        let mut second = incoming.next().await.unwrap().unwrap();
        assert_eq!(second.connect_info().address, talking.local_addr().unwrap());
        second.read_exact(&mut [0; PREFACE]).await.unwrap();
        let idle = tokio::time::timeout(2 * SHORT, second.read_u8()).await;
        assert!(idle.is_err(), "one that has spoken may rest");
    }

    #[tokio::test]
    async fn the_listener_is_closed_once_nobody_wants_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(incoming(listener, &Settings::default(), pending(), CancellationToken::new()));
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
