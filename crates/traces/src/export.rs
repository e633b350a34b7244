//! Sending spans to a collector: OTLP over gRPC, in batches, beside the work.

use std::env;

use opentelemetry::{Key, KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use postback_core::{Error, Result};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// The variables that name a collector, as OpenTelemetry defines them.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The export of this process's spans.
#[derive(Clone, Debug)]
pub struct Export(SdkTracerProvider);

/// Whether the environment names no service, by either of its variables.
fn is_nameless(resource: &Resource) -> bool {
    let name = resource.get(&Key::from_static_str("service.name"));
    name.is_none_or(|name| name.as_str().starts_with("unknown_service"))
}

impl Export {
    /// An export to the collector at `endpoint`, or at the one that the `OTEL_*` variables name; nothing where neither
    /// is there, or where `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none` says so. Sampler, headers, timeout,
    /// batches and the service's name are theirs as well. Call it within the runtime.
    ///
    /// # Errors
    /// `InvalidArgument` where the endpoint is none.
    pub fn open(endpoint: Option<&str>) -> Result<Option<Self>> {
        let is = |name: &str, word: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(word));
        let named = ENDPOINTS.iter().any(|name| env::var(name).is_ok_and(|value| !value.is_empty()));
        let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
        if off || !(named || endpoint.is_some()) {
            return Ok(None);
        }
        let mut exporter = SpanExporter::builder().with_tonic();
        if let Some(endpoint) = endpoint {
            exporter = exporter.with_endpoint(endpoint);
        }
        let exporter = exporter.build().map_err(|error| {
            Error::invalid("traces.otlp", format!("cannot be exported to: {error}")).caused_by(error)
        })?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if is_nameless(&Resource::builder().build()) {
            resource = resource.with_service_name("postback");
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
        Ok(Some(Self(provider.build())))
    }

    /// What hands this project's spans to the export. Events stay in the log.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("postback"))
            .with_location(false)
            .with_threads(false)
            .with_target(false);
        layer.with_filter(filter_fn(|it| it.is_span() && it.target().starts_with("postback")))
    }

    /// Sends what is left and ends: within ten seconds, in which it blocks.
    ///
    /// # Errors
    /// `Unavailable` where the collector did not take all.
    pub fn end(self) -> Result<()> {
        self.0.shutdown().map_err(|error| Error::unavailable("spans are left unsent").caused_by(error))
    }
}
