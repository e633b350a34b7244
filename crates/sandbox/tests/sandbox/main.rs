//! The sandbox over real sockets: each network's documented behaviour, its faults, its journal, its control API.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod altercpa_create;
mod altercpa_look_up;
mod altercpa_status;
mod client;
mod control;
mod documents;
mod faults;
mod journal;
mod powerspace;
mod server;
mod trafficstars;
