//! The one way to a Redis: its settings, a connection made anew when lost, and what its errors mean to a caller.
//!
//! Commands are batched, written and read here rather than by the `redis` crate's multiplexed connection, which took 4,500
//! of the edge's 50,500 instructions for a click; topology, TLS, scripts and values are that crate's.
//!
//! A [`Link`] serves one server, one master behind Sentinel, or one Cluster. What is asked through it may be sent
//! twice: it is for commands that do no harm when repeated.

mod batch;
mod connection;
mod link;
mod question;
mod refusal;
mod reply;
mod settings;
mod wire;

#[cfg(feature = "testing")]
pub mod testing;

pub use self::{
    connection::Connection,
    link::Link,
    question::Question,
    refusal::{late, refused, unconfirmed},
    settings::{RedisSettings, Topology},
};
