//! The journal and the counters, in process and over HTTP.

use postback_sandbox::{JournalQuery, Network, Seed};
use serde_json::json;

use crate::client::{START, Site};

#[tokio::test]
async fn ps_13_a_call_is_written_down_whole() {
    let site = Site::open().await;
    let headers = "user-agent: curl/8\r\nx-forwarded-proto: https\r\naccept: */*\r\n";
    site.send("GET", "/ord?qci=abc123xyz789&ov=89.99&x=%C3%A9", headers, "").await.unwrap();
    let page = site.get("/sandbox/journal").await.json();
    let want = json!({
        "seq": 1, "time": START, "network": "powerspace", "method": "GET", "path": "/ord",
        "query": [["qci", "abc123xyz789"], ["ov", "89.99"], ["x", "é"]], "form": [],
        "headers": {
            "host": site.address.to_string(), "user-agent": "curl/8", "x-forwarded-proto": "https",
            "content-length": "0",
        },
        "answer": {"status": 200, "body": "OK"},
        "meant": {"as": "counted", "kind": "order", "click": "abc123xyz789", "value": "89.99"},
        "fault": null,
        "remarks": ["`x` is not a parameter of this call: passed over"],
    });
    assert_eq!(page, json!({"entries": [want], "next": 1, "more": false, "forgotten": 0}));
}

#[tokio::test]
async fn calls_are_read_in_order_page_by_page_and_by_network() {
    let site = Site::open().await;
    for _ in 0..3 {
        site.get("/ld?qci=abc123xyz789").await;
        site.get("/api/v1/cpa/action/xyz").await;
        site.site("click", "click=1234").await;
    }
    let numbers = |query: &JournalQuery| {
        let page = site.sandbox.journal(query);
        let numbers: Vec<_> = page.entries.iter().map(|entry| entry.seq).collect();
        (numbers, page.next, page.more)
    };
    let all = JournalQuery { limit: Some(4), ..JournalQuery::default() };
    assert_eq!(numbers(&all), (vec![1, 2, 3, 4], 4, true));
    assert_eq!(numbers(&JournalQuery { since: 4, ..all.clone() }), (vec![5, 6, 7, 8], 8, true));
    assert_eq!(numbers(&JournalQuery { since: 8, ..all.clone() }), (vec![9], 9, false));
    assert_eq!(numbers(&JournalQuery { since: 9, ..all.clone() }), (vec![], 9, false));
    let stars = JournalQuery { network: Some(Network::Trafficstars), limit: Some(2), since: 0 };
    assert_eq!(numbers(&stars), (vec![2, 5], 5, true));
    assert_eq!(numbers(&JournalQuery { since: 5, ..stars }), (vec![8], 9, false));

    let page = site.get("/sandbox/journal?network=altercpa&since=3&limit=1").await.json();
    assert_eq!((&page["entries"][0]["seq"], &page["more"]), (&6.into(), &true.into()));
}

#[tokio::test]
async fn the_journal_forgets_the_oldest_and_the_counters_go_on() {
    let text = Seed::documented_text().replace("journal_entries = 100000", "journal_entries = 2");
    let site = Site::of(text.parse().unwrap()).await;
    for _ in 0..5 {
        site.get("/ld?qci=abc123xyz789").await;
    }
    let page = site.sandbox.journal(&JournalQuery::default());
    assert_eq!((page.entries[0].seq, page.entries.len(), page.forgotten), (4, 2, 3));
    assert_eq!(site.control("DELETE", "/sandbox/journal", "").await.status, 204);
    assert!(site.sandbox.received(Network::Powerspace).is_empty());
    site.get("/ld?qci=abc123xyz789").await;
    assert_eq!(site.sandbox.received(Network::Powerspace)[0].seq, 6);
    assert_eq!(site.sandbox.stats().powerspace.counted, 6);
}

#[tokio::test]
async fn the_counters_tell_every_outcome() {
    let site = Site::open().await;
    site.control("POST", "/sandbox/faults", r#"{"network":"altercpa","kind":"status","code":500,"times":1}"#)
        .await;
    assert_eq!(site.get("/api/site/click.json?token=12-abc&click=1234").await.status, 500);
    site.site("click", "click=1234&exto=a").await;
    site.site("click", "click=1234&exto=a").await;
    site.site("status", "click=1234&exto=a&accept=1").await;
    site.site("flow", "flow=1234").await;
    site.site("flow", "flow=1").await;
    let stats = site.get("/sandbox/stats").await.json();
    let want = json!({
        "calls": 6, "counted": 1, "duplicates": 1, "changed": 1, "looked_up": 1, "refused": 1, "untouched": 1,
        "faults": 1, "most_at_once": 1,
    });
    assert_eq!(stats["altercpa"], want);
    assert_eq!(stats["powerspace"]["calls"], 0);
}
