//! No byte of a request moves the destination.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokio::sync::Mutex;
use url::Url;

use crate::{doubles::SHARED, visitor::Visitor};

/// A connection that is kept while it lives.
static KEPT: LazyLock<Mutex<Option<Visitor>>> = LazyLock::new(Mutex::default);

/// Where a request's target leads; `None` where it is refused.
fn destination(target: &str) -> Option<String> {
    let (runtime, edge) = &*SHARED;
    runtime.block_on(async {
        let mut kept = KEPT.lock().await;
        let mut visitor = match kept.take() {
            Some(visitor) => visitor,
            None => edge.visitor().await,
        };
        visitor
            .say(format!(
                "GET {target} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n"
            ))
            .await;
        let answer = visitor.hear().await;
        assert!(matches!(answer.status, 302 | 400 | 404), "{target}: {answer:?}");
        assert!(answer.header("location").is_some() == (answer.status == 302));
        for name in ["location", "set-cookie"] {
            let bytes = answer.header(name).unwrap_or_default().bytes();
            let allowed = |byte: u8| byte.is_ascii_graphic() || (byte == b' ' && name == "set-cookie");
            assert!(bytes.into_iter().all(allowed), "{target}: {answer:?}");
        }
        if answer.header("connection").is_none() {
            *kept = Some(visitor);
        }
        (answer.status == 302).then(|| answer.location().to_owned())
    })
}

fn assert_stays(target: &str) {
    let Some(location) = destination(target) else { return };
    let url = Url::parse(&location).unwrap();
    assert_eq!(url.origin().ascii_serialization(), "https://landing.example", "{target}");
    assert_eq!((url.username(), url.password(), url.port()), ("", None, None), "{target}");
    assert!(url.path().ends_with("/x") && url.path_segments().unwrap().count() == 2, "{target}: {location}");
    assert_eq!(url.as_str(), location, "{target}: a browser would read it otherwise");
}

#[test]
fn the_known_ways_to_move_a_redirect_move_nothing() {
    let evil = [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "@evil.example",
        "https:evil.example",
        "https://evil.example",
        ".evil.example",
        ":80@evil.example",
        "%2f%2fevil.example",
        "%5cevil.example",
        "%40evil.example",
        "%2e%2e%2f%2e%2e%2fevil.example",
        "../../evil.example",
        "..",
        "%2e%2e",
        "%252e%252e",
        "?@evil.example",
        "%23@evil.example",
        "xn--evil-9ja.example",
        "%E3%80%82evil.example",
        "javascript:alert(1)",
        "%0d%0aLocation:https://evil.example",
        "%09//evil.example",
        "%20//evil.example",
        "%00//evil.example",
    ];
    for value in evil {
        for name in ["sub", "s", "f", "utm_source", "click_id", "landing", "url", "redirect"] {
            let target = format!("/c/promo?{name}={value}");
            let location = destination(&target).unwrap_or_else(|| panic!("{target} was refused"));
            assert!(location.starts_with("https://landing.example/"), "{target}: {location}");
            assert_stays(&target);
        }
        assert_eq!(
            destination(&format!("/c/promo{value}")).filter(|_| !value.starts_with('?')),
            None,
            "{value}"
        );
        assert_eq!(destination(&format!("/c/{value}")), None, "{value}");
        assert_eq!(
            destination(&format!("/{value}/c/promo")).filter(|_| !value.contains("..")),
            None,
            "{value}"
        );
    }
    assert_stays("https://evil.example/c/promo?sub=a");
    assert_stays("http://u:p@evil.example:81/c/promo?sub=a");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_query_moves_the_destination(
        sub in value(), s in value(), f in value(), utm in value(), id in value(),
    ) {
        assert_stays(&format!("/c/promo?sub={sub}&s={s}&f={f}&utm_source={utm}&click_id={id}"));
    }

    #[test]
    fn no_target_moves_the_destination(
        before in "(https?://|//|/|/c/|/c/promo)?",
        target in "[!-~\u{80}-\u{7ff}]{0,40}",
    ) {
        prop_assume!(!before.is_empty() || !target.is_empty());
        assert_stays(&format!("{before}{target}"));
    }
}

/// Bytes of the kind that move URLs.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!-~&&[^#\"<>]]{0,20}",
        "[./\\\\@:?%&=;]{0,10}",
        "(%2[eEfF]|%5[cC]|%40|%23|%0[aAdD9]|%00|%ff|%C3|\\.){0,8}",
        "[\u{a0}-\u{ffff}]{0,8}",
    ]
}
