//! Calls down a whole stack to real sockets, where the other side misbehaves.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use postback_core::{AccountId, DeliveryState, ports::Outbox};
use tokio::{net::TcpListener, sync::Notify};
use tower::ServiceExt;

use super::{
    adapter::HOLD,
    clock::TestClock,
    outbox::TestOutbox,
    rig::{MAIN, account, lead},
    server::{Act, Server, says},
};
use crate::{
    breakers::Breakers,
    guard::Switch,
    network::Network,
    outgoing::{Failure, Mark, Outgoing},
    stack::{Leaf, Stack},
    within::BODY_READ,
};

/// Long enough for all that ends by itself.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

fn stack(timeout: Duration) -> Stack {
    let account = account(MAIN, "", HOLD);
    let switch =
        Switch::new(account.id.clone(), "deliveries", Arc::new(TestClock::new()), Breakers::default());
    Stack::new(&account, switch, timeout, Leaf::new(Network::new(timeout).unwrap()))
}

async fn get(stack: &Stack, url: &str) -> Result<Response<Bytes>, Failure> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    stack.begin(Outgoing::new(request, None)).await?.await
}

async fn get_once(server: &Server, timeout: Duration) -> Result<Response<Bytes>, Failure> {
    get(&stack(timeout), &format!("{}/path?q=1", server.base())).await
}

fn lost(result: Result<Response<Bytes>, Failure>) -> String {
    match result {
        Err(Failure::Lost(reason)) => reason.code,
        other => panic!("not lost but {other:?}"),
    }
}

fn not_sent(result: Result<Response<Bytes>, Failure>) -> String {
    match result {
        Err(Failure::NotSent { reason, .. }) => reason.code,
        other => panic!("sent: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_brought_back_as_it_is() {
    let server = Server::always([Act::Read, says("418 I'm a teapot", "short and stout")]).await;
    let answer = get_once(&server, LONG).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (418, b"short and stout".as_ref()));
    let request = server.seen(|seen| seen.requests[0].clone());
    assert!(request.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
    assert!(request.contains("user-agent: postback/"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn calls_that_may_be_repeated_share_a_connection() {
    let server = Server::always([Act::Read, says("200 OK", "one"), Act::Read, says("200 OK", "two")]).await;
    let stack = stack(LONG);
    for want in ["one", "two"] {
        assert_eq!(get(&stack, &server.base()).await.unwrap().body().as_ref(), want.as_bytes());
    }
    assert_eq!(server.seen(|seen| seen.connections), 1);
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(not_sent(get(&stack(LONG), &format!("http://{address}/")).await), "connect_failed");
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_not_sent() {
    assert_eq!(
        not_sent(get(&stack(LONG), &format!("http://{}.example/", "x".repeat(64))).await),
        "connect_failed"
    );
}

#[tokio::test]
async fn a_url_that_names_no_host_is_not_sent() {
    assert_eq!(not_sent(get(&stack(LONG), "/path").await), "connect_failed");
}

#[tokio::test]
async fn a_request_that_came_back_from_a_dead_connection_counts_as_not_sent() {
    let server = Server::always([Act::Reset]).await;
    let outbox = Arc::new(TestOutbox::new(Arc::new(TestClock::new())));
    let (conversion, delivery) = lead(MAIN, "c");
    outbox.add(conversion, delivery, DeliveryState::Pending);
    let account = AccountId::parse(MAIN).unwrap();
    let fence = outbox.claim(&account, 1, LONG).await.unwrap().claims.remove(0).fence;
    let gone = Arc::new(Notify::new());
    outbox.state().start_waits = Some(gone.clone());
    let request = Request::get(server.base()).body(Bytes::new()).unwrap();
    let outgoing = Outgoing::new(request, Some(Mark::new(outbox, fence)));
    let sent = outgoing.sent.clone();
    let call = tokio::spawn(Network::new(LONG).unwrap().oneshot(outgoing));
    server.until(|seen| seen.reset == 1).await;
    gone.notify_one();
    let result = call.await.unwrap();
    assert!(matches!(result, Err(Failure::NotSent { blip: true, .. })));
    assert!(!sent.get());
}

#[tokio::test]
async fn a_connection_that_never_comes_to_stand_is_not_sent() {
    let server = Server::always([Act::Hang]).await;
    let url = format!("https://{}/", server.address);
    assert_eq!(not_sent(get(&stack(SHORT), &url).await), "connect_timeout");
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_is_lost() {
    for end in [vec![Act::Read], vec![Act::Read, Act::Reset]] {
        let server = Server::always(end).await;
        assert_eq!(lost(get_once(&server, LONG).await), "connection_lost");
        assert_eq!(server.seen(|seen| seen.requests.len()), 1, "it is not sent again by itself");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_its_head_is_lost() {
    let server = Server::always([Act::Read, Act::Write("HTTP/1.1 200 O".to_owned())]).await;
    assert_eq!(lost(get_once(&server, LONG).await), "connection_lost");
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_has_headers_without_end_is_lost() {
    let headers = "a: b\r\n".repeat(500);
    for head in ["SSH-2.0-OpenSSH_9\r\n\r\n".to_owned(), format!("HTTP/1.1 200 OK\r\n{headers}\r\n")] {
        let server = Server::always([Act::Read, Act::Write(head)]).await;
        assert_eq!(lost(get_once(&server, LONG).await), "connection_lost");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_lost_and_leaves_no_connection_behind() {
    let server = Server::always([Act::Read, Act::Hang]).await;
    assert_eq!(lost(get_once(&server, SHORT).await), "no_answer");
    server.until(|seen| seen.left == 1).await;
}

#[tokio::test]
async fn interim_answers_without_end_do_not_outlast_the_time() {
    let server = Server::always([Act::Read, Act::Flood("HTTP/1.1 102 Processing\r\n\r\n")]).await;
    assert_eq!(lost(get_once(&server, SHORT).await), "no_answer");
}

#[tokio::test]
async fn a_body_without_end_is_cut_and_judged() {
    let head = Act::Write("HTTP/1.1 200 OK\r\n\r\n".to_owned());
    let server = Server::always([Act::Read, head, Act::Flood("0123456789abcdef")]).await;
    let answer = get_once(&server, LONG).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, BODY_READ));
    server.until(|seen| seen.left == 1).await;
}

#[tokio::test]
async fn ps_11_a_slow_body_is_cut_at_the_end_of_the_time_and_judged() {
    let head = Act::Write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.".to_owned());
    let server = Server::always([Act::Read, head, Act::Hang]).await;
    let began = std::time::Instant::now();
    let answer = get_once(&server, SHORT).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"ten bytes.".as_ref()));
    assert!(began.elapsed() >= SHORT);
    server.until(|seen| seen.left == 1).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_judged_by_what_came() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.";
    for end in [vec![], vec![Act::Reset]] {
        let mut acts = vec![Act::Read, Act::Write(head.to_owned())];
        acts.extend(end);
        let answer = get_once(&Server::always(acts).await, LONG).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert!(b"ten bytes.".starts_with(answer.body()), "{:?}", answer.body());
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Server::always([Act::Read, says("200 OK", "")]).await;
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n", target.base());
    let server = Server::always([Act::Read, Act::Write(head)]).await;
    assert_eq!(get_once(&server, LONG).await.unwrap().status().as_u16(), 302);
    assert_eq!(target.seen(|seen| seen.connections), 0);
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\u{8b}";
    let server = Server::always([Act::Read, Act::Write(head.to_owned()), Act::Write("x".to_owned())]).await;
    let answer = get_once(&server, LONG).await.unwrap();
    assert_eq!(answer.body().as_ref(), "\x1f\u{8b}x".as_bytes());
}
