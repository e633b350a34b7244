//! What all networks' answers have in common: the HTTP status, `Retry-After`, the first bytes for the log, what is private.

use std::{cmp::Reverse, time::Duration};

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

/// Reads `Retry-After`, in seconds or as a date. A date that is not after `now` says nothing.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Duration::try_from(date.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

/// The first [`ANSWER_KEPT`] bytes of a network's words, without what they repeat of what is private; a control character
/// is shown as `\u{fffd}`.
pub fn redacted(words: &str, private: &[&str]) -> String {
    let mut private = private.to_vec();
    // The longest first: an address may begin with the name.
    private.sort_by_key(|private| Reverse(private.len()));
    snippet(private.into_iter().fold(words.to_owned(), mask).as_bytes())
}

/// The first [`ANSWER_KEPT`] bytes as text; what is not UTF-8 or is a control character is shown as `\u{fffd}`.
fn snippet(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ANSWER_KEPT)])
        .replace(|c: char| c.is_control() && !c.is_ascii_whitespace(), "\u{fffd}")
}

/// What is private and shorter than this may stand in a longer word by chance, in bytes.
const SHORT: usize = 6;

/// A network's text without `private`, as it is, escaped as in JSON (`\/`, `\u0441`) or as in a URL (`%2F`, `+`).
/// Where it is short and stands inside of a longer word it stays: `ali` is no name in `invalid`.
fn mask(text: String, private: &str) -> String {
    if private.is_empty() || text.len() < private.len() {
        return text;
    }
    let (mut masked, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(next) = text[at..].chars().next() {
        let said = said(&text.as_bytes()[at..], private.as_bytes());
        match said.filter(|len| private.len() >= SHORT || !is_inside(&text, at, at + len)) {
            Some(len) => {
                masked.extend([&text[kept..at], "***"]);
                at += len;
                kept = at;
            }
            None => at += next.len_utf8(),
        }
    }
    if kept == 0 { text } else { masked + &text[kept..] }
}

/// How many bytes of `text` say what is private, where it begins with that.
fn said(text: &[u8], private: &[u8]) -> Option<usize> {
    let (mut rest, mut left) = (text, private);
    while let Some(first) = left.first() {
        let (len, said) = match escape(rest).filter(|(_, said)| left.starts_with(said)) {
            Some((len, said)) => (len, said.len()),
            None if rest.first() == Some(first) => (1, 1),
            None => return None,
        };
        (rest, left) = (&rest[len..], &left[said..]);
    }
    Some(text.len() - rest.len())
}

/// The length of the escape with which a text begins, and what that stands for.
fn escape(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let hex = |digits: &[u8]| u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    match text {
        [b'+', ..] => Some((1, b" ".to_vec())),
        [b'%', a, b, ..] => Some((3, vec![u8::try_from(hex(&[*a, *b])?).ok()?])),
        [b'\\', b'u', ..] => {
            let units = text.chunks_exact(6).take(2).map_while(|unit| hex(unit.strip_prefix(b"\\u")?));
            let char = char::decode_utf16(units).next()?.ok()?;
            Some((6 * char.len_utf16(), char.to_string().into_bytes()))
        }
        [b'\\', b'n', ..] => Some((2, b"\n".to_vec())),
        [b'\\', char @ (b'"' | b'\\' | b'/'), ..] => Some((2, vec![*char])),
        _ => None,
    }
}

/// Whether letters or digits go on at both ends.
fn is_inside(text: &str, from: usize, to: usize) -> bool {
    let (before, after) = (text[..from].chars().next_back(), text[to..].chars().next());
    before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)
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
        for nothing in ["Wed, 31 Dec 2025 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "soon"] {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_snippet_is_short_and_printable() {
        assert_eq!(snippet(&[b'x'; 600]).len(), 512);
        assert_eq!(snippet(b"a\xff\x00b\n"), "a\u{fffd}\u{fffd}b\n");
    }

    #[test]
    fn what_is_private_is_masked_in_every_form_in_which_it_is_repeated() {
        let table = [
            ("no Olga here, Olga", "Olga", "no *** here, ***"),
            (r"\u041e\u043b\u044C\u0433\u0430 \ud83d\ude00!", "Ольга 😀", "***!"),
            (r#"key=a\/b or a%2Fb or a%2fb or a/b"#, "a/b", "key=*** or *** or *** or ***"),
            (r#"said \"hi\" \\ \n."#, "\"hi\" \\ \n", "said ***."),
            ("name=Zo%C3%AB+%26+Co&x=1", "Zoë & Co", "name=***&x=1"),
            ("+33 1 and %2B33+1", "+33 1", "*** and ***"),
            (r"100% \ 50%% \u12", "100% \\ 50%% \\u12", "***"),
            ("aab", "ab", "a***"),
            ("anything", "", "anything"),
            ("Olg", "Olga", "Olg"),
            ("invalid_click of ali", "ali", "invalid_click of ***"),
            ("xsecret-keyx", "secret-key", "x***x"),
        ];
        for (text, private, want) in table {
            assert_eq!(mask(text.to_owned(), private), want, "{private} in {text}");
        }
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
