//! What is refused, byte by byte, and what looks like it should be and is not.

use proptest::prelude::*;

use crate::doubles::{Edge, SHARED};

const PLAIN: &str = "GET /c/promo?click_id=plain HTTP/1.1\r\nHost: go.example\r\n\r\n";

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoesOn,
    Ends,
}
use Then::{Ends, GoesOn};

/// Requests that must not be answered with a redirect: raw bytes, status, body.
fn refused() -> Vec<(Vec<u8>, u16, &'static str, Then)> {
    let get =
        |lines: &str| format!("GET /c/promo?click_id=a HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n").into_bytes();
    let hosts = |hosts: &str| format!("GET /c/promo HTTP/1.1\r\n{hosts}\r\n").into_bytes();
    let post = |lines: &str| format!("POST /c/promo HTTP/1.1\r\nHost: a\r\n{lines}\r\n{PLAIN}").into_bytes();
    let raw = |bytes: &[u8]| bytes.to_vec();

    let malformed = "malformed request\n";
    let line_feed = "a line does not end with CR LF\n";
    let encoding = "malformed Transfer-Encoding\n";
    let length = "malformed Content-Length\n";
    let lengths = "both Content-Length and Transfer-Encoding\n";
    let body = "no body is taken here\n";
    let host = "malformed Host header\n";
    let many_hosts = "more than one Host header\n";
    let method = "method not allowed\n";
    let large = "the request's headers are too large\n";
    let long = "the URI is too long\n";
    let many = "too many parameters\n";
    let no_page = "not found\n";
    let no_campaign = "no such campaign\n";

    vec![
        // the request line
        (line("GET /c/promo"), 400, malformed, Ends),
        (line("GET /c/promo HTTP/2.0"), 400, malformed, Ends),
        (line("GET /c/promo HTTP/1.2"), 400, malformed, Ends),
        (line("GET /c/promo http/1.1"), 400, malformed, Ends),
        (line("GET  /c/promo HTTP/1.1"), 400, malformed, Ends),
        (line("GET /c/promo  HTTP/1.1"), 400, malformed, Ends),
        (line("GET /c/promo HTTP/1.1 "), 400, malformed, Ends),
        (line(" GET /c/promo HTTP/1.1"), 400, malformed, Ends),
        (line("GET\t/c/promo\tHTTP/1.1"), 400, malformed, Ends),
        (line("G@T /c/promo HTTP/1.1"), 400, malformed, Ends),
        (raw(b"GET /c/promo?click_id=a\x00b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, malformed, Ends),
        (raw(b"GET /c/promo?click_id=a\xff HTTP/1.1\r\nHost: a\r\n\r\n"), 400, malformed, Ends),
        (raw(b"GET /c/promo?click_id=a\rb HTTP/1.1\r\nHost: a\r\n\r\n"), 400, malformed, Ends),
        (target("/c/promo?click_id=a\"b"), 400, malformed, Ends),
        (target("/c/promo?click_id=<b>"), 400, malformed, Ends),
        (target("/c/promo click_id"), 400, malformed, Ends),
        (raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400, malformed, Ends),
        (raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello"), 400, malformed, Ends),
        (raw(b"\r\n\r\nGET /c/promo HTTP/1.1\r\nHost: a\r\n\r\n"), 400, malformed, Ends),
        // lines
        (raw(b"GET /c/promo HTTP/1.1\nHost: a\n\n"), 400, line_feed, Ends),
        (raw(b"GET /c/promo HTTP/1.1\r\nHost: a\n\r\n"), 400, line_feed, Ends),
        (raw(b"GET /c/promo HTTP/1.1\r\nHost: a\r\nx: y\n\n"), 400, line_feed, Ends),
        (raw(b"\nGET /c/promo HTTP/1.1\r\nHost: a\r\n\r\n"), 400, line_feed, Ends),
        (get("x: a\rb\r\n"), 400, malformed, Ends),
        (get("x: a\0b\r\n"), 400, malformed, Ends),
        (get("x: a\r\n folded\r\n"), 400, malformed, Ends),
        (get(" x: a\r\n"), 400, malformed, Ends),
        (get("x : a\r\n"), 400, malformed, Ends),
        (get("x\r\n"), 400, malformed, Ends),
        (get(": a\r\n"), 400, malformed, Ends),
        (get("Content-Length : 5\r\n"), 400, malformed, Ends),
        // Host
        (hosts(""), 400, "no Host header\n", Ends),
        (hosts("X-Host: a\r\n"), 400, "no Host header\n", Ends),
        (hosts("Host: a\r\nHost: a\r\n"), 400, many_hosts, Ends),
        (hosts("Host: a\r\nhOST: b\r\n"), 400, many_hosts, Ends),
        (hosts("Host:\r\n"), 400, host, Ends),
        (hosts("Host: a, b\r\n"), 400, host, Ends),
        (hosts("Host: a/b\r\n"), 400, host, Ends),
        (hosts("Host: u@a\r\n"), 400, host, Ends),
        (raw(b"GET /c/promo HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400, many_hosts, Ends),
        // where the request ends
        (get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, lengths, Ends),
        (get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, lengths, Ends),
        (get("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400, lengths, Ends),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, lengths, Ends),
        (get("Transfer-Encoding: xchunked\r\n"), 400, encoding, Ends),
        (get("Transfer-Encoding: chunked, identity\r\n"), 400, encoding, Ends),
        (get("Transfer-Encoding: gzip, chunked\r\n"), 400, encoding, Ends),
        (get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, encoding, Ends),
        (get("Transfer-Encoding:\r\n"), 400, encoding, Ends),
        (raw(b"GET /c/promo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, encoding, Ends),
        (get("Content-Length: +5\r\n"), 400, length, Ends),
        (get("Content-Length: -1\r\n"), 400, length, Ends),
        (get("Content-Length: 0x5\r\n"), 400, length, Ends),
        (get("Content-Length: 5 5\r\n"), 400, length, Ends),
        (get("Content-Length: 0, 0\r\n"), 400, length, Ends),
        (get("Content-Length: 0\r\nContent-Length: 0\r\n"), 400, length, Ends),
        (get("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, length, Ends),
        (get("Content-Length: 99999999999999999999\r\n"), 400, length, Ends),
        (get("Content-Length:\r\n"), 400, length, Ends),
        (get(&format!("Content-Length: {}\r\n\r\n{PLAIN}", PLAIN.len())), 400, body, Ends),
        (get(&format!("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PLAIN}")), 400, body, Ends),
        (get("Content-Length: 5\r\nExpect: 100-continue\r\n"), 400, body, Ends),
        // limits
        (target(&format!("/c/promo?a={}", "a".repeat(8 * 1024))), 414, long, Ends),
        (target(&format!("/{}", "a".repeat(60_000))), 414, long, Ends),
        (target(&format!("/{}", "a".repeat(600_000))), 414, long, Ends),
        (get(&format!("x: {}\r\n", "a".repeat(16 * 1024))), 431, large, Ends),
        (get(&format!("x: {}\r\n", "a".repeat(600_000))), 431, large, Ends),
        (get(&"x: a\r\n".repeat(100)), 431, large, Ends),
        (target(&format!("/c/promo?{}", "a=1&".repeat(64))), 400, many, GoesOn),
        (target(&format!("/c/promo?{}", "&".repeat(8_000))), 400, many, GoesOn),
        // what is there and what is not
        (target("/"), 404, no_page, GoesOn),
        (target("/c"), 404, no_page, GoesOn),
        (target("/c/"), 404, no_page, GoesOn),
        (target("/c/promo/"), 404, no_page, GoesOn),
        (target("/c/promo/x"), 404, no_page, GoesOn),
        (target("//c/promo"), 404, no_page, GoesOn),
        (target("/C/promo"), 404, no_page, GoesOn),
        (target("/c/../c/promo"), 404, no_page, GoesOn),
        (target("*"), 404, no_page, GoesOn),
        (target("go.example:443"), 404, no_page, GoesOn),
        (target("/metrics"), 404, no_page, GoesOn),
        (target("/c/other"), 404, no_campaign, GoesOn),
        (target("/c/Promo"), 404, no_campaign, GoesOn),
        (target("/c/%70romo"), 404, no_campaign, GoesOn),
        (target("/c/promo%00"), 404, no_campaign, GoesOn),
        (target("/c/promo;x"), 404, no_campaign, GoesOn),
        // methods
        (line("POST /c/promo HTTP/1.1"), 405, method, GoesOn),
        (line("PUT /c/promo HTTP/1.1"), 405, method, GoesOn),
        (line("DELETE /c/other HTTP/1.1"), 405, method, GoesOn),
        (line("OPTIONS /c/promo HTTP/1.1"), 405, method, GoesOn),
        (line("TRACE /c/promo HTTP/1.1"), 405, method, GoesOn),
        (line("get /c/promo HTTP/1.1"), 405, method, GoesOn),
        (line("POST / HTTP/1.1"), 404, no_page, GoesOn),
        (line("OPTIONS * HTTP/1.1"), 404, no_page, GoesOn),
        (line("CONNECT go.example:443 HTTP/1.1"), 404, no_page, GoesOn),
        (post("Content-Length: 5\r\n"), 405, method, Ends),
        (post("Transfer-Encoding: chunked\r\n"), 405, method, Ends),
        (post("Content-Length: 999999999999\r\nExpect: 100-continue\r\n"), 405, method, Ends),
    ]
}

fn shown(request: &[u8]) -> String {
    String::from_utf8_lossy(&request[..request.len().min(120)]).into_owned()
}

#[tokio::test]
async fn what_is_refused_gets_a_status_and_a_short_text_and_nothing_else() {
    let edge = Edge::start().await;
    for (request, status, body, then) in refused() {
        let shown = shown(&request);
        let mut visitor = edge.visitor().await;
        visitor.say_what_is_taken(&request).await;
        let answer = visitor.hear().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{shown}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{shown}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown}");
        assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD"), "{shown}");
        assert_eq!(answer.header("location"), None, "{shown}");
        assert_eq!(answer.header("set-cookie"), None, "{shown}");
        match then {
            Ends => {
                assert_eq!(answer.header("connection"), Some("close"), "{shown}");
                visitor.hear_the_end().await;
            }
            GoesOn => {
                visitor.say(PLAIN).await;
                assert_eq!(visitor.hear().await.status, 302, "after {shown}");
            }
        }
    }
    let ids: Vec<_> = edge.clicks.kept().into_iter().map(|click| click.click.id.to_string()).collect();
    assert_eq!(ids, ["plain"], "a refused request left a click");
}

#[tokio::test]
async fn what_is_odd_and_sound_is_redirected_and_the_connection_goes_on() {
    let edge = Edge::start().await;
    let path = "/c/promo?click_id=odd";
    for request in [
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("\r\nGET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost:a:8080\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nx: \t caf\u{e9} \t\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nx:\r\n\r\n"),
        format!("GET {path}#fragment HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET http://other.example{path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: a\r\n".repeat(99)),
        format!("GET {path}{} HTTP/1.1\r\nHost: a\r\n\r\n", "&a=1".repeat(63)),
        format!("GET {path}&a={} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(8 * 1024 - path.len() - 3)),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "a".repeat(15 * 1024)),
        format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    ] {
        let mut visitor = edge.visitor().await;
        visitor.say(&request).await;
        assert_eq!(visitor.hear().await.status, 302, "{}", shown(request.as_bytes()));
        visitor.say(PLAIN).await;
        assert_eq!(visitor.hear().await.status, 302, "after {}", shown(request.as_bytes()));
    }
}

#[tokio::test]
async fn a_refused_head_request_is_answered_without_a_body() {
    let edge = Edge::start().await;
    for (request, status) in [
        ("HEAD /c/other HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("HEAD /c/promo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("HEAD /c/promo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400),
    ] {
        let mut visitor = edge.visitor().await;
        visitor.say(request).await;
        visitor.finish().await;
        assert_eq!(visitor.hear_without_body().await.status, status, "{request}");
        visitor.hear_the_end().await;
    }
}

#[tokio::test]
async fn a_request_hidden_in_a_body_is_never_answered() {
    let edge = Edge::start().await;
    let hidden = "GET /c/promo?click_id=hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for request in [
        format!("GET /c/promo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!(
            "GET /c/promo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("POST /c/promo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc{hidden}"),
        format!("POST /c/promo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\n{hidden}"),
        format!("GET /c/promo HTTP/1.1\r\nHost: a\r\nContent-Length\u{a0}: 5\r\n\r\n{hidden}"),
    ] {
        let mut visitor = edge.visitor().await;
        visitor.say(&request).await;
        assert_ne!(visitor.hear().await.status, 302, "{request}");
        visitor.hear_the_end().await;
    }
    assert_eq!(edge.clicks.kept(), []);
}

#[tokio::test]
async fn a_refusal_waits_its_turn_behind_the_answers_before_it() {
    let edge = Edge::start().await;
    let mut visitor = edge.visitor().await;
    visitor
        .say(format!("{PLAIN}GET / HTTP/1.1\r\nHost: a\r\n\r\n{PLAIN}GET / HTTP/1.1\r\n\r\n{PLAIN}"))
        .await;
    for status in [302, 404, 302, 400] {
        assert_eq!(visitor.hear().await.status, status);
    }
    visitor.hear_the_end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_refused_is_refused_in_words(
        lines in "(Content-Length: [0-9]{0,2}\r\n|Transfer-Encoding: chunked\r\n|x: \t?y\r\n)?",
        at in 0_usize..90,
        cut in 0_usize..4,
        with in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' ')], 0..4),
    ) {
        let mut request = format!("GET /c/promo?click_id=a HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
        let at = at.min(request.len());
        request.splice(at..(at + cut).min(request.len()), with);
        let (runtime, edge) = &*SHARED;
        let heard = runtime.block_on(async {
            let mut visitor = edge.visitor().await;
            visitor.say(&request).await;
            visitor.finish().await;
            visitor.hear_if_any().await
        });
        if let Some(answer) = heard.filter(|answer| answer.status != 302) {
            prop_assert!(matches!(answer.status, 400 | 404 | 405), "{:?}", answer);
            prop_assert!(answer.body.ends_with('\n'), "{:?} for {}", answer, shown(&request));
            prop_assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}
