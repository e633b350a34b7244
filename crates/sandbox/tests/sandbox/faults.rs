//! Faults, as a client meets them.

use std::{io::ErrorKind, time::Duration};

use postback_sandbox::{Fault, FaultKind, Meant, Network, Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::client::Site;

const LEAD: &str = "/ld?qci=abc123xyz789";

fn inject(sandbox: &Sandbox, kind: FaultKind) {
    sandbox.inject(Fault::new(Network::Powerspace, kind).unwrap()).unwrap();
}

/// The fault of the last call, and whether it was counted.
fn seen(site: &Site) -> (&'static str, bool) {
    let fault = site.sandbox.received(Network::Powerspace).pop().unwrap().fault.unwrap();
    (fault.kind, fault.counted)
}

#[tokio::test]
async fn a_status_fault_answers_the_status_and_counts_nothing() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::Status { code: 503, retry_after: Some(7) });
    let got = site.get(LEAD).await;
    assert_eq!((got.status, &*got.headers["retry-after"]), (503, "7"));
    assert_eq!(site.meant(Network::Powerspace), Meant::Untouched);
    assert_eq!(seen(&site), ("status", false));
    let stats = site.sandbox.stats().powerspace;
    assert_eq!((stats.calls, stats.counted, stats.untouched, stats.faults), (1, 0, 1, 1));
}

#[tokio::test]
async fn a_drop_before_resets_the_connection_and_counts_nothing() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::DropBefore);
    let request = format!("GET {LEAD} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(site.raw(&request).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(seen(&site), ("drop_before", false));
    assert_eq!(site.sandbox.received(Network::Powerspace)[0].answer, None);
    assert_eq!(site.sandbox.stats().powerspace.counted, 0);
}

#[tokio::test]
async fn a_drop_after_counts_the_call_and_resets_the_connection() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::DropAfter);
    let request = format!("GET {LEAD} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(site.raw(&request).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(seen(&site), ("drop_after", true));
    assert_eq!(site.sandbox.stats().powerspace.counted, 1);
}

#[tokio::test]
async fn a_repeat_and_a_look_up_reach_the_books_through_a_drop_after_too() {
    let site = Site::open().await;
    site.lead("click=1234&exto=a").await;
    for query in ["click.json?token=12-abc&click=1234&exto=a", "flow.json?token=12-abc&click=1234"] {
        let fault = Fault::new(Network::Altercpa, FaultKind::DropAfter).unwrap().times(1).unwrap();
        site.sandbox.inject(fault).unwrap();
        let request = format!("GET /api/site/{query} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(site.raw(&request).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let fault = site.sandbox.received(Network::Altercpa).pop().unwrap().fault.unwrap();
        assert!(fault.counted, "{query}");
    }
}

#[tokio::test]
async fn garbage_is_neither_json_nor_text_and_the_call_is_counted() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::Garbage);
    let got = site.get(LEAD).await;
    assert_eq!(got.status, 200);
    assert!(std::str::from_utf8(&got.body).is_err());
    assert_eq!(seen(&site), ("garbage", true));
}

#[tokio::test]
async fn calls_that_are_under_way_at_once_are_counted() {
    let site = Site::open().await;
    site.get(LEAD).await;
    assert_eq!(site.sandbox.stats().powerspace.most_at_once, 1);
    inject(&site.sandbox, FaultKind::Delay(Duration::from_secs(60)));
    let three = async { tokio::join!(site.get(LEAD), site.get(LEAD), site.get(LEAD)) };
    let mut calls = site.sandbox.calls();
    tokio::select! {
        _ = three => unreachable!("they are answered in a minute"),
        taken = calls.wait_for(|calls| *calls == 4) => drop(taken.unwrap()),
    }
    let stats = site.sandbox.stats();
    assert_eq!((stats.powerspace.most_at_once, stats.altercpa.most_at_once), (3, 0));
}

#[tokio::test]
async fn a_delayed_call_is_counted_before_it_is_answered() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::Delay(Duration::from_millis(120)));
    let mut calls = site.sandbox.calls();
    let start = Instant::now();
    let answer = site.get(LEAD);
    let counted = async {
        calls.wait_for(|calls| *calls == 1).await.unwrap();
        site.sandbox.stats().powerspace.counted
    };
    let (got, counted) = tokio::join!(biased; async { (answer.await, start.elapsed()) }, counted);
    assert_eq!((got.0.status, counted), (200, 1));
    assert!(got.1 >= Duration::from_millis(120));
    assert_eq!(seen(&site), ("delay", true));
}

#[tokio::test]
async fn a_slow_body_comes_byte_by_byte() {
    let site = Site::open().await;
    let pace = Duration::from_millis(30);
    let kind = FaultKind::SlowBody(pace);
    site.sandbox.inject(Fault::new(Network::Trafficstars, kind).unwrap()).unwrap();
    let start = Instant::now();
    let got = site.get("/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99").await;
    assert_eq!((got.status, got.text()), (200, r#"{"ok":true}"#.to_owned()));
    assert_eq!(got.headers["content-length"], "11");
    assert!(start.elapsed() >= pace * 9, "{:?}", start.elapsed());
    assert_eq!(site.sandbox.stats().trafficstars.counted, 1);
}

#[tokio::test]
async fn an_endless_body_goes_on_for_as_long_as_somebody_reads() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::EndlessBody);
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(format!("GET {LEAD} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut read = 0;
    let mut some = vec![0; 64 * 1024];
    while read < 1024 * 1024 {
        let count = stream.read(&mut some).await.unwrap();
        assert_ne!(count, 0, "ended after {read} bytes");
        read += count;
    }
    assert_eq!(seen(&site), ("endless_body", true));
}

#[tokio::test]
async fn a_redirect_leads_to_a_200_that_counts_nothing() {
    let site = Site::open().await;
    inject(&site.sandbox, FaultKind::Redirect("/".to_owned()));
    let got = site.get(LEAD).await;
    assert_eq!((got.status, &*got.headers["location"]), (302, "/"));
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(site.sandbox.stats().powerspace.counted, 0);
}

#[tokio::test]
async fn an_answer_is_said_with_200_and_counts_nothing() {
    let site = Site::open().await;
    let body = r#"{"error":{"msg":"internal"}}"#;
    let kind = FaultKind::Answer(body.to_owned());
    site.sandbox.inject(Fault::new(Network::Trafficstars, kind).unwrap()).unwrap();
    let got = site.get("/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99").await;
    assert_eq!((got.status, &*got.text(), &*got.headers["content-type"]), (200, body, "application/json"));
    assert_eq!(site.meant(Network::Trafficstars), Meant::Untouched);
}

#[tokio::test]
async fn a_fault_ends_after_its_times_and_keeps_to_its_network_and_path() {
    let site = Site::open().await;
    let fault = Fault::new(Network::Powerspace, FaultKind::Status { code: 500, retry_after: None }).unwrap();
    site.sandbox.inject(fault.times(2).unwrap().path("/ord").unwrap()).unwrap();
    let other = "/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99";
    let order = "/ord?qci=abc123xyz789&ov=1";
    for (target, status) in [(LEAD, 200), (other, 200), (order, 500), (LEAD, 200), (order, 500), (order, 200)]
    {
        assert_eq!(site.get(target).await.status, status, "{target}");
    }
    assert_eq!(site.get("/sandbox/faults").await.text(), "[]");
}

#[tokio::test]
async fn the_first_fault_that_fits_is_met() {
    let site = Site::open().await;
    for code in [500, 502] {
        let fault = Fault::new(Network::Powerspace, FaultKind::Status { code, retry_after: None }).unwrap();
        site.sandbox.inject(fault.times(1).unwrap()).unwrap();
    }
    assert_eq!(
        [site.get(LEAD).await.status, site.get(LEAD).await.status, site.get(LEAD).await.status],
        [500, 502, 200]
    );
}

#[tokio::test]
async fn a_rate_is_drawn_from_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let site = Site::open().await;
        let fault =
            Fault::new(Network::Powerspace, FaultKind::Status { code: 500, retry_after: None }).unwrap();
        site.sandbox.inject(fault.rate(0.5).unwrap()).unwrap();
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(site.get(LEAD).await.status);
        }
        let failed = run.iter().filter(|status| **status == 500).count();
        assert!((8..=32).contains(&failed), "{failed} of 40");
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
}
