//! What all networks' answers have in common: the HTTP status, `Retry-After`, the first bytes for the log.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822};

use crate::{ANSWER_KEPT, Reason, Verdict};

/// The verdict that the HTTP status alone gives, on every network: 401, 403 and 407 are the account's fault;
/// 408, 425, 429, 3xx and 5xx are for later. `None` where the network's own rules decide.
pub fn by_status(answer: &Response<Bytes>, now: Timestamp) -> Option<Verdict> {
    let status = answer.status();
    let reason =
        || Reason::new(format!("http_{}", status.as_u16()), format!("the network answered {status}"));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(Verdict::Misconfigured { reason: reason() })
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Some(Verdict::Retry { after: None, reason: reason() })
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(Verdict::Retry { after: retry_after(answer.headers(), now), reason: reason() })
        }
        status if status.is_server_error() || status.is_redirection() => {
            Some(Verdict::Retry { after: None, reason: reason() })
        }
        _ => None,
    }
}

/// Reads `Retry-After`, in seconds or as a date. A date in the past is no wait.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// The first [`ANSWER_KEPT`] bytes as text; what is not UTF-8 or is a control character is shown as `\u{fffd}`.
pub fn snippet(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ANSWER_KEPT)])
        .replace(|c: char| c.is_control() && !c.is_ascii_whitespace(), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Thu, 01 Jan 2026 00:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Wed, 31 Dec 2025 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_snippet_is_short_and_printable() {
        assert_eq!(snippet(&[b'x'; 600]).len(), 512);
        assert_eq!(snippet(b"a\xff\x00b\n"), "a\u{fffd}\u{fffd}b\n");
    }

    #[test]
    fn the_status_alone_says_what_every_network_means_by_it() {
        let verdict = |status: u16| {
            let answer = Response::builder().status(status).body(Bytes::new()).unwrap();
            by_status(&answer, Timestamp::UNIX_EPOCH)
        };
        assert!(matches!(verdict(403), Some(Verdict::Misconfigured { .. })));
        for status in [302, 408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(verdict(status), Some(Verdict::Retry { .. })), "{status}");
        }
        for status in [200, 204, 400, 404] {
            assert_eq!(verdict(status), None, "{status}");
        }
    }
}
