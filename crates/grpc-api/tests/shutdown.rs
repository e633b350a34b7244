//! The server's end: what has come as far as the kernel's backlog is answered, and what is open ends.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

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
    client::{Connection, ResponseFuture},
};
use http::{Request, Response};
use postback_access::{Tls, testing::Authority};
use postback_core::{
    AccountId, Accounts, Call, Error, Key, Keyring, Result,
    ports::{Caller, Clock},
};
use postback_grpc_api::{Settings, serve};
use postback_hub::{Hub, Parts, Registry, SystemClock};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

struct NoNetwork;

#[async_trait]
impl Caller for NoNetwork {
    async fn call(&self, _: &AccountId, _: Call) -> Result<Response<Bytes>> {
        Err(Error::unavailable("there is no network in this test"))
    }
}

async fn hub(dir: &TempDir) -> Hub {
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

async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// Serves with a shutdown that has begun before the first connection is taken in.
async fn serve_the_last(listener: TcpListener, settings: Settings) {
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    shutdown.cancel();
    serve(listener, hub(&dir).await, settings, shutdown).await.unwrap();
}

/// A call that is sent, down to its last byte, and not yet answered.
struct Sent<S: AsyncRead + AsyncWrite> {
    connection: Pin<Box<Connection<S>>>,
    answer: ResponseFuture,
    body: SendStream<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Sent<S> {
    /// Asks over a connection how the server is.
    async fn over(stream: S) -> Self {
        Self::open(stream, "grpc.health.v1.Health/Check", true).await
    }

    /// Calls a method with an empty message, which is the only one or the first of many.
    async fn open(stream: S, method: &str, only: bool) -> Self {
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let request = Request::post(format!("http://postback/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
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
    async fn answered(self) -> (Bytes, String) {
        tokio::spawn(self.connection);
        let mut body = self.answer.await.unwrap().into_body();
        let message = body.data().await.unwrap().unwrap();
        let trailers = body.trailers().await.unwrap().unwrap();
        (message, trailers["grpc-status"].to_str().unwrap().to_owned())
    }
}

/// NOT_SERVING, as a message of gRPC, with OK.
fn not_serving() -> (Bytes, String) {
    (Bytes::from_static(&[0, 0, 0, 0, 2, 8, 2]), "0".to_owned())
}

#[tokio::test]
async fn a_call_that_waits_in_the_backlog_as_the_server_ends_is_answered() {
    let (address, listener) = listen().await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(Sent::over(TcpStream::connect(address).await.unwrap()).await);
    }
    let served = tokio::spawn(serve_the_last(listener, Settings::default()));
    for call in calls {
        assert_eq!(call.answered().await, not_serving());
    }
    served.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_waits_in_the_backlog_as_the_server_ends_comes_to_its_tls() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = Tls::open(authority.files(folder.path()), "h2").unwrap();
    let (address, listener) = listen().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    let settings = Settings { tls: Some(tls), ..Settings::default() };
    let served = tokio::spawn(serve_the_last(listener, settings));
    let connector = TlsConnector::from(Arc::new(authority.client(None, "h2")));
    let calls = streams.into_iter().map(|stream| {
        let connecting = connector.connect(ServerName::from(address.ip()), stream);
        tokio::spawn(async { Sent::over(connecting.await.unwrap()).await.answered().await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), not_serving());
    }
    served.await.unwrap();
}

#[tokio::test]
async fn a_silent_connection_in_the_backlog_does_not_hold_the_end_for_ever() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let hour = Duration::from_secs(3_600);
    for tls in [None, Some(Tls::open(authority.files(folder.path()), "h2").unwrap())] {
        let (address, listener) = listen().await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let handshake = Duration::from_millis(50);
        serve_the_last(listener, Settings { tls, handshake, drain: hour, ..Settings::default() }).await;
    }
}

/// The status with which a stream ends, once its answers were read.
async fn end_of(mut body: h2::RecvStream) -> String {
    while let Some(answer) = body.data().await {
        body.flow_control().release_capacity(answer.unwrap().len()).unwrap();
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    trailers["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stream_that_is_open_as_the_server_ends_ends_with_it() {
    let hour = Duration::from_secs(3_600);
    let methods = [
        "grpc.health.v1.Health/Watch",
        "postback.v1.DeliveryService/WatchDeliveries",
        "postback.v1.ConversionService/RecordConversions",
    ];
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let settings = Settings { drain: hour, ..Settings::default() };
    let served = tokio::spawn(serve(listener, hub(&dir).await, settings, shutdown.clone()));
    let mut streams = Vec::new();
    for method in methods {
        let many = method.ends_with("RecordConversions");
        let sent = Sent::open(TcpStream::connect(address).await.unwrap(), method, !many).await;
        tokio::spawn(sent.connection);
        streams.push((method, sent.answer.await.unwrap().into_body(), sent.body));
    }
    shutdown.cancel();
    for (method, body, _open) in streams {
        assert_eq!(end_of(body).await, "14", "{method}");
    }
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_still_under_way_after_the_drain_is_cut() {
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let settings = Settings { drain: Duration::from_millis(50), ..Settings::default() };
    let served = tokio::spawn(serve(listener, hub(&dir).await, settings, shutdown.clone()));
    let method = "postback.v1.ConversionService/RecordConversion";
    let sent = Sent::open(TcpStream::connect(address).await.unwrap(), method, false).await;
    let connection = tokio::spawn(sent.connection);
    shutdown.cancel();
    served.await.unwrap().unwrap();
    assert!(sent.answer.await.is_err(), "its request never came to an end");
    let _ended = connection.await.unwrap();
}
