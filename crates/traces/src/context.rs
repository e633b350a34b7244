//! The context of a trace: out of headers and records into a span, and back.

use http::HeaderMap;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use postback_core::TraceParent;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Where the caller of a request is in its trace, where it says so.
pub fn parent_in(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

/// Puts a span under its parent, which may be another process's. Do it before anything asks for the span's context.
pub fn follow(span: &Span, parent: Option<TraceParent>) {
    let Some(parent) = parent.filter(|_| !span.is_disabled()) else { return };
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace()),
        SpanId::from_bytes(parent.span()),
        TraceFlags::new(parent.flags()),
        true,
        TraceState::NONE,
    );
    // It fails where no exporter listens, and then there is nothing to follow.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Where the work under way is in its trace; nothing where none is kept.
pub fn current() -> Option<TraceParent> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let place = context.span().span_context().clone();
    TraceParent::new(place.trace_id().to_bytes(), place.span_id().to_bytes(), place.trace_flags().to_u8())
}
