//! A part of the hub's work.

use std::fmt;

use clap::ValueEnum;

/// What a process does; hubs that share a Redis can part the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Catches clicks and redirects.
    Edge,
    /// Takes in conversions over gRPC.
    Api,
    /// Delivers to the networks.
    Dispatch,
    /// Answers probes and serves metrics.
    Console,
}

impl Role {
    /// Everything that a hub does.
    pub(crate) const ALL: [Self; 4] = [Self::Edge, Self::Api, Self::Dispatch, Self::Console];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "edge",
            Self::Api => "api",
            Self::Dispatch => "dispatch",
            Self::Console => "console",
        })
    }
}
