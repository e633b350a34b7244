//! Calls that take longer than their caller waits.

use metrics_exporter_prometheus::PrometheusBuilder;
use postback_grpc_api::{Settings, serve};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::server::*;

/// A method that waits for the rest of its request.
const METHOD: &str = "postback.v1.ConversionService/RecordConversion";

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_is_counted_so() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let served = tokio::spawn(serve(listener, hub(&dir).await, Settings::default(), shutdown.clone()));
    for timeout in ["20m", "1n", "20000u"] {
        let late = Sent::within(timeout, TcpStream::connect(address).await.unwrap(), METHOD, false).await;
        let connection = tokio::spawn(late.connection);
        let answer = late.answer.await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4", "DEADLINE_EXCEEDED after {timeout}");
        drop((answer, late.body));
        connection.abort();
    }
    shutdown.cancel();
    served.await.unwrap().unwrap();
    let metrics = recorder.handle().render();
    let method = METHOD.trim_start_matches("postback.v1.");
    let line = format!("postback_grpc_calls_total{{method=\"{method}\",code=\"4\"}} 3");
    assert!(metrics.contains(&line), "want {line} in\n{metrics}");
}
