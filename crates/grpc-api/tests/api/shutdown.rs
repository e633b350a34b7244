//! The server's end: what has come as far as the kernel's backlog is answered, and what is open ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postback_access::{Tls, testing::Authority};
use postback_grpc_api::{Settings, serve};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::server::*;

/// Serves with a shutdown that has begun before the first connection is taken in.
async fn serve_the_last(listener: TcpListener, settings: Settings) {
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    shutdown.cancel();
    serve(listener, hub(&dir).await, settings, shutdown).await.unwrap();
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
