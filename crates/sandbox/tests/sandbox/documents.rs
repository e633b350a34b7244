//! The documents' own lines, with the host alone replaced.

use postback_sandbox::Network;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::{Got, Site};

const CLICK: &str = "c86b8a88b91228911e723b93c65a5900bb49bc99";

#[tokio::test]
async fn ps_4_5_7_9_10_the_curl_lines_of_powerspace_are_answered_200() {
    let site = Site::open().await;
    for target in [
        "/ld?qci=abc123xyz789",
        "/ord?qci=abc123xyz789&ov=89.99",
        "/ord?qci=abc123xyz789&ov=159.99",
        "/ld?qci=test_click_id_123",
        "/ord?qci=test_click_id_123&ov=99.99",
    ] {
        let got = site.get(target).await;
        assert_eq!((got.status, got.text()), (200, "OK".to_owned()), "{target}");
        assert!(site.remarks(Network::Powerspace).is_empty(), "{target}");
    }
    assert_eq!(site.sandbox.stats().powerspace.counted, 5);
}

#[tokio::test]
async fn ts_3_4_8_the_addresses_of_traffic_stars_are_answered_ok() {
    let site = Site::open().await;
    let base = format!("/api/v1/cpa/action/{CLICK}");
    let key = "key=123456789012345678901234567890abcdef";
    for target in [
        base.clone(),
        format!("{base}?value=2.1&lead_code=abcd1234567890&{key}"),
        // The document prints a blank after the question mark; clients encode it.
        format!("{base}?%20value=2.1&lead_code=second&{key}"),
    ] {
        let got = site.get_https(&target).await;
        assert_eq!((got.status, got.text()), (200, r#"{"ok":true}"#.to_owned()), "{target}");
    }
    assert_eq!(site.sandbox.stats().trafficstars.counted, 3);
}

#[tokio::test]
async fn ac_1_2_the_addresses_of_altercpa_are_answered_ok() {
    let site = Site::open().await;
    for (target, want) in [
        ("/api/site/click.json?token=123-abcd&click=1234", r#"{"status":"ok","id":1234}"#),
        ("/api/site/status.json?token=123-abcd&click=1234&status=approve", r#"{"status":"ok","id":1234}"#),
        ("/api/site/click.json?token=12-abc&click=1234&exto=77", r#"{"status":"ok","id":1235}"#),
        (
            "/api/site/click.json?token=12-abc&click=1234&exto=77",
            r#"{"status":"error","error":"duplicate","id":1235}"#,
        ),
        ("/api/site/click.json?token=12-abc&click=1234&goal=reg", r#"{"status":"ok","id":1236}"#),
        (
            "/api/site/status.json?token=12-abc&click=1234&status=lead_ok&sta=lead_ok",
            r#"{"status":"ok","id":1236}"#,
        ),
        ("/api/site/status.json?token=12-abc&click=1233&status=new&stn=new", r#"{"status":"ok","id":1237}"#),
        ("/api/site/click.json?token=12-abc&click=1234&pay=12.5&cc=USD", r#"{"status":"ok","id":1238}"#),
        ("/api/site/click.json?token=12-abc&flow=1234", r#"{"status":"ok","id":1239}"#),
        ("/api/site/click.json?token=12-abc&code=5FAC-D4E8", r#"{"status":"ok","id":1240}"#),
        ("/api/site/click.json?token=123-abcde&click=1234", r#"{"status":"ok","id":1241}"#),
        ("/api/site/fetch.json?token=123-abcd&offer=999", r#"{"status":"error","error":"auth"}"#),
    ] {
        let got = site.get(target).await;
        assert_eq!((got.status, &*got.text()), (200, want), "{target}");
        assert!(site.remarks(Network::Altercpa).is_empty(), "{target}");
    }
    for target in [
        "/api/site/fetch.json?token=123-abcd&offer=7",
        "/api/site/flow.json?token=123-abcd&code=5FAC-D4E8",
        "/api/site/offer.json?token=123-abcd&id=7",
    ] {
        assert_eq!(site.get(target).await.json()["status"], "ok", "{target}");
    }
}

#[tokio::test]
async fn ps_6_11_the_python_example_sees_200_twice_on_one_connection() {
    let site = Site::open().await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    // `requests.get(url, timeout=5)`, once with an f-string and once with urlencode().
    for target in ["/ld?qci=abc123xyz789", "/ord?qci=abc123xyz789&ov=89.99"] {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: python-requests/2.32.3\r\n\
             Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
            site.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\nOK") {
            let mut some = [0; 512];
            let count = stream.read(&mut some).await.unwrap();
            assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&some[..count]);
        }
        let got = Got::parse(&bytes).unwrap();
        assert_eq!(got.status, 200);
        assert_eq!(got.headers.get("content-encoding"), None);
    }
    let received = site.sandbox.received(Network::Powerspace);
    assert_eq!(
        received[1].query,
        [("qci".to_owned(), "abc123xyz789".to_owned()), ("ov".to_owned(), "89.99".to_owned())]
    );
    assert_eq!(received[1].headers["user-agent"], "python-requests/2.32.3");
}
