//! What AlterCPA promises, one test or more for each promise: names begin with the promise's id.
#![allow(clippy::unwrap_used, reason = "tests")]

mod arbitrary;
mod authorization;
mod click;
mod client;
mod fields;
mod look_up;
mod money;
mod origin;
mod settings;
mod status;
mod support;
mod verdict;
