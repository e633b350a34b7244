//! Each engine under the conformance suite, and what each alone promises.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

mod cluster;
mod embedded;
mod histories;
mod lane;
mod model;
mod permutations;
mod redis;
mod sentinel;
mod together;
