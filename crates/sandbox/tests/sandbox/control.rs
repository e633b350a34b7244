//! The control API: clicks, faults, the clock, the page, and what it refuses.

use postback_sandbox::{IssueClicks, Network, Sandbox, Seed};
use serde_json::json;

use crate::client::Site;

#[tokio::test]
async fn clicks_are_issued_in_each_networks_form_and_work() {
    let site = Site::open().await;
    for (order, target) in [
        (r#"{"network":"powerspace","count":3}"#, "/ld?qci="),
        (r#"{"network":"trafficstars","account":"single"}"#, "/api/v1/cpa/action/"),
        (
            r#"{"network":"altercpa","ip":"2001:db8::1","geo":"de","flow":1234}"#,
            "/api/site/click.json?token=12-abc&click=",
        ),
    ] {
        let issued = site.control("POST", "/sandbox/clicks", order).await;
        assert_eq!(issued.status, 201, "{issued:?}");
        for click in issued.json()["clicks"].as_array().unwrap() {
            assert_eq!(
                site.get(&format!("{target}{}", click.as_str().unwrap())).await.status,
                200,
                "{order}"
            );
        }
    }
    let stats = site.sandbox.stats();
    assert_eq!([stats.powerspace.counted, stats.trafficstars.counted, stats.altercpa.counted], [3, 1, 1]);
    let found = site.get("/api/site/fetch.json?token=12-abc&ip=2001:db8::1").await.json();
    assert_eq!(found["geo"], "de");
}

#[tokio::test]
async fn a_click_may_be_issued_old() {
    let site = Site::open().await;
    let order = r#"{"network":"powerspace","ids":["old","older"],"age_seconds":2592001}"#;
    assert_eq!(
        site.control("POST", "/sandbox/clicks", order).await.json()["clicks"],
        json!(["old", "older"])
    );
    assert_eq!(site.get("/ld?qci=old").await.status, 404);
}

#[test]
fn the_same_seed_issues_the_same_clicks() {
    let issue = |seed: Seed| {
        let sandbox = Sandbox::new(seed).unwrap();
        let order = |network| IssueClicks { count: 5, ..IssueClicks::new(network) };
        Network::ALL.map(|network| sandbox.issue(&order(network)).unwrap())
    };
    assert_eq!(issue(Seed::documented()), issue(Seed::documented()));
    assert_ne!(issue(Seed::documented()), issue(Seed::documented().with_random(2)));
}

#[tokio::test]
async fn faults_are_set_listed_and_cleared() {
    let site = Site::open().await;
    let delay = r#"{"network":"altercpa","kind":"delay","ms":1,"path":"/api/site/click.json"}"#;
    let status = r#"{"network":"powerspace","kind":"status","code":503,"rate":1,"times":3}"#;
    for fault in [delay, status] {
        assert_eq!(site.control("POST", "/sandbox/faults", fault).await.status, 201);
    }
    site.get("/ld?qci=abc123xyz789").await;
    let want = json!([
        {"network": "altercpa", "kind": "delay", "ms": 1, "rate": 1.0, "path": "/api/site/click.json", "met": 0},
        {"network": "powerspace", "kind": "status", "code": 503, "rate": 1.0, "times": 3, "met": 1},
    ]);
    assert_eq!(site.get("/sandbox/faults").await.json(), want);
    let cleared = site.control("DELETE", "/sandbox/faults?network=altercpa", "").await;
    assert_eq!(cleared.json(), json!({"cleared": 1}));
    assert_eq!(site.get("/sandbox/faults").await.json(), json!([want[1]]));
    assert_eq!(site.control("DELETE", "/sandbox/faults", "").await.json(), json!({"cleared": 1}));
    assert_eq!(site.get("/ld?qci=abc123xyz789").await.status, 200);
}

#[tokio::test]
async fn the_clock_is_read_and_set() {
    let site = Site::open().await;
    let now = json!({"now": "2026-01-15T12:00:00Z", "shift_seconds": 0});
    assert_eq!(site.get("/sandbox/clock").await.json(), now);
    let later = site.control("POST", "/sandbox/clock", r#"{"shift_seconds":2678400}"#).await.json();
    assert_eq!(later, json!({"now": "2026-02-15T12:00:00Z", "shift_seconds": 2_678_400}));
    assert_eq!(site.get("/ld?qci=abc123xyz789").await.status, 404);
    site.control("POST", "/sandbox/clock", r#"{"shift_seconds":0}"#).await;
    assert_eq!(site.get("/ld?qci=abc123xyz789").await.status, 200);
    for shift in [i64::MAX, i64::MIN] {
        let body = format!(r#"{{"shift_seconds":{shift}}}"#);
        assert_eq!(site.control("POST", "/sandbox/clock", &body).await.status, 200);
        assert!([200, 404].contains(&site.get("/ld?qci=abc123xyz789").await.status));
    }
}

#[tokio::test]
async fn a_wrong_control_call_is_refused_with_the_reason() {
    let site = Site::open().await;
    for (method, target, body, status, want) in [
        ("POST", "/sandbox/clicks", "", 400, "EOF while parsing"),
        ("POST", "/sandbox/clicks", "{}", 400, "missing field `network`"),
        ("POST", "/sandbox/clicks", r#"{"network":"google"}"#, 400, "unknown variant `google`"),
        ("POST", "/sandbox/clicks", r#"{"network":"powerspace","many":2}"#, 400, "unknown field `many`"),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"powerspace","count":0}"#,
            400,
            "count: is 0; want 1 to 10000",
        ),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"powerspace","flow":1}"#,
            400,
            "flow: is not for powerspace",
        ),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"powerspace","ids":["\n"]}"#,
            400,
            "ids: want 1 to 512 bytes",
        ),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"powerspace","ids":["abc123xyz789"]}"#,
            400,
            "ids: names a click",
        ),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"trafficstars","ids":["abc"]}"#,
            400,
            "ids: want 40 characters",
        ),
        (
            "POST",
            "/sandbox/clicks",
            r#"{"network":"trafficstars","account":"x"}"#,
            400,
            "account: `x` is unknown",
        ),
        ("POST", "/sandbox/clicks", r#"{"network":"altercpa","ids":["x"]}"#, 400, "ids: want numbers"),
        ("POST", "/sandbox/clicks", r#"{"network":"altercpa","flow":9}"#, 400, "flow: 9 is unknown"),
        ("POST", "/sandbox/clicks", r#"{"network":"altercpa","geo":"1"}"#, 400, "geo: want two letters"),
        ("POST", "/sandbox/clicks", r#"{"network":"altercpa","geo":"1d"}"#, 400, "geo: want two letters"),
        ("POST", "/sandbox/faults", r#"{"network":"powerspace","kind":"flood"}"#, 400, "kind: want status"),
        ("DELETE", "/sandbox/faults?network=x", "", 400, "unknown variant `x`"),
        ("POST", "/sandbox/clock", r#"{"shift":1}"#, 400, "unknown field `shift`"),
        ("GET", "/sandbox/journal?limit=0", "", 400, "limit: want 1 to 1000"),
        ("GET", "/sandbox/journal?from=1", "", 400, "unknown field `from`"),
        ("GET", "/sandbox/leads/1", "", 404, "id: no such lead"),
    ] {
        let got = site.control(method, target, body).await;
        let error = got.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(got.status, status, "{target} {body}");
        assert!(error.contains(want), "{target} {body}: {error}");
    }
    assert_eq!(site.control("PUT", "/sandbox/clicks", "").await.status, 405);
}

#[test]
fn a_wrong_seed_says_what_is_wrong() {
    for (from, to, want) in [
        ("click_days = 30", "click_days = 0", "click_days: want 1 to 3650"),
        ("journal_entries = 100000", "journal_entries = 0", "journal_entries: want 1 to 1000000"),
        ("random = 1", "radnom = 1", "unknown field `radnom`"),
        ("error_status = 200", "error_status = 1", "trafficstars.error_status: want an HTTP status"),
        ("offer = 8", "offer = 80", "altercpa.flows: flow 1235 names no offer with its site"),
        ("id = 1235", "id = 1234", "altercpa.flows.id: 1234 stands twice"),
        ("flow = 1235", "flow = 4", "altercpa.clicks: click 1250 names no flow"),
        ("expired = [1100]", "expired = [1234]", "altercpa.clicks.id: 1234 stands twice"),
        ("\"dep\", \"ftd\"", "\"dep\", \"reg\"", "altercpa.goals.code: reg stands twice"),
        ("broken = true", "broke = true", "unknown field `broke`"),
        ("fb = \"1", "fbx = \"1", "unknown field `fbx`"),
        ("210987654321098765432109876543fedcba", "123456789012345678901234567890abcdef", "is another's too"),
    ] {
        let text = Seed::documented_text();
        assert!(text.contains(from), "{from}");
        let why = text.replace(from, to).parse::<Seed>().unwrap_err().to_string();
        assert!(why.contains(want), "{from}: {why}");
    }
    let text = Seed::documented_text().replace("clicks = [\"c86b", "clicks = [\"X");
    let why = Sandbox::new(text.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(why, "ids: want 40 characters of [0-9a-f]");
}

#[test]
fn a_seed_does_not_show_its_keys() {
    let shown = format!("{:?}", Seed::documented());
    assert!(shown.contains("5FAC-D4E8"));
    for key in ["123456789012345678901234567890abcdef", "sandbox-global-api-key", "abcde\""] {
        assert!(!shown.contains(key), "{key}");
    }
}

#[tokio::test]
async fn the_page_prints_lines_with_the_callers_host() {
    let site = Site::open().await;
    let got = site.get("/").await;
    assert_eq!((got.status, &*got.headers["content-type"]), (200, "text/html; charset=utf-8"));
    assert!(got.text().contains(&format!("http://{}/ld?qci=abc123xyz789", site.address)));
    let odd = site.raw("GET / HTTP/1.1\r\nhost: '$(id)\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(!String::from_utf8_lossy(&odd).contains("$(id)"));
}
