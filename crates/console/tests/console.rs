//! The console over a real socket.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use postback_access::{Access, Rules, Scope, Tls, Token, testing::Authority};
use postback_clickstore::{Embedded, RedisClicks, RedisSettings};
use postback_console::Console;
use postback_core::{
    AccountId, Accounts, Call, Error, ErrorKind, Key, Keyring, Result,
    ports::{Caller, ClickStore},
};
use postback_hub::{Hub, Parts, Registry, Settings, SystemClock};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
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
    let month = Duration::from_secs(40 * 86_400);
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

/// Where TLS ends.
#[derive(Clone, Copy, PartialEq)]
enum Https {
    Nowhere,
    InFront,
    Here,
}

struct Running {
    hub: Hub,
    address: SocketAddr,
    /// Who signed the console's certificate.
    authority: Option<Authority>,
    ready: Arc<AtomicBool>,
    shutdown: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
    _dir: TempDir,
}

async fn start_on(clicks: Option<Arc<dyn ClickStore>>, access: Access, https: Https) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let embedded = || Arc::new(Embedded::open(dir.path(), Arc::new(SystemClock)).unwrap());
    let hub = hub(clicks.unwrap_or_else(|| embedded()), &dir).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ready, shutdown) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
    let tls_in_front = https == Https::InFront;
    let console =
        Console { hub: hub.clone(), ready: Arc::clone(&ready), metrics: recorder(), access, tls_in_front };
    let authority = (https == Https::Here).then(Authority::new);
    let tls = authority.as_ref().map(|it| Tls::open(it.files(dir.path()), "http/1.1").unwrap());
    let served = tokio::spawn(postback_console::serve(listener, console, tls, shutdown.clone()));
    Running { hub, address, authority, ready, shutdown, served, _dir: dir }
}

/// The store of clicks is away.
async fn start_without_clicks() -> Running {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = RedisSettings { urls: vec![format!("redis://{nobody}")], ..RedisSettings::default() };
    let clicks = RedisClicks::connect(&settings, Arc::new(SystemClock)).unwrap();
    start_on(Some(Arc::new(clicks)), Access::open(), Https::Nowhere).await
}

async fn start() -> Running {
    start_on(None, Access::open(), Https::Nowhere).await
}

impl Running {
    /// Status line, headers in lower case, body.
    async fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        self.say(method, path, "", "").await
    }

    /// Asks with more headers, each on its line, and a body.
    async fn say(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        self.to("localhost", method, path, headers, body).await
    }

    /// Asks under the name of a host.
    async fn to(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}\r\n{body}",
            body.len()
        );
        let answer = match &self.authority {
            None => exchange(TcpStream::connect(self.address).await.unwrap(), &request).await,
            Some(it) => exchange(it.connect(self.address, None, "http/1.1").await.unwrap(), &request).await,
        };
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let (line, headers) = head.split_once("\r\n").unwrap();
        (line.split(' ').nth(1).unwrap().parse().unwrap(), headers.to_owned(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.ask("GET", path).await;
        (status, body)
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_process_that_answers_lives_and_is_ready_while_its_stores_answer() {
    let console = start().await;
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    assert_eq!(console.get("/readyz").await, (200, "ready\n".into()));
}

#[tokio::test]
async fn without_a_store_a_process_lives_and_is_not_ready() {
    let console = start_without_clicks().await;
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    assert_eq!(console.get("/readyz").await, (503, "not ready: redis cannot be reached\n".into()));
}

#[tokio::test]
async fn the_first_page_says_that_a_store_is_away() {
    let running = start_without_clicks().await;
    let (hub, mut sights) = (running.hub.clone(), running.hub.sights());
    let looks = tokio::spawn({
        let stop = running.shutdown.clone();
        async move { hub.run(stop).await }
    });
    let seen = timeout(Duration::from_secs(30), sights.wait_for(Option::is_some)).await;
    assert_eq!(seen.unwrap().unwrap().as_ref().unwrap().away, ["clicks"]);
    let (status, page) = running.get("/").await;
    assert!(status == 200 && page.contains("the store of clicks does not answer"), "{page}");
    running.shutdown.cancel();
    timeout(Duration::from_secs(30), looks).await.unwrap().unwrap();
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
async fn where_nobody_is_asked_a_foreign_name_is_told_no_metrics() {
    let console = start().await;
    for (host, metrics) in [("localhost", 200), ("127.0.0.1:9090", 200), ("evil.example", 421)] {
        let statuses = ["/metrics", "/livez", "/readyz"].map(|path| console.to(host, "GET", path, "", ""));
        let [told, lives, ready] = statuses;
        assert_eq!((told.await.0, lives.await.0, ready.await.0), (metrics, 200, 200), "{host}");
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
    for path in ["/livez/", "/LIVEZ", "/metrics/x", "/admin"] {
        let (status, page) = console.get(path).await;
        assert!(status == 404 && page.contains("there is no such page"), "{path}: {status} {page}");
    }
    let (status, headers, body) = console.ask("POST", "/readyz").await;
    assert!(status == 405 && body.contains("this page is not asked so"), "{status} {body}");
    assert!(headers.contains("allow: GET,HEAD"), "{headers}");
    assert_eq!(console.ask("HEAD", "/livez").await.2, "");
}

#[tokio::test]
async fn every_answer_forbids_caches_frames_and_sniffing() {
    let console = start().await;
    for (method, path) in [("GET", "/livez"), ("GET", "/metrics"), ("GET", "/none"), ("PUT", "/readyz")] {
        let (_, headers, _) = console.ask(method, path).await;
        for header in [
            "cache-control: no-store",
            "content-security-policy: default-src 'none'; ",
            "referrer-policy: same-origin",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
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

#[tokio::test]
async fn a_request_that_waits_in_the_backlog_as_the_console_ends_is_answered() {
    let console = start().await;
    // Nothing else runs on this thread meanwhile: none of these is taken in before the shutdown.
    let mut waiting = [(); 5].map(|()| std::net::TcpStream::connect(console.address).unwrap());
    for stream in &mut waiting {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: console\r\n\r\n").unwrap();
    }
    console.shutdown.cancel();
    console.served.await.unwrap().unwrap();
    for stream in &mut waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// A console that asks, and the tokens of those whom it lets in.
struct Asking {
    running: Running,
    access: Access,
    reader: Token,
    operator: Token,
    reporter: Token,
}

async fn asking() -> Asking {
    asking_by(Https::Nowhere).await
}

async fn asking_by(https: Https) -> Asking {
    let [reader, operator, reporter] = [(); 3].map(|()| Token::generate().unwrap());
    let mut rules = Rules::default();
    rules.token("ann", &[Scope::Read], &[reader.hash()]).unwrap();
    rules.token("bob", &[Scope::Operate], &[operator.hash()]).unwrap();
    rules.token("billing", &[Scope::Report], &[reporter.hash()]).unwrap();
    let access = Access::new(rules);
    Asking { running: start_on(None, access.clone(), https).await, access, reader, operator, reporter }
}

const OWN: &str = "Sec-Fetch-Site: same-origin\r\n";

/// The word that a page's form carries.
fn word(page: &str) -> &str {
    page.split_once("name=\"form\" value=\"").unwrap().1.split_once('"').unwrap().0
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(headers: &str) -> String {
    let set = headers.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    format!("Cookie: {}\r\n", set.split(';').next().unwrap())
}

impl Asking {
    async fn show_token(&self, token: &str) -> (u16, String, String) {
        let (_, _, page) = self.running.ask("GET", "/sign-in").await;
        let body = format!("form={}&to=%2Ftrail&token={token}", word(&page));
        self.running.say("POST", "/sign-in", OWN, &body).await
    }

    async fn sign_in(&self, token: &Token) -> String {
        let (status, headers, _) = self.show_token(token.reveal()).await;
        assert_eq!(status, 303);
        assert!(headers.contains("location: /trail"), "{headers}");
        cookie(&headers)
    }
}

#[tokio::test]
async fn where_callers_are_asked_nobody_sees_a_page_without_signing_in() {
    let console = asking().await;
    let forged = "Cookie: postback=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n";
    for headers in ["", forged, "Cookie: postback=\r\n"] {
        for path in ["/", "/trail", "/deliveries?state=dead", "/conversions/x"] {
            let (status, headers, body) = console.running.say("GET", path, headers, "").await;
            assert_eq!((status, body.as_str()), (303, ""), "{path}");
            assert!(headers.contains("location: /sign-in?to=%2F"), "{headers}");
        }
    }
    let (status, ..) = console.running.say("POST", "/accounts/a/pause", OWN, "form=").await;
    assert_eq!(status, 303);
    assert_eq!(console.running.get("/livez").await.0, 200);
    assert_eq!(console.running.get("/readyz").await.0, 200);
    assert_eq!(console.running.get("/console.css").await.0, 200);
}

#[tokio::test]
async fn a_session_begins_with_a_token_that_may_look_and_ends_at_the_sign_out() {
    let console = asking().await;
    let (status, headers, _) = console.show_token(console.reader.reveal()).await;
    assert_eq!(status, 303);
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(headers.contains(part), "{part} is not in {headers}");
    }
    let session = cookie(&headers);
    let (status, _, page) = console.running.say("GET", "/trail", &session, "").await;
    assert!(status == 200 && page.contains("ann (reads only)"), "{page}");
    let body = format!("form={}", word(&page));
    let (status, headers, _) =
        console.running.say("POST", "/sign-out", &format!("{OWN}{session}"), &body).await;
    assert!(status == 303 && headers.contains("Max-Age=0"), "{headers}");
    assert_eq!(console.running.say("GET", "/trail", &session, "").await.0, 303, "the session is over");
}

#[tokio::test]
async fn a_token_that_is_withdrawn_ends_its_sessions() {
    let console = asking().await;
    let session = console.sign_in(&console.operator).await;
    assert_eq!(console.running.say("GET", "/", &session, "").await.0, 200);
    let mut rules = Rules::default();
    rules.token("ann", &[Scope::Read], &[console.reader.hash()]).unwrap();
    console.access.replace(rules).unwrap();
    assert_eq!(console.running.say("GET", "/", &session, "").await.0, 303);
}

#[tokio::test]
async fn wrong_tokens_are_refused_however_many_come_and_keep_no_right_one_out() {
    let console = asking().await;
    let (status, _, page) = console.show_token(console.reporter.reveal()).await;
    assert!(status == 403 && page.contains("This token may neither read nor operate."), "{page}");
    for _ in 0..9 {
        let (status, _, page) = console.show_token("pbt_wrong").await;
        assert!(status == 403 && page.contains("This token is not known."), "{page}");
        assert!(!page.contains("pbt_wrong"), "a token is never shown");
    }
    let (status, _, page) = console.show_token("pbt_wrong").await;
    assert!(status == 429 && page.contains("too many wrong tokens came from your address"), "{page}");
    console.sign_in(&console.reader).await;
}

#[tokio::test]
async fn a_sign_in_form_of_another_site_is_refused() {
    let console = asking().await;
    let (_, _, page) = console.running.ask("GET", "/sign-in").await;
    let right = format!("form={}&token={}", word(&page), console.operator.reveal());
    let bare = format!("token={}", console.operator.reveal());
    for (headers, body) in [
        ("Sec-Fetch-Site: cross-site\r\n", right.as_str()),
        ("Origin: https://evil.example\r\n", &right),
        ("", &right),
        (OWN, &bare),
    ] {
        assert_eq!(console.running.say("POST", "/sign-in", headers, body).await.0, 403, "{headers}");
    }
}

#[tokio::test]
async fn one_who_may_only_read_sees_no_button_and_cannot_act() {
    let console = asking().await;
    let reader = console.sign_in(&console.reader).await;
    let (_, _, page) = console.running.say("GET", "/replay", &reader, "").await;
    assert!(page.contains("Replay in bulk") && !page.contains("<button class=\"act\""), "{page}");
    let body = format!("form={}", word(&page));
    for path in ["/replay", "/resolve/resend", "/accounts/a/pause"] {
        let (status, _, said) = console.running.say("POST", path, &format!("{OWN}{reader}"), &body).await;
        assert!(status == 403 && said.contains("your token may read, and not act"), "{path}: {said}");
    }
    let operator = console.sign_in(&console.operator).await;
    let foreign = console.running.say("POST", "/replay", &format!("{OWN}{operator}"), &body).await;
    assert_eq!(foreign.0, 403, "another session's word is not this one's");
    let (_, _, page) = console.running.say("GET", "/trail", &operator, "").await;
    let body = format!("form={}&preview_time=2026-03-04T05:06:07.008Z", word(&page));
    let own = console.running.say("POST", "/replay", &format!("{OWN}{operator}"), &body).await;
    assert_eq!(own.0, 303, "{}", own.2);
}

#[tokio::test]
async fn nothing_is_decided_in_bulk_that_no_page_asked_about() {
    let console = asking().await;
    let operator = console.sign_in(&console.operator).await;
    let (_, _, page) = console.running.say("GET", "/trail", &operator, "").await;
    for (time, why) in [("", "preview_time: is missing"), ("now", "preview_time: is not a time in UTC")] {
        let body = format!("form={}&account=&preview_time={time}", word(&page));
        let answer = console.running.say("POST", "/replay", &format!("{OWN}{operator}"), &body).await;
        assert!(answer.0 == 400 && answer.2.contains(why), "{}", answer.2);
    }
}

#[tokio::test]
async fn the_metrics_are_shown_to_a_token_that_may_read() {
    let console = asking().await;
    let bearer = |token: &Token| format!("Authorization: Bearer {}\r\n", token.reveal());
    for refused in [String::new(), bearer(&console.reporter), "Authorization: Bearer x\r\n".to_owned()] {
        let (status, headers, body) = console.running.say("GET", "/metrics", &refused, "").await;
        assert!(status == 401 && headers.contains("www-authenticate: Bearer"), "{headers}");
        assert_eq!(body, "want a token that may read, as `Authorization: Bearer ...`\n");
    }
    let (status, _, body) = console.running.say("GET", "/metrics", &bearer(&console.reader), "").await;
    assert!(status == 200 && body.contains("postback_build_info"));
}

#[tokio::test]
async fn a_form_beyond_its_bound_is_refused() {
    let console = asking().await;
    let operator = console.sign_in(&console.operator).await;
    let long = format!("form={}", "x".repeat(70 * 1024));
    let (status, _, said) = console.running.say("POST", "/replay", &format!("{OWN}{operator}"), &long).await;
    assert!(status == 413 && said.contains("is longer than 65536 bytes"), "{status} {said}");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_come_gives_its_place_away() {
    let console = asking().await;
    let mut slow = TcpStream::connect(console.running.address).await.unwrap();
    let head = "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n";
    slow.write_all(format!("{head}{OWN}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    let ended = timeout(Duration::from_secs(60), slow.read_to_string(&mut answer)).await;
    assert!(ended.is_ok() && answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn under_https_the_cookie_is_secure_and_bound_to_this_very_host() {
    for https in [Https::InFront, Https::Here] {
        let console = asking_by(https).await;
        let (status, headers, _) = console.show_token(console.reader.reveal()).await;
        assert_eq!(status, 303);
        let secure = headers.contains("set-cookie: __Host-postback=") && headers.contains("; Secure");
        assert!(secure, "{headers}");
        let session = cookie(&headers);
        assert_eq!(console.running.say("GET", "/trail", &session, "").await.0, 200);
        let plain = session.replace("__Host-", "");
        assert_eq!(console.running.say("GET", "/trail", &plain, "").await.0, 303);
    }
}

#[tokio::test]
async fn what_is_not_tls_is_not_answered_where_the_console_speaks_tls() {
    let console = start_on(None, Access::open(), Https::Here).await;
    assert_eq!(console.get("/livez").await, (200, "ok\n".into()));
    let mut plain = TcpStream::connect(console.address).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: console\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
}
