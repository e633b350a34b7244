//! The operators' HTTP side: pages that say what needs a person, why, and what to do; and `/livez`, `/readyz` and
//! `/metrics`.
//!
//! Every page is made on the server and works without the script, which only keeps it up to date. Nothing is loaded
//! from elsewhere.

mod account;
mod actions;
mod campaigns;
mod chart;
mod clicks;
mod conversions;
mod deliveries;
mod desk;
mod filter;
mod guard;
mod history;
mod live;
mod meters;
mod overview;
mod page;
mod pages;
mod patient;
mod probes;
mod refusals;
mod render;
mod seen;
mod server;
mod session;
mod show;
mod sift;
mod sign_in;
mod trail;
mod words;

pub use self::{meters::metrics, pages::Console, server::serve};
