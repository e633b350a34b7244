//! The one way to a Redis: its settings, a connection made anew when lost, and what its errors mean to a caller.
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
