//! What the hub is compared with: servers of our own that do the least that one can do, and foreign ones.

mod bullmq;
mod caller;
mod clock;
mod grpc;
mod http;
mod network;
mod nginx;

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use crate::{
    bench::Bench,
    process::{Process, SERVERS, free_address, pinned},
};

pub(crate) use self::{bullmq::BullMq, clock::round as clock, network::Network, nginx::start as nginx};

/// Which server.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    kind: Kind,
    /// Where it listens.
    #[arg(long, global = true, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Bare hyper: the same redirect for everyone.
    Http,
    /// Bare tonic: the same answer to every report.
    Grpc,
    /// Bare tonic that awaits one script of so many commands of Redis before it answers.
    Script(grpc::Script),
    /// A network that answers every call at once.
    Network,
    /// Bare hyper that calls a network, without a store.
    Caller(caller::Caller),
    /// A bare clock: nothing but the time.
    Clock(clock::Clock),
}

/// Starts a server of our own on the servers' core: `http`, `grpc`, or `script` with its options.
pub(crate) fn start(bench: &Bench, kind: &[&str]) -> anyhow::Result<Process> {
    let address = free_address();
    let mut command = pinned(SERVERS, &bench.me);
    command.arg("peer").args(kind).args(["--listen", &address.to_string()]);
    Process::start(command, &bench.folder("peer-")?, address)
}

/// Starts bare calls of a network on the servers' core, so many under way at once.
pub(crate) fn caller(bench: &Bench, network: &Network, in_flight: usize) -> anyhow::Result<Process> {
    let address = network.process.address;
    let mut command = pinned(SERVERS, &bench.me);
    command.args(["peer", "caller", "--to", &address.to_string(), "--in-flight", &in_flight.to_string()]);
    Process::spawn(command, &bench.folder("caller-")?, address)
}

/// Serves from this process.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    match options.kind {
        Kind::Http => http::serve(options.listen).await,
        Kind::Grpc => grpc::serve(options.listen, None).await,
        Kind::Script(script) => grpc::serve(options.listen, Some(script)).await,
        Kind::Network => network::serve(options.listen).await,
        Kind::Caller(caller) => caller::run(caller).await,
        Kind::Clock(clock) => clock::run(&clock),
    }
}
