//! Counts over time, what operators did, and the latest clicks, on two engines: embedded in a file, or on Redis.
//!
//! Both are a [`Logbook`](postback_core::ports::Logbook) and pass the same suite, `conformance` (behind the feature
//! of that name). [`Embedded`] is for one process on one machine; [`RedisLogbook`] is shared by several.

mod embedded;
mod record;
mod redis;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use self::{embedded::Embedded, redis::RedisLogbook};
