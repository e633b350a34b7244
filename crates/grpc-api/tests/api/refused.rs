//! What is refused before the hub is asked.

use metrics_exporter_prometheus::PrometheusBuilder;
use postback_grpc_api::{Settings, serve};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::server::*;

#[tokio::test]
async fn a_report_and_a_change_that_cannot_be_read_are_counted_as_refused() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (address, listener) = listen().await;
    let (dir, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let served = tokio::spawn(serve(listener, hub(&dir).await, Settings::default(), shutdown.clone()));
    for (method, refused) in [("RecordConversion", 1), ("ChangeConversionStatus", 2)] {
        let method = format!("postback.v1.ConversionService/{method}");
        let sent = Sent::open(TcpStream::connect(address).await.unwrap(), &method, true).await;
        let connection = tokio::spawn(sent.connection);
        assert_eq!(sent.answer.await.unwrap().headers()["grpc-status"], "3", "INVALID_ARGUMENT: {method}");
        connection.abort();
        let line = format!("postback_conversions_refused_total{{reason=\"MISSING\"}} {refused}");
        let metrics = recorder.handle().render();
        assert!(metrics.contains(&line), "want {line} after {method} in\n{metrics}");
    }
    shutdown.cancel();
    served.await.unwrap().unwrap();
}
