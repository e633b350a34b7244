//! Conversions, their deliveries and the schedule, on two engines: embedded in a file, or on Redis.
//!
//! Both are an [`Outbox`](postback_core::ports::Outbox) and pass the same suite, `conformance` (behind the
//! feature of that name). [`Embedded`] is for one process on one machine; [`RedisOutbox`] is shared by several.

mod embedded;
mod redis;
mod rules;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use self::{
    embedded::Embedded,
    redis::{RedisOutbox, RedisSettings, Topology},
};
