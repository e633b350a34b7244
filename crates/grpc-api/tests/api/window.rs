//! Many small requests of a stream that nobody reads yet.

use std::{iter::repeat_n, time::Duration};

use bytes::Bytes;
use postback_grpc_api::{Settings, serve};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::server::*;

/// So many streams of one connection each send so many requests before an answer is read.
const STREAMS: usize = 8;
const REQUESTS: usize = 12_000;

#[tokio::test]
async fn small_requests_may_come_faster_than_they_are_read() {
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let served = tokio::spawn(serve(listener, hub(&dir).await, Settings::default(), shutdown.clone()));
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    // As long as a short report: a request id of 80 bytes and nothing else.
    let request: Bytes = [&[0, 0, 0, 0, 82, 4 << 3 | 2, 80], &[b'r'; 80][..]].concat().into();
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        answers.push(report_all(&mut client, repeat_n(request.clone(), REQUESTS)).await);
    }
    let ends: JoinSet<String> = answers.into_iter().map(end_of).collect();
    let ends = timeout(Duration::from_secs(60), ends.join_all()).await.unwrap();
    assert_eq!(ends, ["0"; STREAMS]);
    connection.abort();
    shutdown.cancel();
    served.await.unwrap().unwrap();
}
