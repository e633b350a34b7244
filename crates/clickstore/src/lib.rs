//! Clicks and user attribution with a 30-day life, on two engines: embedded in a file, or on Redis.
//!
//! Both are a [`ClickStore`](postback_core::ports::ClickStore) and pass the same suite, `conformance` (behind the
//! feature of that name). [`Embedded`] is for one process on one machine; [`RedisClicks`] is shared by several.

mod attributions;
mod embedded;
mod finding;
mod key;
mod record;
mod redis;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use self::{
    embedded::Embedded,
    redis::{RedisClicks, RedisSettings, Topology},
};
