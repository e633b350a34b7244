//! The one way to OpenTelemetry: a trace's context, carried by headers and records, and its export.
//!
//! Spans are those of `tracing`. Where nothing is exported no span is made, no context is there to carry, and all of
//! this costs next to nothing.

mod context;
mod export;

pub use context::{current, follow, parent_in};
pub use export::Export;
