//! What a visit is beside a visitor: a crawler's, or a browser's ahead of one.

use http::{HeaderMap, HeaderName, header::USER_AGENT};
use postback_core::Flags;
use postback_hub::is_bot;

static AHEAD: [HeaderName; 3] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-moz"),
];

/// What a request's headers say of it.
pub(crate) fn flags(headers: &HeaderMap) -> Flags {
    let agent = headers.get(USER_AGENT).map_or(&b""[..], |agent| agent.as_bytes());
    Flags { bot: is_bot(agent), prefetch: is_ahead(headers) }
}

/// Whether a browser fetches ahead of a visit that may never come.
fn is_ahead(headers: &HeaderMap) -> bool {
    let said = AHEAD.iter().flat_map(|name| headers.get_all(name));
    said.map(|value| value.as_bytes()).any(|value| holds(value, b"prefetch") || holds(value, b"prerender"))
}

fn holds(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_ahead_of_a_visit_is_told_by_three_headers() {
        for (name, value, ahead) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("sec-purpose", "prefetch;anonymous-client-ip", true),
            ("purpose", "prefetch", true),
            ("purpose", "Prerender", true),
            ("x-moz", "prefetch", true),
            ("purpose", "preview", false),
            ("x-moz", "", false),
            ("sec-fetch-dest", "prefetch", false),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(flags(&headers).prefetch, ahead, "{name}: {value}");
        }
    }
}
