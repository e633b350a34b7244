//! Alerts: what goes wrong in a hub is told to its webhook, once.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use postback_proto::v1::PauseAccountRequest;
use postback_tests::{Engine, House};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// A receiver of alerts, and what it takes.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/alerts", listener.local_addr().expect("an address"));
    let (hand, taken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hand = hand.clone();
            let take = service_fn(move |request: Request<Incoming>| {
                let hand = hand.clone();
                async move {
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    hand.send(serde_json::from_slice(&body).expect("JSON")).expect("the test listens");
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
        }
    });
    (url, taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_paused_is_told_to_the_webhook() {
    let (url, mut taken) = receiver().await;
    let more = format!("[alerts]\nwebhook = \"{url}\"\nsecret = \"sixteen bytes or more\"");
    let house = House::with(Engine::Embedded, &more).await;
    let pause = PauseAccountRequest { account: "altercpa".into(), reason: "the network asked".into() };
    house.caller.deliveries.clone().pause_account(pause).await.expect("paused");
    let told = timeout(Duration::from_secs(60), taken.recv()).await.expect("it is told").expect("an alert");
    assert_eq!(told["incident"], "account_paused/altercpa", "{told}");
    assert_eq!(
        (told["status"].as_str(), told["subject"].as_str()),
        (Some("open"), Some("altercpa")),
        "{told}"
    );
    assert!(told["summary"].as_str().is_some_and(|summary| summary.contains("the network asked")), "{told}");
    house.end().await;
}
