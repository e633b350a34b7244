//! Conversions, their deliveries and the schedule: the port [`postback_core::ports::Outbox`] on two engines,
//! and the suite that proves that both are alike.

mod embedded;
mod rules;

pub use embedded::Embedded;
