//! The client sends what the adapter sends, and says what the adapter says.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_executor::block_on;
use http::{
    Request, Response,
    header::{DATE, RETRY_AFTER},
};
use postback_adapters_powerspace::ClientError;
use postback_core::{ClickId, Details, Kind, Verdict};
use tower::service_fn;

use crate::{click, money, order, powerspace, tell};

fn id() -> ClickId {
    ClickId::parse("a/b").unwrap()
}

#[test]
fn the_client_and_the_adapter_make_the_same_calls() {
    let account = powerspace("order_value = { shipping = 'exclude', tax = 'exclude' }");
    let lead = account.lead(id()).call().unwrap();
    assert_eq!(lead.shown, tell(&account, click("a/b"), Details::new(Kind::Lead)).unwrap().shown);
    let (shipping, tax) = ("1.5".parse().unwrap(), "2".parse().unwrap());
    let ours = account.order(id()).value(money("9.99")).shipping(shipping).tax(tax).call().unwrap();
    let theirs = Details { shipping: Some(shipping), tax: Some(tax), ..order("9.99") };
    assert_eq!(ours.shown, tell(&account, click("a/b"), theirs).unwrap().shown);
    assert_eq!(ours.shown, "GET https://a.pwspace.com/ord?qci=a%2Fb&ov=6.49");
}

#[test]
fn an_order_goes_out_once_and_its_verdict_comes_back() {
    block_on(async {
        let mut calls = Vec::new();
        let mut service = service_fn(|request: Request<Bytes>| {
            calls.push(request.uri().to_string());
            async { Ok::<_, io::Error>(Response::new(Bytes::new())) }
        });
        let account = powerspace("");
        let verdict = account.order(id()).value(money("5")).send(&mut service).await.unwrap();
        assert_eq!(verdict, Verdict::Accepted { remote_id: None });
        assert_eq!(calls, ["https://a.pwspace.com/ord?qci=a%2Fb&ov=5"]);
    });
}

#[test]
fn a_date_to_come_again_is_read_against_the_answers_own_clock() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async {
            let answer = Response::builder().status(503).header(DATE, "Thu, 01 Jan 2026 00:00:00 GMT");
            answer.header(RETRY_AFTER, "Thu, 01 Jan 2026 00:02:00 GMT").body(Bytes::new())
        });
        let verdict = powerspace("").lead(id()).send(&mut service).await.unwrap();
        assert!(matches!(verdict, Verdict::Retry { after, .. } if after == Some(Duration::from_secs(120))));
    });
}

#[test]
fn what_is_refused_is_not_sent() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async { Err(io::Error::other("sent")) });
        let account = powerspace("currency = 'USD'");
        let refused = account.order(id()).value(money("5")).send(&mut service).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused(_)));
        assert_eq!(refused.to_string(), "value.currency: `EUR` is not the account's currency `USD`");
    });
}

#[test]
fn a_services_own_error_comes_back() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async { Err(io::Error::other("no route")) });
        let failure = powerspace("").lead(id()).send(&mut service).await.unwrap_err();
        assert!(matches!(&failure, ClientError::Service(cause) if cause.to_string() == "no route"));
        assert_eq!(std::error::Error::source(&failure).unwrap().to_string(), "no route");
    });
}
