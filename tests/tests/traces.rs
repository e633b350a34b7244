//! Traces: a caller's trace goes from its call through the record to the attempt, also in another process.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};
use postback_core::Key;
use postback_proto::v1::{GetDeliveryRequest, RecordConversionRequest};
use postback_sandbox::{IssueClicks, Network, Sandbox, Seed};
use postback_tests::{Caller, Engine, House, Postback, Started, Visitor, lead, token, until};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
/// The Traffic Stars key of the test's account.
const SECRET: &str = "123456789012345678901234567890abcdef";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().expect("no test panicked here").push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = TraceServiceServer::new(self.clone());
        let served =
            Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(served);
        address
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.0.lock().expect("no test panicked here").clone()
    }

    /// The spans of a trace, by name.
    fn spans(&self, trace: &str) -> BTreeMap<String, Span> {
        let resources = self.requests().into_iter().flat_map(|it| it.resource_spans);
        let spans = resources.flat_map(|it| it.scope_spans).flat_map(|it| it.spans);
        spans.filter(|span| hex(&span.trace_id) == trace).map(|span| (span.name.clone(), span)).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a span says under a key.
fn says(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|it| it.key == key).and_then(|it| it.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{} has {key} = {other:?}", span.name),
    }
}

fn hub(config: &str, roles: &str) -> Started {
    Postback::with(&["serve", "--config", config, "--role", roles]).start()
}

/// Ends it as SIGTERM does; its last spans are flushed.
fn end(mut hub: Started) {
    hub.signal("-TERM");
    assert!(hub.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_callers_call_to_the_attempt_in_another_process() {
    let collector = Collector::default();
    let otlp = collector.start().await;
    let sandbox = Sandbox::new(Seed::documented()).expect("the documented seed is right");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let networks = listener.local_addr().expect("an address");
    let serving = sandbox.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    let folder = tempfile::tempdir().expect("a folder");
    let (store, file) = (folder.path().join("data"), folder.path().join("postback.toml"));
    let key = Key::new(1, [7; 32]).reveal();
    let config = format!(
        r#"
        key.current = "{key}"
        store.path = '{}'
        edge.listen = "127.0.0.1:0"
        api.listen = "127.0.0.1:0"
        log.format = "json"
        traces.otlp = "http://{otlp}"
        [accounts.trafficstars]
        network = "trafficstars"
        base_url = "http://{networks}"
        tls_in_front = true
        currency = "USD"
        key = "{SECRET}"
        [campaigns.spring]
        account = "trafficstars"
        landing = "https://shop.example/?token={{click_token}}"
        "#,
        store.display()
    );
    fs::write(&file, config).expect("the config is written");
    let file = file.to_str().expect("a path");

    let mut front = hub(file, "edge,api");
    let (edge, api) = (front.listens("edge"), front.listens("api"));
    let id = sandbox.issue(&IssueClicks::new(Network::Trafficstars)).expect("a click").remove(0);
    let landed = Visitor::of(edge).get(&format!("/c/spring?click_id={id}")).await;
    let landed = landed.token().unwrap_or_else(|| panic!("no token in {landed:?}"));
    let mut request = Request::new(RecordConversionRequest {
        source: Some(token(&landed)),
        details: Some(lead()),
        ..Default::default()
    });
    let traceparent = format!("00-{TRACE}-{SPAN}-01").parse().expect("a header's value");
    request.metadata_mut().insert("traceparent", traceparent);
    let caller = Caller::of(&format!("http://{api}"));
    caller.conversions.clone().record_conversion(request).await.expect("recorded");
    end(front);

    let back = hub(file, "dispatch");
    let told = || async { sandbox.received(Network::Trafficstars).pop() };
    until("the network is told", told).await;
    end(back);

    let spans = collector.spans(TRACE);
    let names: Vec<&str> = spans.keys().map(String::as_str).collect();
    let rpc = "postback.v1.ConversionService/RecordConversion";
    assert_eq!(names, ["GET", "deliver", rpc, "record"]);
    let chain = [("record", rpc), ("deliver", "record"), ("GET", "deliver")];
    assert_eq!(hex(&spans[rpc].parent_span_id), SPAN);
    for (child, parent) in chain {
        assert_eq!(spans[child].parent_span_id, spans[parent].span_id, "{child} under {parent}");
    }
    assert_eq!((spans[rpc].kind(), spans["GET"].kind()), (SpanKind::Server, SpanKind::Client));
    for (span, key, value) in [
        (rpc, "rpc.system.name", "grpc"),
        (rpc, "rpc.method", rpc),
        (rpc, "rpc.response.status_code", "OK"),
        ("record", "account", "trafficstars"),
        ("deliver", "settlement", "delivered"),
        ("GET", "http.request.method", "GET"),
        ("GET", "http.response.status_code", "200"),
        ("GET", "server.address", "127.0.0.1"),
        ("GET", "server.port", &networks.port().to_string()),
    ] {
        assert_eq!(says(&spans[span], key), value, "{span} {key}");
    }
    assert!(says(&spans["GET"], "url.full").contains("***"), "{}", says(&spans["GET"], "url.full"));
    let all = format!("{:?}", collector.requests());
    assert!(!all.contains(SECRET) && !all.contains(&key), "a secret in a span");
    assert!(all.contains("service.name"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_no_trace_is_kept() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Powerspace);
    let landed = house.land("powerspace", &format!("clickId={id}")).await;
    let details = Some(lead());
    let mut request =
        Request::new(RecordConversionRequest { source: Some(token(&landed)), details, ..Default::default() });
    let traceparent = format!("00-{TRACE}-{SPAN}-01").parse().expect("a header's value");
    request.metadata_mut().insert("traceparent", traceparent);
    let recorded = house.caller.conversions.clone().record_conversion(request).await.expect("recorded");
    let request = GetDeliveryRequest { delivery_id: recorded.into_inner().delivery_id };
    let delivery = house.caller.deliveries.clone().get_delivery(request).await.expect("kept").into_inner();
    assert_eq!(delivery.traceparent, "");
    house.end().await;
}
