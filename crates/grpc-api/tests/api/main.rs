//! The server over real sockets.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

mod deadline;
mod refused;
mod server;
mod shutdown;
mod spans;
mod window;
