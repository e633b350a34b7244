//! What is looked at in a request's head before hyper sees it. Pure: bytes in, verdict out.

use std::mem::MaybeUninit;

use http::Uri;
use httparse::{Error, Header, Request, Status};
use memchr::memchr_iter;

use crate::{refusal::Refusal, settings::Limits};

/// How many header lines a head may have: as many as hyper parses without an allocation.
const LINES: usize = 100;

/// What the bytes at the start of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A whole and well-formed head.
    Whole {
        /// Its bytes.
        length: usize,
        /// Whether a body follows it.
        body: bool,
    },
    /// A head whose end is not there yet.
    Partial,
    /// What is never going to be a head that can be answered.
    Refused(Refusal),
}

/// Judges the bytes at the start of a request; what follows the head is not looked at.
pub(crate) fn judge(bytes: &[u8], limits: &Limits) -> Verdict {
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(Status::Complete(length)) => match check(&bytes[..length], &request, limits) {
            Ok(body) => Verdict::Whole { length, body },
            Err(refusal) => Verdict::Refused(refusal),
        },
        Ok(Status::Partial) => check_partial(bytes, limits).map_or(Verdict::Partial, Verdict::Refused),
        Err(Error::TooManyHeaders) => Verdict::Refused(Refusal::LargeHead),
        Err(_) => Verdict::Refused(long_line(bytes, limits).unwrap_or(Refusal::Malformed)),
    }
}

/// Checks a whole head; returns whether a body follows.
fn check(head: &[u8], request: &Request<'_, '_>, limits: &Limits) -> Result<bool, Refusal> {
    if let Some(refusal) = check_partial(head, limits) {
        return Err(refusal);
    }
    if memchr_iter(b'\n', head).any(|at| !head[..at].ends_with(b"\r")) {
        return Err(Refusal::BareLineFeed);
    }
    if !request.path.is_some_and(is_target) {
        return Err(Refusal::Malformed);
    }
    check_host(request)?;
    check_framing(request)
}

/// What can be said before the end of the head is there.
fn check_partial(bytes: &[u8], limits: &Limits) -> Option<Refusal> {
    if let Some(refusal) = long_line(bytes, limits) {
        return Some(refusal);
    }
    // One empty line before a request is let pass, as RFC 9112 asks; more are none of HTTP.
    if bytes.strip_prefix(b"\r\n").is_some_and(|rest| matches!(rest.first(), Some(b'\r' | b'\n'))) {
        return Some(Refusal::Malformed);
    }
    (bytes.len() > limits.head).then_some(Refusal::LargeHead)
}

/// Whether the request line holds a target past its limit.
fn long_line(bytes: &[u8], limits: &Limits) -> Option<Refusal> {
    if bytes.len() <= limits.uri {
        return None;
    }
    let line = bytes.split(|byte| *byte == b'\n').find(|line| !matches!(*line, b"" | b"\r"))?;
    let target = line.splitn(3, |byte| *byte == b' ').nth(1)?;
    (target.len() > limits.uri).then_some(Refusal::LongUri)
}

/// Whether hyper takes this byte anywhere in a path and its query. Without a branch: so many are looked at at once.
fn is_plain(byte: u8) -> bool {
    [b'"', b'#', b'<', b'>', b'`', 0x7f]
        .iter()
        .fold((byte > b' ') & byte.is_ascii(), |all, no| all & (byte != *no))
}

/// Whether hyper takes this target.
fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().fold(true, |all, byte| all & is_plain(byte))
        || Uri::try_from(target).is_ok()
}

fn check_host(request: &Request<'_, '_>) -> Result<(), Refusal> {
    let mut hosts = values(request, "host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => Err(Refusal::MalformedHost),
        (Some(_), Some(_)) => Err(Refusal::ManyHosts),
        (None, _) if request.version == Some(0) => Ok(()),
        (None, _) => Err(Refusal::NoHost),
    }
}

/// Whether a value holds nothing but what a host with a port may hold.
fn is_host(value: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(b);
    !value.is_empty() && value.iter().all(allowed)
}

fn check_framing(request: &Request<'_, '_>) -> Result<bool, Refusal> {
    let mut encodings = values(request, "transfer-encoding");
    let mut lengths = values(request, "content-length");
    match (encodings.next(), lengths.next()) {
        (None, None) => Ok(false),
        (Some(_), Some(_)) => Err(Refusal::TwoLengths),
        (Some(encoding), None) => {
            let chunked = encoding.eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
            if chunked && request.version == Some(1) { Ok(true) } else { Err(Refusal::MalformedEncoding) }
        }
        (None, Some(length)) => {
            // 18 digits: what counts bytes in front of us and behind us can hold it.
            let number = (1..=18).contains(&length.len()) && length.iter().all(u8::is_ascii_digit);
            let once = lengths.next().is_none();
            if number && once {
                Ok(length.iter().any(|digit| *digit != b'0'))
            } else {
                Err(Refusal::MalformedLength)
            }
        }
    }
}

fn values<'a>(request: &'a Request<'_, '_>, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = |line: &&Header<'_>| line.name.eq_ignore_ascii_case(name);
    request.headers.iter().filter(named).map(|line| line.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: impl AsRef<[u8]>) -> Verdict {
        judge(bytes.as_ref(), &Limits::default())
    }

    fn refused(bytes: impl AsRef<[u8]>) -> Option<Refusal> {
        match verdict(bytes) {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Whole { .. } | Verdict::Partial => None,
        }
    }

    const GET: &str = "GET /c/promo?click_id=abc HTTP/1.1\r\nHost: go.example\r\nAccept: */*\r\n\r\n";

    #[test]
    fn a_head_is_whole_at_its_empty_line_and_partial_before() {
        assert_eq!(verdict(GET), Verdict::Whole { length: GET.len(), body: false });
        let followed = format!("{GET}{GET}");
        assert_eq!(verdict(&followed), Verdict::Whole { length: GET.len(), body: false });
        for cut in 0..GET.len() {
            assert_eq!(verdict(&GET[..cut]), Verdict::Partial, "{cut}");
        }
    }

    #[test]
    fn a_body_is_seen_by_its_framing() {
        for (framing, body) in [
            ("Content-Length: 0", false),
            ("Content-Length: 00", false),
            ("Content-Length: 5", true),
            ("Transfer-Encoding: chunked", true),
            ("transfer-encoding: Chunked", true),
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
            assert_eq!(verdict(&head), Verdict::Whole { length: head.len(), body }, "{framing}");
        }
    }

    #[test]
    fn a_head_past_its_limits_is_refused_before_its_end() {
        let target = format!("/{}", "a".repeat(8 * 1024));
        assert_eq!(refused(format!("GET {target}")), Some(Refusal::LongUri));
        assert_eq!(refused(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")), Some(Refusal::LongUri));
        assert_eq!(refused(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", &target[..8 * 1024])), None);
        let line = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}", "a".repeat(16 * 1024));
        assert_eq!(refused(&line), Some(Refusal::LargeHead));
        assert_eq!(verdict(&line[..16 * 1024]), Verdict::Partial);
    }

    #[test]
    fn an_empty_line_may_stand_before_a_request_and_two_may_not() {
        let head = format!("\r\n{GET}");
        assert_eq!(verdict(&head), Verdict::Whole { length: head.len(), body: false });
        assert_eq!(refused(format!("\r\n\r\n{GET}")), Some(Refusal::Malformed));
        assert_eq!(refused(format!("\n{GET}")), Some(Refusal::BareLineFeed));
        assert_eq!(verdict("\r\n"), Verdict::Partial);
    }

    #[test]
    fn what_a_network_leaves_raw_in_a_query_is_let_through() {
        for query in ["{click_id}", "[CLICKID]", "%s", "a|b^c`d\\e", "%zz", "é", "a+b&&=", "a?b", "a\"b#c"] {
            let ok = !query.contains('"');
            let head = format!("GET /c/x?click_id={query} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(refused(&head).is_none(), ok, "{query}");
        }
        assert_eq!(refused("GET /c/x?a=<b> HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Refusal::Malformed));
    }

    #[test]
    fn a_target_that_is_let_through_is_one_that_hyper_takes() {
        for byte in 0x21..0x7f {
            for target in [format!("/{}", char::from(byte)), format!("/?{}", char::from(byte))] {
                assert_eq!(is_target(&target), Uri::try_from(&target).is_ok(), "{target}");
            }
        }
    }
}
