//! postback: tells ad networks of conversions, once, in order, with proof.
//!
//! The program as a library: its command line, its config and its wiring, so that tests can run the whole hub in
//! their own process with a clock of their own.

mod alerts;
pub mod cli;
mod client;
pub mod config;
mod counted;
mod demo;
mod descriptors;
mod keygen;
mod link;
mod logs;
mod reload;
mod role;
pub mod serve;
mod stores;
mod table;
mod token;
