//! The edge under TLS: the same answers, and the same bounds.

use std::time::Duration;

use postback_access::{Tls, testing::Authority};
use postback_edge::{Limits, Settings};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::doubles::Edge;

const CLICK: &str = "GET /c/promo?click_id=abc HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(100);

struct Secured {
    edge: Edge,
    authority: Authority,
    _folder: TempDir,
}

impl Secured {
    async fn limited(limit: impl FnOnce(&mut Limits)) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let mut files = authority.files(folder.path());
        files.clients = None;
        let tls = Some(Tls::open(files, "http/1.1").unwrap());
        let mut settings = Settings { tls, ..Settings::default() };
        limit(&mut settings.limits);
        Self { edge: Edge::with(settings).await, authority, _folder: folder }
    }

    /// Says this on a connection of its own and hears everything until its end.
    async fn ask(&self, said: &str) -> String {
        let mut stream = self.authority.connect(self.edge.address, None, "http/1.1").await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    }
}

#[tokio::test]
async fn a_visitor_under_tls_is_sent_on_with_the_same_cookie() {
    let secured = Secured::limited(|_| ()).await;
    let last = CLICK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let heard = secured.ask(&format!("{CLICK}{last}")).await;
    assert_eq!(heard.matches("HTTP/1.1 302 Found").count(), 2, "{heard}");
    assert!(heard.to_lowercase().contains("set-cookie: __host-") && heard.contains("; Secure"), "{heard}");
}

#[tokio::test]
async fn a_wrong_head_is_refused_under_tls_as_without() {
    let secured = Secured::limited(|_| ()).await;
    let heard = secured.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
}

#[tokio::test]
async fn a_slow_head_under_tls_is_answered_with_408() {
    let secured = Secured::limited(|limits| limits.head_timeout = SHORT).await;
    let heard = secured.ask("GET /c/promo").await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_gives_its_place_away() {
    let secured = Secured::limited(|limits| {
        limits.connections = 1;
        limits.head_timeout = SHORT;
    })
    .await;
    let mut silent = TcpStream::connect(secured.edge.address).await.unwrap();
    let mut visitor = secured.authority.connect(secured.edge.address, None, "http/1.1").await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    visitor.write_all(CLICK.as_bytes()).await.unwrap();
    let mut heard = [0; 12];
    visitor.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 302");
}

#[tokio::test]
async fn plain_http_is_not_answered_where_tls_is_spoken() {
    let secured = Secured::limited(|_| ()).await;
    let mut stream = TcpStream::connect(secured.edge.address).await.unwrap();
    stream.write_all(CLICK.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    assert!(secured.edge.clicks.kept().is_empty());
}
