//! Takes due deliveries, sends them through one tower stack per account, settles the verdict.
//!
//! Each account has a worker of its own: it claims from the outbox no more than the account's limits leave room
//! for, sends each claim down the account's stack (concurrency, rate, circuit breaker, five seconds, blips), and
//! settles what came of it with the proof of the attempt. A dead network slows no other account.
//!
//! What a result means is decided in one place, `judge`, without any I/O.

mod backoff;
mod blips;
mod breaker;
mod breakers;
mod caller;
mod crew;
mod dispatcher;
mod guard;
mod judge;
mod meter;
mod names;
mod network;
mod outgoing;
mod sending;
mod settings;
mod spans;
mod stack;
#[cfg(test)]
mod tests;
#[cfg(feature = "failpoints")]
mod wire;
mod within;
mod worker;

pub use breakers::Breakers;
pub use caller::NetworkCaller;
pub use dispatcher::{Dispatcher, Parts};
pub use settings::Settings;
