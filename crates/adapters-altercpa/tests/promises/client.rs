//! The crate alone: its client over a service.

use std::{convert::Infallible, sync::Mutex};

use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use postback_adapters_altercpa::{ClickQuery, ClientError, Origin};
use postback_core::{ClickId, Customer, ErrorKind, LookUpSource, Status, Verdict};
use tower::{Service, service_fn};

use crate::support::*;

fn click_id() -> ClickId {
    ClickId::parse("abc").unwrap()
}

/// A network that always answers `body`, and a journal of what it was sent.
fn network<'a>(
    body: &'static str,
    journal: &'a Mutex<Vec<String>>,
) -> impl Service<Request<Bytes>, Response = Response<Bytes>, Error = Infallible> + 'a {
    service_fn(move |request: Request<Bytes>| async move {
        let sent = String::from_utf8_lossy(request.body());
        journal.lock().unwrap().push(format!("{} {sent}", request.uri().path()));
        Ok(answer(200, body))
    })
}

#[test]
fn a_lead_is_created_and_then_changed_by_the_id_that_came_back() {
    block_on(async {
        let (altercpa, journal) = (plain(), Mutex::default());
        let mut service = network(r#"{"status":"ok","id":1234}"#, &journal);
        let verdict = altercpa.lead(Origin::click(click_id()).exto("A-1")).send(&mut service).await.unwrap();
        let Verdict::Accepted { remote_id: Some(id) } = verdict else { panic!("{verdict:?}") };
        let change = altercpa.change(Origin::order(id)).status(Status::Approved);
        assert!(matches!(change.send(&mut service).await, Ok(Verdict::Accepted { .. })));
        assert_eq!(
            *journal.lock().unwrap(),
            [
                "/api/site/click.json token=123-abcde&click=abc&exto=A-1",
                "/api/site/status.json token=123-abcde&order=1234&status=approve",
            ]
        );
    });
}

#[test]
fn ac_1_what_an_error_repeats_of_token_customer_and_comment_is_masked() {
    block_on(async {
        let (altercpa, journal) = (plain(), Mutex::default());
        let body = r#"{"status":"error","error":"123-abcde: no Olga who is called after six"}"#;
        let mut service = network(body, &journal);
        let customer = Customer { name: Some("Olga".into()), ..Customer::default() };
        let lead = altercpa.lead(Origin::click(click_id()).exto("A-1")).customer(customer);
        let verdict = lead.field("comment", "called after six").send(&mut service).await.unwrap();
        let Verdict::Retry { reason, .. } = verdict else { panic!("{verdict:?}") };
        assert!(reason.message.ends_with("***: no *** who is ***"), "{reason}");
    });
}

#[test]
fn what_is_refused_is_never_sent() {
    block_on(async {
        let (altercpa, journal) = (plain(), Mutex::default());
        let mut service = network("", &journal);
        let flow = Origin::flow("1234".parse().unwrap());
        let refusal = altercpa.change(flow).status(Status::Approved).send(&mut service).await.unwrap_err();
        assert!(matches!(refusal, ClientError::Refused(error) if error.field() == Some("exto")));
        assert!(journal.lock().unwrap().is_empty());
    });
}

#[test]
fn a_failed_service_is_told_from_a_refusal() {
    block_on(async {
        let mut broken = service_fn(|_: Request<Bytes>| async { Err::<Response<Bytes>, _>("reset") });
        let error = plain().lead(Origin::click(click_id())).send(&mut broken).await.unwrap_err();
        assert!(matches!(&error, ClientError::Service(cause) if cause.to_string() == "reset"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "reset");
    });
}

#[test]
fn a_wait_until_a_date_is_read_against_the_networks_own_clock() {
    block_on(async {
        let mut service = service_fn(|_: Request<Bytes>| async {
            let answer = Response::builder()
                .status(503)
                .header("date", "Thu, 01 Jan 2026 00:00:00 GMT")
                .header("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT");
            Ok::<_, Infallible>(answer.body(Bytes::new()).unwrap())
        });
        let verdict = plain().lead(Origin::click(click_id())).send(&mut service).await.unwrap();
        assert!(matches!(verdict, Verdict::Retry { after: Some(wait), .. } if wait.as_secs() == 60));
    });
}

#[test]
fn ac_14_ac_15_ac_16_the_client_looks_up_what_the_hub_looks_up() {
    block_on(async {
        let (altercpa, journal) = (plain(), Mutex::default());
        let body = r#"{"status":"ok","id":5,"click":"c-1","link":"https://r.example","name":"Watch"}"#;
        let mut service = network(body, &journal);
        let query = ClickQuery { offer: Some(5), ..ClickQuery::default() };
        let click = altercpa.find_click(&query, &mut service).await.unwrap();
        let flow = altercpa.find_flow(&LookUpSource::Click(click_id()), &mut service).await.unwrap();
        let offer = altercpa.find_offer(&LookUpSource::Offer(5), &mut service).await.unwrap();
        assert_eq!(
            (click.click.as_str(), flow.link.as_deref(), offer.name.as_deref()),
            ("c-1", Some("https://r.example"), Some("Watch"))
        );
        assert_eq!(
            *journal.lock().unwrap(),
            [
                "/api/site/fetch.json token=123-abcde&offer=5",
                "/api/site/flow.json token=123-abcde&click=abc",
                "/api/site/offer.json token=123-abcde&id=5&offer=5",
            ]
        );
    });
}

#[test]
fn ac_14_a_click_that_the_network_does_not_know_is_not_found() {
    block_on(async {
        let (altercpa, journal) = (plain(), Mutex::default());
        let mut service = network(r#"{ "status": "error", "error": "no-click" }"#, &journal);
        let error = altercpa.find_click(&ClickQuery::default(), &mut service).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(error) if error.kind() == ErrorKind::NotFound));
        assert_eq!(
            *journal.lock().unwrap(),
            ["/api/site/fetch.json token=123-abcde"],
            "the caller's own address"
        );
    });
}
