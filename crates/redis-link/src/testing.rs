//! What a test of a store needs: real Redis servers, and a clock that it moves.

// What a test needs fails as a test does, by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clock;
mod cluster;
mod sentinel;
mod server;

pub use self::{clock::ShiftedClock, cluster::RedisCluster, sentinel::RedisSentinel, server::RedisServer};
