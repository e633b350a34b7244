//! The page at `/`: what the sandbox is, and lines to try.

use std::fmt::Write;

use axum::response::Html;
use http::{HeaderMap, header};

/// What to try: a title, and a command in which `HOST` stands for the sandbox's address.
const LINES: &[(&str, &str)] = &[
    ("Powerspace: a lead", "curl 'http://HOST/ld?qci=abc123xyz789'"),
    ("Powerspace: an order", "curl 'http://HOST/ord?qci=abc123xyz789&ov=89.99'"),
    ("Powerspace: a test click", "curl 'http://HOST/ord?qci=test_click_id_123&ov=99.99'"),
    (
        "Traffic Stars: one lead",
        "curl 'http://HOST/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99'",
    ),
    (
        "Traffic Stars: several leads on one click; the header says that TLS ended in front",
        "curl -H 'x-forwarded-proto: https' 'http://HOST/api/v1/cpa/action/\
         c86b8a88b91228911e723b93c65a5900bb49bc99?value=2.1&lead_code=abcd1234567890\
         &key=123456789012345678901234567890abcdef'",
    ),
    (
        "AlterCPA: a lead",
        "curl 'http://HOST/api/site/click.json?token=12-abc&click=1234&exto=lead-1&goal=registration'",
    ),
    (
        "AlterCPA: the same lead, approved",
        "curl -d token=12-abc -d click=1234 -d exto=lead-1 -d status=lead_ok -d sta=lead_ok \
         http://HOST/api/site/status.json",
    ),
    ("AlterCPA: a lead of a flow", "curl 'http://HOST/api/site/click.json?token=12-abc&code=5FAC-D4E8'"),
    ("AlterCPA: a click by address", "curl 'http://HOST/api/site/fetch.json?token=123-abcd&ip=203.0.113.7'"),
    ("AlterCPA: a flow", "curl 'http://HOST/api/site/flow.json?token=123-abcd&code=5FAC-D4E8'"),
    ("AlterCPA: an offer", "curl 'http://HOST/api/site/offer.json?token=123-abcd&id=7'"),
    ("AlterCPA: a lead with its whole life", "curl 'http://HOST/sandbox/leads/1234'"),
    ("More clicks", "curl -d '{\"network\":\"powerspace\",\"count\":3}' http://HOST/sandbox/clicks"),
    ("What was received", "curl 'http://HOST/sandbox/journal?network=powerspace&since=0'"),
    ("The counters", "curl 'http://HOST/sandbox/stats'"),
    (
        "A fault: the next three calls fail",
        "curl -d '{\"network\":\"powerspace\",\"kind\":\"status\",\"code\":503,\"times\":3}' \
         http://HOST/sandbox/faults",
    ),
    ("No more faults", "curl -X DELETE 'http://HOST/sandbox/faults'"),
    ("31 days later", "curl -d '{\"shift_seconds\":2678400}' http://HOST/sandbox/clock"),
];

/// `GET /`
pub(crate) async fn index(headers: HeaderMap) -> Html<String> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Html(page(host.filter(|host| is_plain(host)).unwrap_or("127.0.0.1:9100")))
}

fn page(host: &str) -> String {
    let mut lines = String::new();
    for (title, line) in LINES {
        let (title, line) = (escaped(title), escaped(&line.replace("HOST", host)));
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "<dt>{title}</dt>\n<dd><pre>{line}</pre></dd>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>postback sandbox</title>\n\
         <h1>postback sandbox</h1>\n\
         <p>Powerspace, Traffic Stars and AlterCPA, simulated after their documents. Nothing leaves this \
         machine: clicks, keys and leads are invented.</p>\n<dl>\n{lines}</dl>\n</html>\n"
    )
}

/// Only what a host and a port are made of may stand in a line that is pasted into a shell.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_host_is_printed() {
        for host in ["127.0.0.1:9100", "localhost", "[::1]:9100", "a-b.example"] {
            assert!(is_plain(host), "{host}");
        }
        for host in ["", "<script>", "a'b", "$(id)", "a b", "a;b", "a\"b"] {
            assert!(!is_plain(host), "{host}");
        }
    }

    #[test]
    fn the_lines_are_escaped() {
        let page = page("localhost:1");
        assert!(page.contains("http://localhost:1/ord?qci=abc123xyz789&amp;ov=89.99"));
        assert!(!page.contains("HOST"));
    }
}
