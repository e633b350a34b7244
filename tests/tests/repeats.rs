//! The same call 64 times at once: on the embedded store, on Redis, and at two hubs over one Redis.

use postback_core::Key;
use postback_proto::v1::{
    ChangeConversionStatusRequest, RecordConversionRequest, RecordConversionResponse,
    change_conversion_status_request,
};
use postback_sandbox::Network;
use postback_tests::{Caller, Engine, House, Postback, Started, goal, lead, order, token};
use tonic::Code;
use tonic_types::StatusExt;

/// Where the calls go: to one hub, or to two in turn.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Embedded,
    Redis,
    TwoHubs,
}

macro_rules! repeats {
    ($($name:ident)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::At::Embedded).await })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::At::Redis).await })*
        }
        mod two_hubs {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::At::TwoHubs).await })*
        }
    };
}

repeats! {
    one_transaction_reported_64_times_at_once_is_one_conversion
    one_request_made_64_times_at_once_is_one_conversion
    one_change_made_64_times_at_once_is_told_once
}

struct Hubs {
    house: House,
    callers: Vec<Caller>,
    /// The second hub, in a process of its own.
    _other: Option<Started>,
}

impl Hubs {
    async fn of(at: At) -> Self {
        let house = House::on(if at == At::Embedded { Engine::Embedded } else { Engine::Redis }).await;
        let mut callers = vec![house.caller.clone()];
        let mut other = None;
        if at == At::TwoHubs {
            let file = house.folder().join("other.toml");
            std::fs::write(&file, other_config(&house)).expect("a config");
            let arguments = ["serve", "--role", "api", "--config", file.to_str().expect("a path")];
            let mut started = Postback::with(&arguments).env("POSTBACK_LOG__FORMAT", "json").start();
            callers.push(Caller::of(&format!("http://{}", started.listens("api"))));
            other = Some(started);
        }
        Self { house, callers, _other: other }
    }

    /// Makes a call 64 times at once.
    async fn crowd<T, F>(&self, call: impl Fn(Caller) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let callers = self.callers.iter().cycle().take(64).cloned();
        let calls: Vec<_> = callers.map(|caller| tokio::spawn(call(caller))).collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("a call ends"));
        }
        answers
    }

    async fn record(&self, request: &RecordConversionRequest) -> RecordConversionResponse {
        let answers = self
            .crowd(|caller| {
                let request = request.clone();
                async move { caller.send(request).await.expect("a repeat is no error") }
            })
            .await;
        one(answers.iter().map(|answer| {
            (answer.conversion_id.as_str(), answer.delivery_id.as_str(), answer.already_recorded)
        }));
        answers.into_iter().next().expect("64 answers")
    }

    async fn refuse(&self, request: RecordConversionRequest) {
        for caller in &self.callers {
            other_content(&caller.send(request.clone()).await.expect_err("other content is refused"));
        }
    }

    /// The calls that the network got, once all is delivered.
    async fn sent(&self, deliveries: u64) -> Vec<String> {
        let stats = self.house.quiet("altercpa").await;
        assert_eq!((stats.conversions, stats.delivered), (1, deliveries));
        assert_eq!((stats.waiting, stats.in_doubt, stats.dead), (0, 0, 0));
        self.house.sandbox.received(Network::Altercpa).into_iter().map(|entry| entry.path).collect()
    }
}

/// All answers name the same, and all but one say that it was recorded.
fn one<'a>(answers: impl Iterator<Item = (&'a str, &'a str, bool)>) {
    let answers: Vec<_> = answers.collect();
    assert!(answers.iter().all(|answer| (answer.0, answer.1) == (answers[0].0, answers[0].1)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.2).count(), 63);
}

fn other_content(refused: &tonic::Status) {
    let reason = refused.get_error_details().error_info().map(|info| info.reason.clone());
    assert_eq!((refused.code(), reason.as_deref()), (Code::AlreadyExists, Some("CONTENT_DIFFERS")));
}

fn other_config(house: &House) -> String {
    let (key, redis, networks) = (Key::new(1, [7; 32]).reveal(), house.redis(), house.networks);
    let redis = redis.expect("two hubs share a Redis").url();
    format!(
        r#"
        key.current = "{key}"
        store = {{ engine = "redis", redis = ["{redis}"] }}
        api.listen = "127.0.0.1:0"
        accounts.altercpa = {{ network = "altercpa", base_url = "http://{networks}", token = "123-abcde" }}
        "#
    )
}

async fn one_transaction_reported_64_times_at_once_is_one_conversion(at: At) {
    let hubs = Hubs::of(at).await;
    let source = Some(token(&hubs.house.landed(Network::Altercpa).await));
    let mut details = lead();
    details.transaction_id = "T-1".into();
    let request = RecordConversionRequest { source, details: Some(details.clone()), ..Default::default() };
    hubs.record(&request).await;
    assert_eq!(hubs.sent(1).await, ["/api/site/click.json"]);

    details.value = order("5").value;
    hubs.refuse(RecordConversionRequest { details: Some(details), ..request }).await;
    assert_eq!(hubs.sent(1).await.len(), 1);
    hubs.house.end().await;
}

async fn one_request_made_64_times_at_once_is_one_conversion(at: At) {
    let hubs = Hubs::of(at).await;
    let source = Some(token(&hubs.house.landed(Network::Altercpa).await));
    let request = RecordConversionRequest {
        source,
        details: Some(goal("deposit")),
        request_id: "r-1".into(),
        ..Default::default()
    };
    hubs.record(&request).await;
    assert_eq!(hubs.sent(1).await.len(), 1);
    hubs.refuse(RecordConversionRequest { details: Some(order("5")), ..request }).await;
    assert_eq!(hubs.sent(1).await.len(), 1);
    hubs.house.end().await;
}

async fn one_change_made_64_times_at_once_is_told_once(at: At) {
    let hubs = Hubs::of(at).await;
    let recorded = hubs
        .house
        .caller
        .record(token(&hubs.house.landed(Network::Altercpa).await), lead())
        .await
        .expect("a lead");
    let change = |status: &str| ChangeConversionStatusRequest {
        conversion: Some(change_conversion_status_request::Conversion::ConversionId(
            recorded.conversion_id.clone(),
        )),
        status: status.into(),
        request_id: "c-1".into(),
        ..Default::default()
    };
    let answers = hubs
        .crowd(|caller| {
            let request = change("approved");
            async move { caller.change(request).await.expect("a repeat is no error") }
        })
        .await;
    one(answers
        .iter()
        .map(|answer| (answer.conversion_id.as_str(), answer.delivery_id.as_str(), answer.already_recorded)));
    assert_eq!(hubs.sent(2).await, ["/api/site/click.json", "/api/site/status.json"]);
    for caller in &hubs.callers {
        other_content(&caller.change(change("cancelled")).await.expect_err("other content is refused"));
    }
    assert_eq!(hubs.sent(2).await.len(), 2);
    hubs.house.end().await;
}
