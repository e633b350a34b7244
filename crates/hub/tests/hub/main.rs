//! The hub over doubles of its ports: a paused clock, stores that can be away, a network that never answers.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod bulk;
mod capture;
mod change;
mod clock;
mod doubles;
mod logbook;
mod operate;
mod own_key;
mod promise;
mod record;
mod registry;
mod repeats;
mod sight;
mod tail;
mod users;
