//! Where visitors are sent, and with what.

use postback_core::Flags;
use postback_edge::{CookieSettings, Network, Proxies, Settings};

use crate::doubles::Edge;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn get(query: &str, lines: &str) -> String {
    format!("GET /c/promo?{query} HTTP/1.1\r\nHost: go.example\r\nUser-Agent: {BROWSER}\r\n{lines}\r\n")
}

fn token(cookie: &str) -> &str {
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, "__Host-postback_click");
    let (token, attributes) = rest.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000");
    token
}

#[tokio::test]
async fn a_visitor_is_sent_on_with_a_token_in_url_and_cookie() {
    let edge = Edge::start().await;
    let answer = edge.answer(get("click_id=abc123&sub=a%2Fb&s=x+y&utm_source=news&f=%23", "")).await;
    let token = token(answer.header("set-cookie").unwrap());
    assert_eq!(
        answer.location(),
        format!("https://landing.example/a%2Fb/x?token={token}&id=abc123&s=x%20y&utm=news#%23")
    );
    let mut names: Vec<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cache-control", "content-length", "date", "location", "referrer-policy", "set-cookie",
            "x-robots-tag"
        ]
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("strict-origin-when-cross-origin"));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
    assert_eq!((answer.header("content-length"), answer.body.as_str()), (Some("0"), ""));

    let [click] = &edge.clicks.kept()[..] else { panic!("one click") };
    assert_eq!((click.click.id.as_str(), click.campaign.as_str()), ("abc123", "promo"));
    assert_eq!(click.utm.source.as_deref(), Some("news"));
    assert_eq!(click.user_agent.as_deref(), Some(BROWSER));
    assert_eq!(click.ip.unwrap().network.to_string(), "127.0.0.0/24");
    assert_eq!(click.flags, Flags::default());
}

#[tokio::test]
async fn a_reload_changes_nothing() {
    let edge = Edge::start().await;
    let first = edge.answer(get("click_id=abc", "")).await;
    let again = edge.answer(get("click_id=abc", "")).await;
    assert_eq!(first.location(), again.location());
    assert_eq!(first.header("set-cookie"), again.header("set-cookie"));
    assert_eq!(edge.clicks.kept().len(), 1);
}

#[tokio::test]
async fn a_head_is_answered_like_a_get_and_stores_nothing() {
    let edge = Edge::start().await;
    let mut visitor = edge.visitor().await;
    visitor.say(get("click_id=abc&sub=1", "").replace("GET", "HEAD")).await;
    let answer = visitor.hear_without_body().await;
    assert!(answer.location().starts_with("https://landing.example/1/x?token="));
    token(answer.header("set-cookie").unwrap());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    visitor.say(get("sub=2", "")).await;
    assert!(visitor.hear().await.location().starts_with("https://landing.example/2/x?token=&"));
    assert_eq!(edge.clicks.kept(), []);
}

#[tokio::test]
async fn a_visitor_without_a_click_id_is_sent_on_without_a_cookie() {
    let edge = Edge::start().await;
    for query in [
        "",
        "click_id=",
        "click_id",
        "click_id={click_id}",
        "click_id=%7Bclick_id%7D",
        "click_id=[CLICKID]",
        "click_id=%s",
        "click_id=%FF",
        "click_id=%00",
    ] {
        let answer = edge.answer(get(query, "")).await;
        assert_eq!(answer.location(), "https://landing.example//x?token=&id=&s=&utm=#", "{query}");
        assert_eq!(answer.header("set-cookie"), None, "{query}");
    }
    assert_eq!(edge.clicks.kept(), []);
}

#[tokio::test]
async fn a_click_id_comes_through_whatever_it_is_made_of() {
    let edge = Edge::start().await;
    let wanted = [
        ("a%2Bb%26c%3Dd%25e%2Ff", "a+b&c=d%e/f", "a%2Bb%26c%3Dd%25e%2Ff"),
        ("a+b", "a+b", "a%2Bb"),
        ("%C3%A9%E2%82%AC", "é€", "%C3%A9%E2%82%AC"),
        ("\u{e9}\u{1f600}", "é😀", "%C3%A9%F0%9F%98%80"),
        ("a=b=c", "a=b=c", "a%3Db%3Dc"),
        ("a;b|c^d`e\\f", "a;b|c^d`e\\f", "a%3Bb%7Cc%5Ed%60e%5Cf"),
        ("%3Cscript%3E%22'", "<script>\"'", "%3Cscript%3E%22%27"),
        ("%20", " ", "%20"),
    ];
    for (sent, id, shown) in wanted {
        let answer = edge.answer(get(&format!("click_id={sent}"), "")).await;
        let token = token(answer.header("set-cookie").unwrap());
        assert_eq!(
            answer.location(),
            format!("https://landing.example//x?token={token}&id={shown}&s=&utm=#"),
            "{sent}"
        );
        assert_eq!(edge.clicks.kept().last().unwrap().click.id.as_str(), id, "{sent}");
    }
}

#[tokio::test]
async fn a_line_break_in_a_parameter_never_becomes_a_header() {
    let edge = Edge::start().await;
    let query = "click_id=a&s=%0d%0aSet-Cookie:%20x=y&sub=%0a%0d%00&f=%0d%0a%0d%0a%3Chtml%3E";
    let answer = edge.answer(get(query, "")).await;
    let shown = "&s=%0D%0ASet-Cookie%3A%20x%3Dy&utm=#%0D%0A%0D%0A%3Chtml%3E";
    assert!(answer.location().ends_with(shown), "{}", answer.location());
    token(answer.header("set-cookie").unwrap());
    for (name, value) in &answer.headers {
        assert!(value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte)), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn a_prefetch_or_a_bot_is_stored_with_a_flag_and_never_refused() {
    let edge = Edge::start().await;
    let bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (at, (lines, agent, prefetch, is_bot)) in [
        ("Sec-Purpose: prefetch\r\n", BROWSER, true, false),
        ("Sec-Purpose: prefetch;prerender\r\n", BROWSER, true, false),
        ("Purpose: prefetch\r\n", BROWSER, true, false),
        ("X-Moz: prefetch\r\n", BROWSER, true, false),
        ("Purpose: preview\r\n", BROWSER, false, false),
        ("", bot, false, true),
        ("Sec-Purpose: prefetch\r\n", bot, true, true),
        ("", "curl/8.5.0", false, true),
        ("", "", false, true),
    ]
    .into_iter()
    .enumerate()
    {
        let request = get(&format!("click_id=c{at}"), lines).replace(BROWSER, agent);
        let answer = edge.answer(request).await;
        assert!(answer.header("set-cookie").is_some());
        assert_eq!(answer.status, 302);
        let click = edge.clicks.kept().pop().unwrap();
        assert_eq!(click.click.id.as_str(), format!("c{at}"));
        assert_eq!(click.flags, Flags { bot: is_bot, prefetch }, "{lines} {agent}");
    }
}

#[tokio::test]
async fn what_a_proxy_says_of_a_visitor_is_believed_from_trusted_proxies_alone() {
    let said = "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Country: FR\r\n\
        X-Device: smartphone, or whatever else is held in one hand\r\n";
    for (trusted, ip, country, device) in [
        (
            "127.0.0.0/8",
            "203.0.113.0/24",
            Some("FR"),
            Some("smartphone, or whatever else is held in one hand"),
        ),
        ("10.0.0.0/8", "127.0.0.0/24", None, None),
    ] {
        let edge = Edge::with(Settings {
            proxies: Proxies::from_iter([trusted.parse::<Network>().unwrap()]),
            country_header: Some("x-country".parse().unwrap()),
            device_header: Some("x-device".parse().unwrap()),
            ..Settings::default()
        })
        .await;
        assert_eq!(edge.answer(get("click_id=a", said)).await.status, 302);
        let click = edge.clicks.kept().pop().unwrap();
        assert_eq!(click.ip.unwrap().network.to_string(), ip);
        assert_eq!((click.country.as_deref(), click.device.as_deref()), (country, device));
    }
}

#[tokio::test]
async fn cookie_and_referrer_policy_follow_the_settings() {
    let edge = Edge::with(Settings {
        cookie: CookieSettings::new("click", Some("shop.example")).unwrap(),
        referrer_policy: "no-referrer".parse().unwrap(),
        ..Settings::default()
    })
    .await;
    let answer = edge.answer(get("click_id=a", "")).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("click=") && cookie.contains("; Domain=shop.example; "), "{cookie}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn a_connection_serves_one_visit_after_the_other() {
    let edge = Edge::start().await;
    let mut visitor = edge.visitor().await;
    let requests: String = (0..200).map(|at| get(&format!("click_id=c{at}&sub={at}"), "")).collect();
    visitor.say(&requests).await;
    for at in 0..200 {
        let answer = visitor.hear().await;
        assert!(answer.location().starts_with(&format!("https://landing.example/{at}/x?")));
    }
    assert_eq!(edge.clicks.kept().len(), 200);
}

#[tokio::test]
async fn http_1_0_is_answered_in_its_own_words_and_hung_up_on() {
    let edge = Edge::start().await;
    let mut visitor = edge.visitor().await;
    visitor.say("GET /c/promo?click_id=a HTTP/1.0\r\n\r\n").await;
    let answer = visitor.hear().await;
    assert_eq!((answer.version, answer.status), (0, 302));
    visitor.hear_the_end().await;
}

#[tokio::test]
async fn a_visitor_who_hangs_up_half_way_is_still_answered() {
    let edge = Edge::start().await;
    edge.clicks.open(false);
    let mut visitor = edge.visitor().await;
    visitor.say(get("click_id=a", "")).await;
    visitor.finish().await;
    edge.clicks.asked.notified().await;
    edge.clicks.open(true);
    assert_eq!(visitor.hear().await.status, 302);
    visitor.hear_the_end().await;
    assert_eq!(edge.clicks.kept().len(), 1);
}
