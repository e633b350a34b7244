//! The edge over real sockets: raw bytes in, raw bytes out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod destinations;
mod doubles;
mod ends;
mod measured;
mod redirects;
mod refusals;
mod tls;
mod visitor;
