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
