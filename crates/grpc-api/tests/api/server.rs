//! A server over empty stores, and calls to it, piece by piece.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use h2::{
    SendStream,
    client::{Connection, ResponseFuture, SendRequest},
};
use http::{Request, Response};
use postback_core::{
    AccountId, Accounts, Call, Error, Key, Keyring, Result,
    ports::{Caller, Clock},
};
use postback_grpc_api::{Settings, serve};
use postback_hub::{Hub, Parts, Registry, SystemClock};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

struct NoNetwork;

#[async_trait]
impl Caller for NoNetwork {
    async fn call(&self, _: &AccountId, _: Call) -> Result<Response<Bytes>> {
        Err(Error::unavailable("there is no network in this test"))
    }
}

pub(crate) async fn hub(dir: &TempDir) -> Hub {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let retention = Duration::from_secs(40 * 86_400);
    Hub::new(Parts {
        clicks: Arc::new(postback_clickstore::Embedded::open(dir.path(), clock.clone()).unwrap()),
        outbox: Arc::new(
            postback_outbox::Embedded::open(dir.path(), clock.clone(), retention).await.unwrap(),
        ),
        logbook: Arc::new(postback_logbook::Embedded::open(dir.path(), clock.clone()).unwrap()),
        tally: Arc::default(),
        caller: Arc::new(NoNetwork),
        clock,
        keyring: Keyring::new(Key::new(1, [1; 32]), []).unwrap(),
        registry: Registry::new(Accounts::default(), Vec::new()).unwrap(),
        accounts: watch::Sender::new(Accounts::default()),
        wake: Arc::new(Notify::new()),
        public_url: None,
        settings: postback_hub::Settings::default(),
    })
}

pub(crate) async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// A call that is sent, down to its last byte, and not yet answered.
pub(crate) struct Sent<S: AsyncRead + AsyncWrite> {
    pub(crate) connection: Pin<Box<Connection<S>>>,
    pub(crate) answer: ResponseFuture,
    pub(crate) body: SendStream<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Sent<S> {
    /// Asks over a connection how the server is.
    pub(crate) async fn over(stream: S) -> Self {
        Self::open(stream, "grpc.health.v1.Health/Check", true).await
    }

    /// Calls a method with an empty message, which is the only one or the first of many.
    pub(crate) async fn open(stream: S, method: &str, only: bool) -> Self {
        Self::within("1H", stream, method, only).await
    }

    /// Likewise with a deadline, as the wire has it.
    pub(crate) async fn within(timeout: &str, stream: S, method: &str, only: bool) -> Self {
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let request = Request::post(format!("http://postback/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", timeout)
            .body(())
            .unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(&[0; 5]), only).unwrap();
        let mut connection = Box::pin(connection);
        // The socket has room for all of it.
        let waits = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "the connection has ended");
        Self { connection, answer, body }
    }

    /// What the answer holds, and how the call ended.
    pub(crate) async fn answered(self) -> (Bytes, String) {
        tokio::spawn(self.connection);
        let mut body = self.answer.await.unwrap().into_body();
        let message = body.data().await.unwrap().unwrap();
        let trailers = body.trailers().await.unwrap().unwrap();
        (message, trailers["grpc-status"].to_str().unwrap().to_owned())
    }
}

/// The status with which a stream ends, once its answers were read.
pub(crate) async fn end_of(mut body: h2::RecvStream) -> String {
    while let Some(answer) = body.data().await {
        body.flow_control().release_capacity(answer.unwrap().len()).unwrap();
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    trailers["grpc-status"].to_str().unwrap().to_owned()
}

/// Serves one client on one connection for as long as it works.
pub(crate) async fn over_one_connection(work: impl AsyncFnOnce(&mut SendRequest<Bytes>)) {
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let served = tokio::spawn(serve(listener, hub(&dir).await, Settings::default(), shutdown.clone()));
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    work(&mut client).await;
    connection.abort();
    shutdown.cancel();
    served.await.unwrap().unwrap();
}

/// Reports all of these in one stream; returns where the answers come.
pub(crate) async fn report_all(
    client: &mut SendRequest<Bytes>,
    requests: impl IntoIterator<Item = Bytes>,
) -> h2::RecvStream {
    let call = Request::post("http://postback/postback.v1.ConversionService/RecordConversions")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (answer, mut body) = client.send_request(call, false).unwrap();
    for request in requests {
        body.send_data(request, false).unwrap();
    }
    body.send_data(Bytes::new(), true).unwrap();
    answer.await.unwrap().into_body()
}
