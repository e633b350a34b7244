//! The three ad networks, simulated after their documentation, with faults on demand.

#![doc = include_str!("../README.md")]

mod altercpa;
mod body;
mod call;
mod click_book;
mod clock;
mod control;
mod error;
mod fault;
mod fault_form;
mod fault_list;
mod hidden;
mod issue;
mod journal;
mod meaning;
mod network;
mod page;
mod params;
mod powerspace;
mod reply;
mod routes;
mod sandbox;
mod seed;
mod server;
mod state;
mod stats;
mod trafficstars;

use std::{future::Future, io};

use tokio::net::TcpListener;

pub use crate::{
    altercpa::{Commission, Details, Lead, Source, Status, Step, Terms},
    clock::Clock,
    error::SandboxError,
    fault::{Fault, FaultKind},
    hidden::Hidden,
    issue::IssueClicks,
    journal::{Answer, Entry, FaultSeen, JournalPage, JournalQuery},
    meaning::{Booking, Kind, Meant},
    network::Network,
    sandbox::Sandbox,
    seed::Seed,
    stats::{NetworkStats, Stats},
};

/// Serves the networks of `seed` on `listener` until `shutdown` completes, then lets running answers end.
///
/// # Errors
/// An invalid seed (as `InvalidInput`), or a listener that does not work.
pub async fn serve(
    listener: TcpListener,
    seed: Seed,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let sandbox = Sandbox::new(seed).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    sandbox.serve(listener, shutdown).await
}
