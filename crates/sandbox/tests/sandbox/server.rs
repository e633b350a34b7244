//! The server's limits and its end.

use std::time::Duration;

use postback_sandbox::{Fault, FaultKind, Network, Sandbox, Seed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::client::Site;

#[tokio::test]
async fn a_body_past_64_kib_is_refused_and_written_down() {
    let site = Site::open().await;
    let body = "a".repeat(64 * 1024 + 1);
    assert_eq!(site.post_form("/api/site/click.json", &body).await.status, 413);
    assert_eq!(site.sandbox.stats().altercpa.refused, 1);
    assert_eq!(site.control("POST", "/sandbox/clicks", &body).await.status, 413);
}

#[tokio::test]
async fn an_unknown_path_belongs_to_no_network() {
    let site = Site::open().await;
    for target in ["/ldx", "/LD", "/ld/", "/api/other", "/sandbox", "/sandbox/other"] {
        assert_eq!(site.get(target).await.status, 404, "{target}");
    }
    assert_eq!(site.sandbox.stats(), postback_sandbox::Stats::default());
}

#[tokio::test]
async fn a_shutdown_lets_a_running_answer_end() {
    let sandbox = Sandbox::new(Seed::documented()).unwrap();
    let kind = FaultKind::Delay(Duration::from_millis(100));
    sandbox.inject(Fault::new(Network::Powerspace, kind).unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = sandbox.clone();
    let server = tokio::spawn(async move { serving.serve(listener, async { stopped.await.unwrap() }).await });

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /ld?qci=abc123xyz789 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sandbox.calls().wait_for(|calls| *calls == 1).await.unwrap();
    stop.send(()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
