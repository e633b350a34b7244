//! The client sends what the adapter sends, and says what the adapter says.

use std::io;

use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use postback_adapters_trafficstars::ClientError;
use postback_core::{ANSWER_KEPT, ClickId, Details, Goal, Kind, Repeat, Verdict};
use tower::service_fn;

use crate::{CLICK, KEY, account, click, keyed, lead, lead_worth, money, tell};

fn id() -> ClickId {
    ClickId::parse(CLICK).unwrap()
}

#[test]
fn the_client_and_the_adapter_make_the_same_calls() {
    let keyless = account("");
    let ours = keyless.lead(id()).call().unwrap();
    assert_eq!(ours.shown, tell(&keyless, click(CLICK), Details::new(Kind::Lead)).unwrap().shown);
    let query = keyed("form = 'query'");
    let goal = Goal::parse("3").unwrap();
    let ours = query.lead(id()).goal(goal.clone()).value(money("2.1")).price(money("1"));
    let ours = ours.lead_code("abcd1234567890").call().unwrap();
    let theirs = Details { goal: Some(goal), payout: Some(money("1")), ..lead_worth("2.1") };
    let theirs = tell(&query, click(CLICK), theirs).unwrap();
    assert_eq!(ours.request.uri(), theirs.request.uri());
    assert_eq!((ours.shown, ours.repeat), (theirs.shown, theirs.repeat));
}

#[test]
fn a_lead_goes_out_once_and_its_verdict_comes_back() {
    block_on(async {
        let mut calls = Vec::new();
        let mut service = service_fn(|request: Request<Bytes>| {
            calls.push(request.uri().to_string());
            async { Ok::<_, io::Error>(Response::new(Bytes::from_static(b"{\"ok\": true}"))) }
        });
        let account = keyed("");
        let lead = account.lead(id()).lead_code("A-1").value(money("2.1"));
        assert_eq!(lead.send(&mut service).await.unwrap(), Verdict::Accepted { remote_id: None });
        let want =
            format!("https://tsyndicate.com/api/v1/cpa/action/{CLICK}?value=2.1&lead_code=A-1&key={KEY}");
        assert_eq!(calls, [want]);
    });
}

#[test]
fn ts_6_what_is_refused_is_not_sent() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async { Err(io::Error::other("sent")) });
        let keyless = account("");
        let refused = keyless.lead(id()).lead_code("A-1").send(&mut service).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused(_)));
        assert_eq!(
            refused.to_string(),
            "lead_code: cannot be told without the account's key; want the key in the settings, or no lead code"
        );
    });
}

#[test]
fn ts_9_a_key_in_a_complaint_is_masked_and_a_long_one_is_cut() {
    block_on(async {
        let complaint = format!("no such key: {KEY}, for {}", "x".repeat(1_000));
        let mut service = service_fn(|_: Request<Bytes>| async {
            let body = format!(r#"{{"error": {{"msg": "{complaint}"}}}}"#);
            Ok::<_, io::Error>(Response::new(Bytes::from(body)))
        });
        let account = keyed("");
        let verdict = account.lead(id()).lead_code("A-1").send(&mut service).await.unwrap();
        let Verdict::Retry { reason, .. } = verdict else { panic!("{verdict:?}") };
        assert!(reason.message.starts_with("no such key: ***, for xxx"), "{reason}");
        assert_eq!((reason.code.as_str(), reason.message.len()), ("other", ANSWER_KEPT));
    });
}

#[test]
fn ts_11_with_a_key_every_lead_needs_a_code() {
    let account = keyed("");
    assert_eq!(
        account.lead(id()).call().unwrap_err().to_string(),
        "lead_code: is missing; want one for each conversion, by which a repeat is told from a new one"
    );
    let call = account.lead(id()).lead_code("A-1").call().unwrap();
    assert_eq!(call.repeat, Repeat::Keyed("A-1".to_owned()));
}

#[test]
fn a_services_own_error_comes_back() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async { Err(io::Error::other("no route")) });
        let account = account("");
        let failure = account.lead(id()).send(&mut service).await.unwrap_err();
        assert!(matches!(&failure, ClientError::Service(cause) if cause.to_string() == "no route"));
    });
}

#[test]
fn debug_shows_no_key() {
    let account = keyed("");
    let lead = account.lead(id()).lead_code("A-1");
    for shown in [format!("{account:?}"), format!("{lead:?}"), format!("{:?}", lead.call())] {
        assert!(!shown.contains(KEY), "{shown}");
    }
    assert!(
        tell(&account, click(CLICK), lead_with_everything_wrong())
            .is_err_and(|e| !format!("{e:?}").contains(KEY))
    );
}

fn lead_with_everything_wrong() -> Details {
    Details { value: Some(money("999")), ..lead() }
}
