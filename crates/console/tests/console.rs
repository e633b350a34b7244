//! The console over a real socket.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use postback_clickstore::{Embedded, RedisClicks, RedisSettings};
use postback_console::Console;
use postback_core::{
    AccountId, Accounts, Call, Error, ErrorKind, Key, Keyring, Result,
    ports::{Caller, ClickStore},
};
use postback_hub::{Hub, Parts, Registry, Settings, SystemClock};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

struct NoNetwork;

#[async_trait]
impl Caller for NoNetwork {
    async fn call(&self, _: &AccountId, _: Call) -> Result<Response<Bytes>> {
        Err(Error::unavailable("there is no network in this test"))
    }
}

async fn hub(clicks: Arc<dyn ClickStore>, dir: &TempDir) -> Hub {
    let month = std::time::Duration::from_secs(40 * 86_400);
    let outbox = postback_outbox::Embedded::open(dir.path(), Arc::new(SystemClock), month).await;
    let logbook = postback_logbook::Embedded::open(dir.path(), Arc::new(SystemClock));
    Hub::new(Parts {
        clicks,
        outbox: Arc::new(outbox.unwrap()),
        logbook: Arc::new(logbook.unwrap()),
        tally: Arc::default(),
        caller: Arc::new(NoNetwork),
        clock: Arc::new(SystemClock),
        keyring: Keyring::new(Key::new(1, [1; 32]), []).unwrap(),
        registry: Registry::new(Accounts::default(), Vec::new()).unwrap(),
        accounts: watch::Sender::new(Accounts::default()),
        wake: Arc::new(Notify::new()),
        public_url: None,
        settings: Settings::default(),
    })
}

/// The one recorder of this process.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| postback_console::metrics().unwrap()).clone()
}

struct Running {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
    shutdown: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
    _dir: TempDir,
}

async fn start_on(clicks: Option<Arc<dyn ClickStore>>) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let embedded = || Arc::new(Embedded::open(dir.path(), Arc::new(SystemClock)).unwrap());
    let hub = hub(clicks.unwrap_or_else(|| embedded()), &dir).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ready, shutdown) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
    let console = Console { hub, ready: Arc::clone(&ready), metrics: recorder() };
    let served = tokio::spawn(postback_console::serve(listener, console, None, shutdown.clone()));
    Running { address, ready, shutdown, served, _dir: dir }
}

async fn start() -> Running {
    start_on(None).await
}

impl Running {
    /// Status line, headers in lower case, body.
    async fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: console\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let (line, headers) = head.split_once("\r\n").unwrap();
        (line.split(' ').nth(1).unwrap().parse().unwrap(), headers.to_lowercase(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.ask("GET", path).await;
        (status, body)
    }
}

#[tokio::test]
async fn a_process_that_answers_lives_and_is_ready_while_its_stores_answer() {
    let console = start().await;
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    assert_eq!(console.get("/readyz").await, (200, "ready\n".into()));
}

#[tokio::test]
async fn without_a_store_a_process_lives_and_is_not_ready() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = RedisSettings { urls: vec![format!("redis://{nobody}")], ..RedisSettings::default() };
    let clicks = RedisClicks::connect(&settings, Arc::new(SystemClock)).unwrap();
    let console = start_on(Some(Arc::new(clicks))).await;
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    assert_eq!(console.get("/readyz").await, (503, "not ready: redis cannot be reached\n".into()));
}

#[tokio::test]
async fn a_draining_process_lives_and_is_not_ready() {
    let console = start().await;
    console.ready.store(false, Ordering::Release);
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    assert_eq!(console.get("/readyz").await, (503, "not ready: the process is draining\n".into()));
}

#[tokio::test]
async fn metrics_are_in_the_text_format_with_durations_in_buckets() {
    let console = start().await;
    metrics::counter!("postback_test_things_total", "kind" => "odd").increment(3);
    metrics::histogram!("postback_test_seconds").record(0.02);
    let (status, headers, body) = console.ask("GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{headers}");
    for line in [
        "# TYPE postback_test_things_total counter",
        "postback_test_things_total{kind=\"odd\"} 3",
        "postback_test_seconds_bucket{le=\"0.01\"} 0",
        "postback_test_seconds_bucket{le=\"0.025\"} 1",
        "postback_test_seconds_bucket{le=\"+Inf\"} 1",
        "postback_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(body.lines().any(|shown| shown == line), "{line} is not in\n{body}");
    }
}

#[tokio::test]
async fn metrics_are_recorded_once_in_a_process() {
    recorder();
    let again = postback_console::metrics().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::FailedPrecondition);
    assert_eq!(again.to_string(), "the process records its metrics already");
}

#[tokio::test]
async fn what_the_console_does_not_have_is_refused_in_plain_words() {
    let console = start().await;
    for path in ["/", "/livez/", "/LIVEZ", "/metrics/x", "/admin"] {
        let refused = (404, "not found; try /livez, /readyz or /metrics\n".to_owned());
        assert_eq!(console.get(path).await, refused, "{path}");
    }
    let (status, headers, body) = console.ask("POST", "/readyz").await;
    assert_eq!((status, body.as_str()), (405, "method not allowed; want GET or HEAD\n"));
    assert!(headers.contains("allow: get,head"), "{headers}");
    assert_eq!(console.ask("HEAD", "/livez").await.2, "");
}

#[tokio::test]
async fn every_answer_forbids_caches_frames_and_sniffing() {
    let console = start().await;
    for (method, path) in [("GET", "/livez"), ("GET", "/metrics"), ("GET", "/none"), ("PUT", "/readyz")] {
        let (_, headers, _) = console.ask(method, path).await;
        for header in [
            "cache-control: no-store",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
        ] {
            assert!(headers.contains(header), "{method} {path}: {headers}");
        }
    }
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_and_refuses_new_ones() {
    let console = start().await;
    let mut idle = TcpStream::connect(console.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: console\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    console.shutdown.cancel();
    console.served.await.unwrap().unwrap();
    idle.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(TcpStream::connect(console.address).await.is_err());
}
